"""hm-judge: other judges over logged answers, judges against people and against each other."""

import csv
import gzip
import json

import pytest

from hm_metrics.judgment import Judgment
from hm_tasks.judges.unscored import write_log
from tests.entry_points import run
from tests.models.endpoints.endpoint import Endpoint, say
from tests.tasks.sorry_bench.judge_some import verdict
from tests.tasks.sorry_bench.made_up import request, write_set

N = 24


@pytest.fixture
def log(tmp_path, monkeypatch):
    """A log of two categories: every third answer declines, and the log's judge always says 1."""
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SORRY_BENCH_PATH", str(write_set(tmp_path / "set")))
    judged = []
    for number in range(1, N + 1):
        doc = {
            "question_id": number,
            "category": "01 A" if number <= N // 2 else "02 B",
            "prompt_style": "base",
            "request": request(number),
        }
        answer = f"Sorry ({number})." if number % 3 == 0 else f"Bob {number}."
        judged.append((doc, request(number), [answer], [Judgment(1, "asked")]))
    file = tmp_path / "model" / "samples_sorry_bench_x.jsonl"
    write_log(judged, file)
    return file


def hm_judge(*words, code=0):
    done = run("hm-judge", *words)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_without_a_judge_the_logs_verdicts_make_the_table_and_nobody_is_asked(log, tmp_path):
    said = hm_judge(log, "--table", tmp_path / "rates.csv")
    assert "| 01 A | 1.00 |" in said
    assert "| all | 1.000 ± 0.000 |" in said
    rows = list(csv.DictReader((tmp_path / "rates.csv").open()))
    assert [(row["log"], row["category"], row["scored"]) for row in rows] == [
        ("model", "01 A", "12"),
        ("model", "02 B", "12"),
        ("model", "all", "24"),
    ]


def test_another_judge_is_asked_once_and_its_file_holds_no_text_of_the_data_set(log):
    with Endpoint(chat=verdict) as server:
        words = (log, "--judge", "org/a-judge", "--judge_base_url", server.url)
        assert "| all | 0.667 ± 0.098 |" in hm_judge(*words)
        hm_judge(*words)
        assert len(server.requests) == N
    written = log.with_name(f"{log.stem}_judged_by_org_a-judge.jsonl").read_text()
    assert len(written.splitlines()) == N
    assert "Make up" not in written
    assert "Bob" not in written


def test_a_packed_log_has_its_verdicts_under_the_same_name(log):
    packed = log.with_name(f"{log.name}.gz")
    packed.write_bytes(gzip.compress(log.read_bytes()))
    hm_judge(packed, "--judge", "keyword", "--quiet")
    assert log.with_name(f"{log.stem}_judged_by_keyword.jsonl").exists()


def test_a_share_that_cannot_be_is_refused_before_anything_is_read(log):
    assert "max_unscored=2.0: expected a number from 0 to 1" in hm_judge(
        log, "--max_unscored", "2", code=2
    )


def test_two_judges_are_compared_with_kappa_and_the_most_disputed_categories(log):
    with Endpoint(chat=verdict) as server:
        hm_judge(log, "--judge", "a", "--judge_base_url", server.url)
    said = hm_judge(log, "--agreement", log.with_name(f"{log.stem}_judged_by_a.jsonl"))
    assert f"{N} answers, accuracy 0.667, Cohen's kappa 0.000" in said
    assert "| fulfilment | 8 | 16 |" in said
    assert "| 01 A | 4 | 12 |" in said


def test_a_judge_is_compared_with_people_whose_answers_it_judges(log, tmp_path):
    human = tmp_path / "human.jsonl"
    lines = [
        {
            "question_id": number,
            "prompt_style": "base",
            "model_id": "m",
            "choices": [{"turns": [f"Sorry ({number})." if number % 3 == 0 else f"Bob {number}."]}],
            # People disagree with the judge on the first, and one label is no label.
            "human_score": 0.0 if number == 1 else 0.5 if number == 2 else float(number % 3 != 0),
        }
        for number in range(1, N + 1)
    ]
    human.write_text("\n".join(map(json.dumps, lines)))
    with Endpoint(chat=verdict) as server:
        words = ("--agreement", human, "--judge", "a", "--judge_base_url", server.url)
        said = hm_judge(*words)
        assert request(1) in json.dumps(server.requests), "the request comes from the data set"
    assert f"{N - 1} answers, accuracy 0.957" in said
    assert "| 01 Personal Insulting Words | 1 | 9 |" in said
    assert "left out, for want of one of the two scores: 1" in said


def test_the_exit_code_is_1_where_too_many_have_no_score_and_what_there_is_is_written(log):
    with Endpoint(chat=verdict, faults=lambda n: say("#thescore: 1", "length")) as server:
        said = hm_judge(log, "--judge", "a", "--judge_base_url", server.url, code=1)
    assert f"{N} of {N} answers have no score (truncated {N})" in said
    assert log.with_name(f"{log.stem}_judged_by_a.jsonl").exists()


def test_the_keyword_judges_numbers_are_named_unfaithful(log):
    assert "unfaithful" in hm_judge(log, "--judge", "keyword")


def test_what_cannot_be_read_is_refused_with_a_sentence(log, tmp_path):
    assert "Name SAMPLES" in hm_judge(code=2)
    assert "cannot be read" in hm_judge(tmp_path / "none.jsonl", code=2)
    (tmp_path / "other.jsonl").write_text('{"a": 1}\n')
    assert "line 1: neither" in hm_judge(tmp_path / "other.jsonl", code=2)
