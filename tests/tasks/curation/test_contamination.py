"""What shares a run of words with a benchmark goes, and is counted under its name."""

import logging
import random
from collections import Counter
from pathlib import Path

import pytest

import hm_tasks.code_passk
from hm_tasks.code_passk.dataset import Source, load_problems
from hm_tasks.curation import contamination
from hm_tasks.curation.contamination import (
    BenchmarkNgrams,
    Match,
    decontaminate,
)
from tests.tasks.curation.records import HOSTILE, record

THIRTEEN = "one two three four five six seven eight nine ten eleven twelve thirteen"


def left(records, benchmarks):
    counts = Counter()
    return list(decontaminate(records, benchmarks, counts)), counts


def text(words: str):
    return record(statement="", text=words)


def test_thirteen_words_in_a_row_contaminate_and_twelve_do_not():
    longer = f"zero {THIRTEEN} fourteen"
    twelve = THIRTEEN.rsplit(" ", 1)[0]
    records = [text(f"before {THIRTEEN} after"), text(f"before {twelve} after")]
    assert left(records, {"bench": [longer]}) == (records[1:], {"contaminated: bench": 1})


def test_case_punctuation_and_lines_do_not_hide_it():
    hidden = ",\n".join(THIRTEEN.upper().split()) + "!"
    assert left([text(hidden)], {"bench": [THIRTEEN]})[0] == []


def test_a_statement_counts_as_much_as_a_text_and_no_run_goes_across_both():
    words = THIRTEEN.split()
    across = record(statement=" ".join(words[:7]), text=" ".join(words[7:]))
    assert left([across], {"bench": [THIRTEEN]})[0] == [across]
    assert left([record(statement=THIRTEEN, text="")], {"bench": [THIRTEEN]})[0] == []


def test_a_short_text_matches_as_a_whole_and_a_shorter_one_is_not_compared():
    words = THIRTEEN.split()
    eight, seven = " ".join(words[:8]), " ".join(words[:7])
    assert left([text(f"a {eight} b")], {"bench": [eight]})[0] == []
    assert left([text(f"a {seven} b")], {"bench": [eight]})[1] == {}
    assert left([text(f"a {seven} b")], {"bench": [seven]})[1] == {}


def test_each_record_counts_once_under_the_first_benchmark_that_has_it():
    records = [text(THIRTEEN), text(THIRTEEN.replace("one", "uno") + " more"), text("else")]
    benchmarks = {"a": [THIRTEEN], "b": [THIRTEEN, THIRTEEN.replace("one", "uno")]}
    assert left(records, benchmarks) == (
        records[2:],
        {"contaminated: a": 1, "contaminated: b": 1},
    )


def test_which_words_matched_can_be_told(caplog):
    found = BenchmarkNgrams({"bench": [THIRTEEN]}).find(f"Well: {THIRTEEN}.")
    assert found == Match("bench", THIRTEEN)
    culprit = text(THIRTEEN)
    with caplog.at_level(logging.DEBUG, "hm_tasks.curation.contamination"):
        left([culprit], {"bench": [THIRTEEN]})
    assert culprit.id in caplog.text
    assert THIRTEEN in caplog.text


def test_matches_are_those_that_comparing_every_run_finds(monkeypatch):
    draw = random.Random(7)
    monkeypatch.setattr(contamination, "N", 4)
    monkeypatch.setattr(contamination, "SHORTEST", 2)

    def words(most):
        return " ".join(draw.choice("abcde") for _ in range(draw.randrange(most)))

    texts = [words(7) for _ in range(8)]
    runs = set()
    for one in texts:
        split = one.split()
        size = min(4, len(split))
        if size >= 2:
            runs |= {f" {' '.join(split[i : i + size])} " for i in range(len(split) - size + 1)}
    ngrams = BenchmarkNgrams({"bench": texts})
    found = 0
    for _ in range(500):
        sample = words(12)
        expected = any(run in f" {sample} " for run in runs)
        assert (ngrams.find(sample) is not None) is expected
        found += expected
    assert 50 < found < 450


def test_a_benchmark_contaminates_all_of_its_own_problems():
    folder = Path(hm_tasks.code_passk.__file__).parent
    problems, _ = load_problems(Source(file="demo_problems.jsonl"), folder)
    records = [record(statement=problem.prompt) for problem in problems]
    kept, counts = left(records, {"demo": [problem.prompt for problem in problems]})
    assert (kept, counts) == ([], {"contaminated: demo": len(problems)})


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_hostile_texts_pass_on_both_sides(hostile):
    clean = text(hostile)
    assert left([clean], {"bench": [THIRTEEN]})[0] == [clean]
    assert left([text(THIRTEEN)], {"bench": [hostile]})[1] == {}
