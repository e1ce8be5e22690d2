"""Runs whose endpoints repeat the key in every answer: it stands in nothing that is written or said."""

import base64
import json
import sys
from pathlib import Path

import lm_eval
import pytest
from lm_eval.__main__ import cli_evaluate
from lm_eval.api.registry import get_model
from lm_eval.loggers import EvaluationTracker

from hm_metrics.judgment import Judgment
from hm_metrics.logs.labelled import read_labelled
from hm_tasks.judges.unscored import write_log
from tests.entry_points import run
from tests.models.endpoints.endpoint import Endpoint, reply
from tests.models.endpoints.odd_answers import ODD, odd
from tests.tasks.code_passk.benchmarks import load
from tests.tasks.sorry_bench.judge_some import verdict
from tests.tasks.sorry_bench.made_up import request, write_set

ROOT = Path(__file__).parents[3]
KEY, PASSWORD, QUERY = "sk-test-SECRET-9f8e7d", "hunter22!", "queryKEY123"
SECRETS = (KEY, PASSWORD, QUERY, "hunter22", "me:hunter", "api_key=sk")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SORRY_BENCH_PATH", str(write_set(tmp_path / "set", per_category=1)))
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return tmp_path


def private(server: Endpoint) -> str:
    return f"http://me:hunter22%21@{server.url.removeprefix('http://')}?key={QUERY}"


def talkative(text: str) -> str:
    return f"{KEY} {PASSWORD} {QUERY}\n{verdict(text)}"


def written_below(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def assert_public(text: str) -> None:
    assert not [secret for secret in SECRETS if secret.lower() in text.lower()], text


def assert_nothing_secret_is_kept(folder: Path, url: str) -> None:
    (results,) = (folder / "out").rglob("results_*.json")
    found = json.loads(results.read_text())
    assert found["configs"]["sorry_bench"]["metadata"]["judge_base_url"] == url
    assert found["config"]["model_args"] == {"base_url": url, "api_key": "***"}
    files = written_below(folder / "out") | written_below(folder / "cache")
    assert any("judgments.sqlite" in name for name in files)
    for content in files.values():
        assert_public(content.decode("utf-8", "replace"))


class Talkative(get_model("dummy")):
    """A model at an endpoint that repeats the key; the harness takes such to be multimodal."""

    MULTIMODAL = True

    def __init__(self, base_url, api_key, **_):
        super().__init__()

    def generate_until(self, requests, disable_tqdm=False):
        return [f"{KEY} Bob {number}." for number in range(len(requests))]


@pytest.mark.usefixtures("our_tasks_alone")
def test_results_samples_and_stores_of_a_run_hold_no_secret(folder, monkeypatch):
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)  # takes seconds
    with Endpoint(chat=talkative) as server:
        url = server.url
        metadata = {"judge": "m", "judge_base_url": private(server)}
        arguments = {"base_url": private(server), "api_key": KEY}
        tracker = EvaluationTracker(output_path=str(folder / "out"))
        found = lm_eval.simple_evaluate(
            Talkative(**arguments),
            model_args=arguments,
            tasks=[load("sorry_bench", **metadata)],
            limit=6,
            log_samples=True,
            evaluation_tracker=tracker,
            bootstrap_iters=10,
        )
        tracker.save_results_aggregated(found, found["samples"])
        tracker.save_results_samples("sorry_bench", found["samples"]["sorry_bench"])
    assert arguments["api_key"] == KEY, "the caller's own arguments stay as they are"
    assert "*** Bob 0." in str(found["samples"])
    (log,) = (folder / "out").rglob("samples_*.jsonl")
    assert [item.score for item in read_labelled(log)] == [1] * 6
    assert_nothing_secret_is_kept(folder, url)


@pytest.mark.usefixtures("our_tasks_alone")
def test_the_screen_of_the_command_line_holds_no_secret(folder, capsys, monkeypatch):
    with Endpoint(chat=talkative) as server:
        metadata = json.dumps({"judge": "m", "judge_base_url": private(server)})
        words = ["lm-eval", "run", "--model", "dummy", "--tasks", "sorry_bench", "--limit", "6"]
        words += ["--model_args", f"base_url={private(server)},api_key={KEY}", "--show_config"]
        words += ["--log_samples", "--output_path", str(folder / "out"), "--metadata", metadata]
        monkeypatch.setattr(sys, "argv", words)
        cli_evaluate()
        url = server.url
    said = capsys.readouterr()
    assert_public(said.out + said.err)
    assert "HTTP Request" not in said.err
    assert_nothing_secret_is_kept(folder, url)


def hm_judge(folder: Path, server: Endpoint) -> tuple[str, list[dict]]:
    judged = []
    for number in range(2 * len(ODD)):
        doc = {"question_id": number, "category": "01 A", "prompt_style": "base"}
        doc["request"] = request(number)
        judged.append((doc, doc["request"], [f"Bob {number}."], [Judgment(1, "asked")]))
    log = folder / "model" / "samples_sorry_bench_x.jsonl"
    write_log(judged, log)
    done = run("hm-judge", log, "--judge", "m", "--judge_base_url", private(server))
    assert done.returncode == 1, "half of the answers have no score"
    output = log.with_name(f"{log.stem}_judged_by_m.jsonl")
    return done.stdout + done.stderr, list(map(json.loads, output.read_text().splitlines()))


def test_hm_judge_scores_what_it_can_names_the_rest_and_says_no_secret(folder):
    def fault(number: int):
        text = server.requests[number]["messages"][-1]["content"]
        number = int(text.partition("> Bob ")[2].partition(".")[0])
        return odd(number // 2) if number % 2 else None

    with Endpoint(chat=talkative, faults=fault) as server:
        said, lines = hm_judge(folder, server)
    judgments = [line["judgment"] for line in lines]
    assert [one["score"] for one in judgments[::2]] == [1] * len(ODD)
    assert all(one["unscored"] == "api_error" and one["words"] for one in judgments[1::2])
    assert "24 answers have no verdict (unusable answer). The endpoint's answer cannot" in said
    assert "HTTP Request" not in said
    assert "Traceback" not in said
    assert_public(said)
    for content in written_below(folder).values():
        assert_public(content.decode("utf-8", "replace"))


def test_an_endpoint_that_repeats_the_header_in_its_error_is_not_quoted_with_it(folder):
    def echo(handler, right):
        header = handler.headers["Authorization"]
        words = f"{header} {header[:-4]} {header.upper()} {' '.join(header)} {KEY!r} {QUERY}"
        reply({"error": {"message": words, "code": KEY}})(handler, right)

    with Endpoint(faults=lambda number: echo) as server:
        said, lines = hm_judge(folder, server)
    basic = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    everything = said + json.dumps(lines)
    assert_public(everything)
    assert "with an error:" in everything
    assert basic[4:16] not in everything
