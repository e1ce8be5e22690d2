"""Portfolios against enumeration: of samples drawn, of splits, and of worlds without a difference."""

import itertools
import math

import numpy as np
import pytest

from hm_metrics import portfolio as module
from hm_metrics.pass_at_k import pass_at_k
from hm_metrics.portfolio import Search, enough, portfolio, splits, tables


def by_enumeration(right: list[int], drawn: list[int], split: tuple[int, ...]) -> float:
    """The share of all ways to draw `split` samples that have a right one, of one question."""
    ways = [
        list(itertools.combinations([i < c for i in range(n)], spent))
        for c, n, spent in zip(right, drawn, split, strict=True)
    ]
    found = [any(itertools.chain(*each)) for each in itertools.product(*ways)]
    return sum(found) / len(found)


@pytest.mark.parametrize("n", [1, 2, 5, 8, 12])
def test_a_split_is_worth_what_all_ways_to_draw_it_give(n):
    random = np.random.default_rng(n)
    samples = np.array([[n] * 4, [min(n, 4)] * 4])
    correct = random.integers(0, samples + 1)
    correct[:, 0] = 0
    k = min(n, 5)
    of_rows = tables(correct, samples, k)
    for split in splits(k, [len(table) - 1 for table in of_rows]):
        left = math.prod(table[j] for table, j in zip(of_rows, split, strict=True))
        for question in range(4):
            expected = by_enumeration(list(correct[:, question]), list(samples[:, question]), split)
            assert 1.0 - left[question] == pytest.approx(expected, abs=1e-12)


def test_one_row_is_pass_at_k():
    correct, samples = np.array([[0, 1, 3, 11]]), np.full((1, 4), 11)
    expected = [pass_at_k(11, c, 5) for c in (0, 1, 3, 11)]
    found = portfolio(correct, samples, 5)
    assert found.value == pytest.approx(np.mean(expected))
    assert found.split == (5,)
    assert found.difference is not None
    assert found.difference.estimate == 0.0


def test_all_splits_are_there_once_and_within_what_rows_have():
    found = splits(4, [4, 2, 1])
    expected = {s for s in itertools.product(range(5), range(3), range(2)) if sum(s) == 4}
    assert set(found) == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize("seed", range(6))
def test_exchanges_find_what_trying_every_split_finds(seed, monkeypatch):
    random = np.random.default_rng(seed)
    samples = np.full((4, 30), 8)
    correct = random.binomial(8, random.beta(0.4, 0.8, (4, 30)))
    of_rows = tables(correct, samples, 6)
    exact = Search(of_rows, 6)
    assert exact.exact
    monkeypatch.setattr(module, "EXACT_CELLS", 0)
    search = Search(of_rows, 6)
    assert not search.exact
    best, other = exact.best(np.ones(30)), search.best(np.ones(30))
    assert sum(other) == 6
    lost = search.none_right(other).mean() - exact.none_right(best).mean()
    assert -1e-12 <= lost <= 2e-3


def test_rows_that_solve_different_questions_win_together():
    random = np.random.default_rng(0)
    easy = np.where(np.arange(120) % 2 == 0, 0.3, 0.0)
    chances = np.stack([easy, easy[::-1]])
    correct = random.binomial(10, chances)
    found = portfolio(correct, np.full((2, 120), 10), 6)
    assert found.exact
    assert min(found.split) >= 2
    assert found.difference is not None
    assert found.difference.low > 0.05
    assert found.single_value < found.value <= found.naive + 0.05


def test_rows_that_are_alike_are_told_apart_no_more_often_than_chance():
    wrong, best, judged = 0, [], []
    for world in range(120):
        random = np.random.default_rng(world)
        chances = random.beta(0.5, 0.7, 60)
        correct = random.binomial(6, chances, (4, 60))
        found = portfolio(correct, np.full((4, 60), 6), 3, seed=world)
        assert found.difference is not None
        wrong += found.difference.low > 0 or found.difference.high < 0
        truth = float((1 - (1 - chances) ** 3).mean())
        best.append(found.naive - truth)
        judged.append(found.value - truth)
    assert wrong <= 6
    assert np.mean(best) > 0.015  # who judges where he chose is flattered
    assert abs(np.mean(judged)) < 0.008


def test_questions_with_too_few_scored_samples_are_left_out_and_counted():
    samples = np.array([[4, 4, 4, 2], [2, 2, 1, 2]])
    assert enough(samples, 3).tolist() == [True, True, False, False]
    found = portfolio(np.zeros((2, 4), dtype=int), samples, 3)
    assert (found.questions, found.left_out) == (2, 2)


def test_a_k_that_no_single_row_has_is_shared_out_without_a_comparison():
    found = portfolio(np.ones((2, 9), dtype=int), np.full((2, 9), 3), 5)
    assert sum(found.split) == 5
    assert found.single is None
    assert found.difference is None


@pytest.mark.parametrize(
    ("correct", "samples", "k", "words"),
    [
        ([[1, 1]], [[2, 2]], 3, "k=3: 1 rows of 2 samples a question can give 1 to 2"),
        ([[1, 1]], [[2, 2]], 0, "k=0"),
        ([[1, 3]], [[2, 2]], 1, "as many correct samples"),
        ([[1]], [[2, 2]], 1, "expected \\[rows, questions\\] twice"),
        ([[1, 0]], [[2, 0]], 1, "1 of 2 questions have enough"),
    ],
)
def test_what_cannot_be_is_refused_by_a_sentence(correct, samples, k, words):
    with pytest.raises(ValueError, match=words):
        portfolio(np.array(correct), np.array(samples), k)


def test_the_same_seed_gives_the_same_answer():
    random = np.random.default_rng(1)
    correct, samples = random.integers(0, 7, (3, 40)), np.full((3, 40), 6)
    assert portfolio(correct, samples, 4, seed=3) == portfolio(correct, samples, 4, seed=3)
