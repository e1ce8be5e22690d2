"""Several judges in one run: the majority, their agreement in results and report, and bad lists."""

import json

import pytest
from lm_eval.evaluator import evaluate

from hm_metrics.judgment import Judgment
from hm_metrics.report.build import ReportSettings, build
from hm_models.settings import ProtocolError
from hm_tasks.judges.panel import majority
from tests.metrics.report.made_runs import merge, write_run
from tests.models.endpoints.endpoint import Endpoint
from tests.tasks.code_passk.benchmarks import load
from tests.tasks.xstest.made_up import write_set
from tests.tasks.xstest.test_task import Scripted, verdict


def vote(score, by="asked"):
    return Judgment(score, by, "" if score is not None else "truncated", calls=1, tokens_in=10)


@pytest.mark.parametrize(
    ("scores", "score", "reason"),
    [
        ((1, 1, 0), 1, ""),
        ((2, 0, 2), 2, ""),
        ((1, None, None), 1, ""),
        ((1, 0), None, "tie"),
        ((1, 0, None), None, "tie"),
        ((0, 1, 2), None, "tie"),
        ((None, None), None, "truncated"),
        ((1,), 1, ""),
    ],
)
def test_most_votes_win_equal_ones_are_unscored_and_who_is_unscored_casts_none(
    scores, score, reason
):
    found = majority({f"judge {n}": vote(s) for n, s in enumerate(scores)})
    assert (found.score, found.unscored) == (score, reason)
    assert (found.calls, found.tokens_in) == (len(scores), 10 * len(scores))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XSTEST_PATH", str(write_set(tmp_path / "xstest_prompts.csv")))
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "cache"))
    return tmp_path


def xstest(**metadata):
    return load("xstest", dataset_sha256=None, diversity=[], **metadata)


def strict(question):
    """A judge who takes partial refusals for full ones."""
    return verdict(question).replace("partial_refusal", "full_refusal")


def test_the_results_are_by_the_majority_and_say_how_the_judges_agree(folder):
    with (
        Endpoint(chat=verdict) as one,
        Endpoint(chat=verdict) as two,
        Endpoint(chat=strict) as other,
    ):
        judges = [
            {"judge": name, "judge_base_url": server.url}
            for name, server in (("a", one), ("b", two), ("c", other))
        ]
        task = xstest(judges=judges)
        found = evaluate(Scripted(), {"xstest": task}, bootstrap_iters=10)
        assert [len(server.requests) for server in (one, two, other)] == [16] * 3
    numbers = found["results"]["xstest"]
    metadata = found["configs"]["xstest"]["metadata"]
    assert numbers["over_refusal_rate,scored"] == 0.3
    assert numbers["over_refusal_rate_full,scored"] == 0.1, "as two of three say"
    assert numbers["judge_calls,scored"] == 48
    assert numbers["unscored_tie,scored"] == 0
    rates = metadata["judges_found"]["rates"]
    assert rates["a"]["over_refusal_rate_full"] == 0.1
    assert rates["c"]["over_refusal_rate_full"] == 0.3
    pairs = {(p["first"], p["second"]): p for p in metadata["judges_found"]["agreement"]}
    assert pairs["a", "b"]["kappa"] == 1.0
    assert pairs["a", "c"]["accuracy"] == pytest.approx(13 / 16)
    assert pairs["a", "c"]["kappa_low"] < pairs["a", "c"]["kappa"] < pairs["a", "c"]["kappa_high"]
    assert metadata["judging"]["judge"] == "majority of a, b, c"
    assert [one["judge"] for one in metadata["judges_asked"]] == ["a", "b", "c"]
    record = found["samples"]["xstest"][5]["filtered_resps"][0][0]
    assert (record["score"], record["words"]) == (2, "a 2, b 2, c 0")


def test_two_judges_who_differ_leave_an_answer_unscored(folder):
    with Endpoint(chat=verdict) as one, Endpoint(chat=strict) as other:
        judges = [{"judge": n, "judge_base_url": s.url} for n, s in (("a", one), ("c", other))]
        task = xstest(judges=judges, max_unscored=0.5)
        found = evaluate(Scripted(), {"xstest": task}, bootstrap_iters=10)["results"]["xstest"]
    assert found["unscored,scored"] == found["unscored_tie,scored"] == 3


def test_the_report_shows_agreement_and_rates_by_judge(folder):
    found = {
        "rates": {"a": {"over_refusal_rate": 0.25, "over_refusal_rate_low": 0.2}},
        "agreement": [
            {
                **{"first": "a", "second": "b", "n": 16, "accuracy": 0.8125},
                **{"kappa": 0.7, "kappa_low": 0.4, "kappa_high": 0.9876},
            },
            {**{"first": "a", "second": "c", "n": 16, "accuracy": 1.0}, "kappa": None},
        ],
    }
    task = {
        "results": {"over_refusal_rate,scored": 0.3},
        "config": {"metadata": {"judges_found": found}},
        "better": {"over_refusal_rate": False},
        "lines": [],
    }
    write_run(folder / "run", merge(0.5), {"xstest": task})
    build(ReportSettings([folder / "run"], folder / "report", quiet=True))
    page = (folder / "report" / "report.html").read_text()
    for words in ("Agreement of judges", "a and b", "0.700 [0.400, 0.988]", "not defined", "0.250"):
        assert words in page
    assert "over_refusal_rate_low" not in json.dumps(page.partition("Rates by judge")[2][:400])


@pytest.mark.parametrize(
    ("judges", "sentence"),
    [
        ([], "judges=.*: expected a list of names"),
        ("a", "judges='a': expected a list of names"),
        ([3], "judges: 3 is neither a name nor a mapping"),
        ([{"judge_base_url": "http://x/v1"}], "is neither a name nor a mapping with judge"),
        ([{"judge": "a", "temperature": 1}], "is neither a name nor a mapping"),
        (["a", "a"], "judges: a is there twice"),
        (["preset:qwen3guard", "qwen3guard"], "judges: qwen3guard is there twice"),
        (["a", "keyword"], "keyword votes on nothing"),
    ],
)
def test_a_list_that_cannot_be_is_refused_before_a_model_is_loaded(folder, judges, sentence):
    with pytest.raises(ProtocolError, match=sentence):
        xstest(judges=judges, judge_base_url="http://localhost:1/v1")
