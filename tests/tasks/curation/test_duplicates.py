"""What is in the set already goes, of each kind and for the right reason, and nothing else does."""

import os
import random
import subprocess
import sys
from collections import Counter

import pytest

from hm_metrics.ngrams import TOKEN
from hm_metrics.programs import bare
from hm_tasks.curation import duplicates
from hm_tasks.curation.candidate import WRONG
from hm_tasks.curation.duplicates import THRESHOLD, deduplicate
from tests.tasks.curation.records import HOSTILE, record, written

LONG = (
    "def f(xs):\n" + "".join(f"    a{i} = g{i}(xs, {i})\n" for i in range(20)) + "    return a1\n"
)
THOUGHT = " ".join(f"word{i}" for i in range(300))


def kept(records, threshold=THRESHOLD):
    counts = Counter()
    return list(deduplicate(records, threshold, counts)), counts


def test_the_first_of_equal_programs_stays_and_the_order_with_it():
    records = [record("def f(x): return x"), record("y = 1"), record("def f(x): return x")]
    assert kept(records) == (records[:2], {"exact": 1})


def test_a_renamed_program_goes_as_normalised():
    records = [
        record("def f(x): return x + 1"),
        record("def f(yy):\n    return yy + 1  # one more"),
    ]
    assert kept(records) == (records[:1], {"normalised": 1})


def test_the_function_that_is_asked_for_keeps_its_name():
    records = [record("def f(x): return x"), record("def g(x): return x")]
    assert kept(records)[0] == records


def test_one_changed_token_in_a_long_program_is_near_and_in_a_short_one_is_not():
    long = [record(LONG), record(LONG.replace("return a1", "return a2"))]
    assert kept(long) == (long[:1], {"near": 1})
    assert kept(long, 1.0)[0] == long
    short = [record("def f(x): return x + 1"), record("def f(x): return x - 1")]
    assert kept(short)[0] == short


def test_the_problem_in_both_docstrings_does_not_make_two_programs_near():
    docstring = f'    """{THOUGHT}"""\n'
    records = [
        record(f"def f(x):\n{docstring}    return sum(x)"),
        record(f"def f(x):\n{docstring}    return sorted(x)[0] if x else None"),
    ]
    assert kept(records)[0] == records


def test_one_program_may_solve_two_problems():
    records = [record(LONG), record(LONG, problem="Demo/2")]
    assert kept(records)[0] == records
    records[1] = record(LONG.replace("return a1", "return a2"), problem="Demo/2")
    assert kept(records)[0] == records


@pytest.mark.parametrize("second", [LONG, LONG.replace("xs", "ys"), LONG.replace("a1\n", "a2\n")])
def test_a_correct_program_never_goes_for_a_wrong_one(second):
    records = [record(LONG, status=WRONG), record(second)]
    assert kept(records)[0] == records


def test_programs_that_do_different_things_are_not_near():
    other = LONG.replace("return a1", "return a2")
    records = [record(LONG, behaviour="one"), record(other, behaviour="another")]
    assert kept(records)[0] == records


def test_two_thoughts_before_one_program_are_two_examples():
    other = " ".join(f"other{i}" for i in range(300))
    records = [record(LONG, reasoning=THOUGHT), record(LONG, reasoning=other), record(LONG)]
    assert kept(records)[0] == records


def test_two_programs_after_one_long_thought_are_two_examples():
    records = [
        record("def f(x): return x + 1", reasoning=THOUGHT),
        record("def f(x):\n    return sum([x, 1])", reasoning=THOUGHT),
    ]
    assert kept(records)[0] == records


def test_thoughts_and_programs_that_are_both_near_make_a_near_duplicate():
    records = [
        record(LONG, reasoning=THOUGHT),
        record(LONG.replace("a1\n", "a2\n"), reasoning=THOUGHT.replace("word7 ", "word ")),
    ]
    assert kept(records) == (records[:1], {"near": 1})


def test_layout_of_a_thought_does_not_count():
    records = [
        record("def f(x): return x", reasoning="first\n\nthen"),
        record("def f(y): return y", reasoning="first then"),
    ]
    assert kept(records) == (records[:1], {"normalised": 1})


def test_where_there_is_no_program_the_text_is_compared():
    records = [record(text="I cannot."), record(text="I will not."), record(text="I cannot.")]
    assert kept(records) == (records[:2], {"exact": 1})


def test_similarity_at_the_threshold_is_near_and_below_is_not(monkeypatch):
    monkeypatch.setattr(duplicates, "SHINGLE", 1)
    records = [record(text="a b c d"), record(text="a b")]  # 2 of 4 shingles of one token
    assert kept(records, 0.5) == (records[:1], {"near": 1})
    assert kept(records, 0.500001)[0] == records


def grams(text: str, size: int) -> set[tuple[str, ...]]:
    tokens = TOKEN.findall(bare(text))
    return {tuple(tokens[i : i + size]) for i in range(max(1, len(tokens) - size + 1))}


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.7, 0.85, 0.95])
def test_near_duplicates_are_those_that_comparing_all_pairs_finds(threshold):
    draw = random.Random(threshold)
    records = []
    for _ in range(3):
        lines = [f"v{draw.randrange(9)} = h{draw.randrange(9)}(v{i})" for i in range(80)]
        for _ in range(15):
            mutated = list(lines)
            for _ in range(draw.randrange(6)):
                mutated[draw.randrange(80)] = f"v{draw.randrange(9)} = w{draw.randrange(99)}"
            records.append(record("\n".join(mutated), behaviour=""))
    draw.shuffle(records)
    distinct, _ = kept(records, 1.0)
    expected, sets = [], []
    for one in distinct:
        mine = grams(one.program, 5)
        if all(len(mine & other) / len(mine | other) < threshold for other in sets):
            expected.append(one)
            sets.append(mine)
    found, counts = kept(records, threshold)
    assert found == expected
    assert counts["near"] == len(distinct) - len(expected) > 0


def test_doing_it_twice_changes_nothing():
    draw = random.Random(0)
    programs = [
        LONG.replace("a1\n", f"a{i}\n").replace("g3(", f"g{j}(") for i in "1234" for j in "35"
    ]
    records = [record(draw.choice([*programs, *HOSTILE])) for _ in range(60)]
    once, counts = kept(records)
    assert sum(counts.values()) + len(once) == 60
    assert kept(once) == (once, {})


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_hostile_texts_are_compared_like_any_others(text):
    records = [record(text), record(text), record("y = 1", reasoning=text), record(text=text)]
    result, counts = kept(records)
    assert result[0] is records[0]
    assert counts["exact"] >= 1


def test_every_process_keeps_the_same_records(tmp_path):
    programs = [LONG.replace("g3(", f"g{i}(").replace("g9(", f"h{i}(") for i in range(40)]
    file = written([record(program) for program in programs], tmp_path / "records.jsonl")
    code = (
        "import sys; from collections import Counter\n"
        "from hm_tasks.curation.candidate import Candidate\n"
        "from hm_tasks.curation.duplicates import *\n"
        "lines = map(Candidate.read, open(sys.argv[1]))\n"
        "for r in deduplicate(lines, 0.8, Counter()): print(r.id)\n"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code, file],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert 0 < len(outputs[0].split()) < 40


def test_records_are_read_one_at_a_time():
    taken = []
    records = (taken.append(i) or record(f"x = {i}") for i in range(10))
    stream = deduplicate(records, THRESHOLD, Counter())
    next(stream)
    assert taken == [0]
