"""Choosing: balanced over problems, the same in every run, and more diverse where that is asked for."""

import functools
import random
from pathlib import Path

import numpy as np
import pytest

from hm_metrics.diversity import local_similarity
from hm_tasks.curation.candidate import CORRECT, Candidate
from hm_tasks.curation.select import (
    DIVERSE,
    REPRESENTATIVE,
    Index,
    balanced,
    chosen_at_random,
    chosen_by_vectors,
)


def index_of(folder: Path, sizes: list[int], behaviours: int = 1) -> Index:
    """Problems with so many records each, whose lines alternate."""
    records = [
        Candidate(
            id=f"{problem}-{number}",
            problem=f"P/{problem}",
            statement="",
            entry_point="f",
            text="",
            program=f"{problem} {number}",
            status=CORRECT,
            behaviour=str(number % behaviours),
            provenance={"dataset": "d"},
        )
        for problem, size in enumerate(sizes)
        for number in range(size)
    ]
    records.sort(key=lambda record: record.id.split("-")[1])
    file = folder / "records.jsonl"
    file.write_text("".join(record.line() + "\n" for record in records))
    return Index.of(file)


@functools.cache
def vector(program: str) -> np.ndarray:
    """Most programs of a problem are nearly one; every fifth stands apart."""
    problem, number = map(int, program.split())
    rng = np.random.default_rng(problem if number % 5 else [problem, number])
    row = rng.normal(size=16) + 0.05 * np.random.default_rng([number, problem]).normal(size=16)
    return (row / np.linalg.norm(row)).astype(np.float32)


def vectors(programs: list[str]) -> tuple[np.ndarray, list[int]]:
    return np.stack([vector(program) for program in programs]), list(range(len(programs)))


def similarity(index: Index, chosen: set[int]) -> float:
    records = list(index.each(sorted(chosen)))
    rows = np.stack([vector(record.program) for record in records])
    return local_similarity(rows, np.array([int(r.problem[2:]) for r in records]))


@pytest.mark.parametrize("trial", range(50))
def test_no_problem_gets_one_more_before_all_that_can_have_as_many(trial):
    rng = random.Random(trial)
    available = {f"P/{n}": rng.randrange(0, 9) for n in range(rng.randrange(1, 12))}
    most = rng.randrange(0, sum(available.values()) + 3)
    shares = balanced(available, most, seed=trial)
    assert sum(shares.values()) == min(most, sum(available.values()))
    for problem, share in shares.items():
        assert 0 <= share <= available[problem]
        for other, others in shares.items():
            assert others >= min(share - 1, available[other])


def test_all_are_taken_where_no_number_is_given(tmp_path):
    index = index_of(tmp_path, [3, 1, 4])
    sizes = {problem: len(places) for problem, places in index.problems.items()}
    assert balanced(sizes, None, 0) == sizes
    assert len(chosen_at_random(index, sizes, 0)) == 8


def test_which_problems_get_the_last_ones_is_drawn_by_the_seed():
    available = {f"P/{n}": 2 for n in range(40)}
    drawn = [tuple(balanced(available, 20, seed).values()) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_random_choice_hangs_on_the_seed_alone_and_a_larger_one_holds_it(tmp_path):
    index = index_of(tmp_path, [10, 10])
    few, many = dict.fromkeys(index.problems, 3), dict.fromkeys(index.problems, 6)
    chosen = chosen_at_random(index, few, 7)
    assert chosen == chosen_at_random(index, few, 7) < chosen_at_random(index, many, 7)
    assert chosen != chosen_at_random(index, few, 8)


def test_a_diverse_choice_is_less_alike_than_a_random_one_and_no_less_balanced(tmp_path):
    index = index_of(tmp_path, [20] * 10)
    shares = dict.fromkeys(index.problems, 4)
    diverse = chosen_by_vectors(index, shares, 0, vectors, DIVERSE)
    assert len(diverse) == 40
    assert len({record.problem for record in index.each(sorted(diverse))}) == 10
    at_random = [similarity(index, chosen_at_random(index, shares, seed)) for seed in range(10)]
    assert similarity(index, diverse) < min(at_random) - 0.1


def test_behaviours_come_first(tmp_path):
    index = index_of(tmp_path, [20] * 3, behaviours=4)
    shares = dict.fromkeys(index.problems, 4)
    for way in (DIVERSE, REPRESENTATIVE):
        chosen = list(index.each(sorted(chosen_by_vectors(index, shares, 0, vectors, way))))
        assert len({(record.problem, record.behaviour) for record in chosen}) == 12


def test_what_has_no_vector_comes_last_but_comes(tmp_path):
    index = index_of(tmp_path, [6])

    def some(programs: list[str]) -> tuple[np.ndarray, list[int]]:
        known = [n for n, program in enumerate(programs) if int(program.split()[1]) < 4]
        return np.stack([vector(programs[n]) for n in known]), known

    for share, last in ((4, set()), (5, 1), (6, 2)):
        chosen = list(
            index.each(sorted(chosen_by_vectors(index, {"d P/0": share}, 0, some, DIVERSE)))
        )
        without = [r for r in chosen if int(r.program.split()[1]) >= 4]
        assert len(chosen) == share
        assert len(without) == (last or 0)
