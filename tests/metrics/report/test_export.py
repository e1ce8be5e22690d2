"""Exports say what the report says, by names that others can look up, and their own readers take them."""

import json
import os
import re
import subprocess
from functools import partial
from pathlib import Path

import pytest

from hm_metrics.report.build import Report, ReportSettings, build
from hm_metrics.report.export.identity import ExportError
from tests.entry_points import run
from tests.metrics.report.made_runs import CODE, REFUSALS, code, foreign, merge, refusals, write_run

# Pythons of environments that have `every-eval-ever` (3.12 and above), `inspect-ai`.
EEE, INSPECT = (os.environ.get(name) for name in ("HM_EEE_PYTHON", "HM_INSPECT_PYTHON"))
KNOWN = {"base_identity": "b", "instruct_identity": "i"}
hm_report = partial(run, "hm-report")


def export(folder: Path, output: Path, *kinds: str, **more) -> Report:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hm_metrics.report.pictures.draw", lambda *_: [])
        settings = {"embedder": "none", "quiet": True, "developer": "My Lab"} | more
        return build(ReportSettings([folder], output, exports=kinds, **settings))


@pytest.fixture
def runs(tmp_path):
    """A pair of the hub at three alphas, one beyond, and another model with a task of its own."""
    for alpha in (0.7, 1.0, 1.3):
        tasks = {CODE: code(["++", "+-", "--"]), REFUSALS: refusals([1, 0, None])}
        config = merge(alpha, "org/B", "org/I", **KNOWN) | {"backend": "hf"}
        config["versions"] = {"lm_eval": "0.4.13", "transformers": "5.1", "vllm": None}
        write_run(tmp_path / "runs" / f"{alpha}", config, tasks, date=1.7e9)
    other = {"model": "hf", "model_args": "pretrained=meta/Llama"}
    write_run(tmp_path / "runs" / "other", other, {"sums": foreign([1, 0])}, date=1.7e9)
    return tmp_path / "runs"


def records(folder: Path) -> dict[tuple[str, str], dict]:
    found = [json.loads(file.read_text()) for file in folder.rglob("*.json")]
    return {
        (r["model_info"]["id"], r["evaluation_results"][0]["evaluation_name"]): r for r in found
    }


# --- Every Eval Ever -------------------------------------------------------------------------------


def test_a_record_for_each_row_and_task_lies_where_its_datastore_looks(runs, tmp_path):
    report = export(runs, tmp_path / "out", "eee")
    files = [file for file in report.files if "eee" in file.parts]
    assert len(files) == 7
    for file in files:
        place = file.relative_to(tmp_path / "out" / "eee")
        data, task, developer, model, name = place.parts
        record = json.loads(file.read_text())
        assert data == "data"
        assert record["model_info"]["id"] == f"{developer}/{model}"
        assert {r["evaluation_name"] for r in record["evaluation_results"]} == {task}
        assert re.fullmatch(
            r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-\w{12}.json", name
        )


def test_models_of_the_hub_keep_their_names_and_merges_get_the_stated_developer(runs, tmp_path):
    export(runs, tmp_path / "out", "eee")
    found = records(tmp_path / "out")
    assert {model for model, _ in found} == {
        "My-Lab/B-I-alpha-0.7",
        "My-Lab/B-I-alpha-1.3-extrapolated",
        "org/I",
        "meta/Llama",
    }
    relations = {
        model: record["source_metadata"]["evaluator_relationship"]
        for (model, _), record in found.items()
    }
    assert relations["org/I"] == "third_party"
    assert relations["My-Lab/B-I-alpha-0.7"] == "first_party"
    details = found["My-Lab/B-I-alpha-1.3-extrapolated", CODE]["model_info"]["additional_details"]
    assert (details["base"], details["alpha"], details["extrapolated"]) == ("org/B", "1.3", "true")
    assert all(isinstance(value, str) for value in details.values())


def test_a_record_has_the_numbers_of_the_report_with_their_errors_and_protocol(runs, tmp_path):
    export(runs, tmp_path / "out", "eee")
    record = records(tmp_path / "out")["My-Lab/B-I-alpha-0.7", CODE]
    assert record["eval_library"] == {"name": "lm_eval", "version": "0.4.13"}
    assert record["model_info"]["inference_engine"] == {"name": "transformers", "version": "5.1"}
    found = {r["metric_config"]["metric_id"]: r for r in record["evaluation_results"]}
    assert "unscored" not in found, "a count of the run is no score of the model"
    one = found["pass@1"]
    assert one["score_details"]["score"] == pytest.approx((1 + 0.5 + 0) / 3)
    uncertainty = one["score_details"]["uncertainty"]
    assert uncertainty["num_samples"] == 3
    assert uncertainty["standard_error"]["value"] == pytest.approx(0.28868, abs=1e-4)
    assert uncertainty["confidence_interval"]["lower"] < 0.5
    assert one["metric_config"]["metric_parameters"] == {"k": 1}
    assert one["metric_config"]["lower_is_better"] is False
    assert one["generation_config"]["generation_args"] == {"temperature": 0.7}
    assert one["generation_config"]["additional_details"]["samples a question"] == "2"
    (judged,) = records(tmp_path / "out")["org/I", REFUSALS]["evaluation_results"]
    assert judged["metric_config"]["lower_is_better"] is True
    assert judged["metric_config"]["llm_scoring"]["judges"][0]["model_info"]["id"] == "gpt-4.1-mini"


def test_an_export_that_is_made_again_replaces_its_files(runs, tmp_path):
    first = export(runs, tmp_path / "out", "eee", "inspect").files
    assert export(runs, tmp_path / "out", "eee", "inspect").files == first


def test_no_path_of_this_machine_is_in_an_export(tmp_path):
    run = merge(0.7, "/home/somebody/secret-run/B", "/home/somebody/I")
    run["model_args"] = {"tokenizer": "/home/somebody/T", "backend": "hf"}
    write_run(tmp_path / "runs", run, {CODE: code(["+-"])})
    report = export(tmp_path / "runs", tmp_path / "out", "eee", "inspect")
    made = [file.read_text() for file in report.files if {"eee", "inspect"} & set(file.parts)]
    assert len(made) == 2
    assert not [text for text in made if "somebody" in text or "secret-run" in text]


def test_a_merge_without_a_developer_is_refused_before_anything_is_written(runs, tmp_path):
    for developer, said in (("", "Give --developer NAME"), ("/", "has no letter or digit")):
        with pytest.raises(ExportError, match=said):
            export(runs, tmp_path / "out", "eee", developer=developer)
    assert not (tmp_path / "out").exists()
    done = hm_report(runs, "--output_path", tmp_path / "out", "--export", "eee", "--quiet")
    assert done.returncode == 2
    assert "B → I: alpha=0.7 is no model of the hub" in done.stderr


def test_models_of_the_hub_alone_need_no_developer(tmp_path):
    other = {"model": "hf", "model_args": "pretrained=meta/Llama"}
    write_run(tmp_path / "runs", other, {"sums": foreign([1, 0])})
    export(tmp_path / "runs", tmp_path / "out", "eee", developer="")
    assert list(records(tmp_path / "out")) == [("meta/Llama", "sums")]


@pytest.mark.skipif(not EEE, reason="HM_EEE_PYTHON names no Python that has every-eval-ever")
def test_every_eval_ever_s_own_validator_takes_every_record(runs, tmp_path):
    report = export(runs, tmp_path / "out", "eee")
    files = [f.relative_to(tmp_path / "out/eee") for f in report.files if "eee" in f.parts]
    command = [EEE, "-m", "every_eval_ever", "validate", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path / "out" / "eee")
    assert done.returncode == 0, done.stdout
    assert f"{len(files)} passed, 0 warning-only, 0 failed" in done.stdout


# --- Inspect ---------------------------------------------------------------------------------------


def samples_of(folder: Path, model: str, task: str) -> list[dict]:
    logs = [json.loads(file.read_text()) for file in folder.rglob("*.json")]
    (log,) = [x for x in logs if (x["eval"]["model"], x["eval"]["task"]) == (model, task)]
    return log["samples"]


def test_each_sample_is_an_epoch_with_its_program_and_verdict(runs, tmp_path):
    export(runs, tmp_path / "out", "inspect")
    found = samples_of(tmp_path / "out" / "inspect", "My-Lab/B-I-alpha-0.7", CODE)
    assert [(s["id"], s["epoch"]) for s in found] == [
        (f"Mbpp/{question}", epoch) for question in range(3) for epoch in (1, 2)
    ]
    scores = [s["scores"].get("tests", {}).get("value") for s in found]
    assert scores == ["C", "C", "C", "I", "I", "I"]
    assert found[0]["messages"][0] == {"role": "user", "content": "rendered 0"}
    assert found[0]["scores"]["tests"]["answer"].endswith("+ 0 + 0")


def test_a_sample_without_a_verdict_has_no_score_and_says_why(tmp_path):
    write_run(tmp_path / "runs", merge(0.7), {CODE: code(["+?"])})
    export(tmp_path / "runs", tmp_path / "out", "inspect")
    scored, unscored = samples_of(tmp_path / "out" / "inspect", "My-Lab/B-I-alpha-0.7", CODE)
    assert set(scored["scores"]) == {"tests"}
    assert unscored["scores"] == {}
    assert unscored["metadata"]["unscored"] == "it failed"


def test_requests_that_may_not_be_passed_on_stay_out_unless_asked_for(runs, tmp_path):
    export(runs, tmp_path / "without", "inspect")
    export(runs, tmp_path / "with", "inspect", with_requests=True)
    texts = {
        name: "".join(f.read_text() for f in (tmp_path / name / "inspect").glob("*.json"))
        for name in ("without", "with")
    }
    assert "SECRET" not in texts["without"]
    assert "SECRET answer 0" in texts["with"]
    scores = [
        sample["scores"]
        for sample in samples_of(tmp_path / "without" / "inspect", "org/I", REFUSALS)
    ]
    assert scores == [{"fulfillment_rate": {"value": 1}}, {"fulfillment_rate": {"value": 0}}, {}]


@pytest.mark.skipif(not INSPECT, reason="HM_INSPECT_PYTHON names no Python that has inspect-ai")
def test_inspect_s_own_reader_takes_every_log(runs, tmp_path):
    odd = code(["+?"] * 3, program="def f(x):\n    return '\x00 \u2028 \U0001f600'")
    write_run(runs / "odd", merge(0.3, "org/B", "org/I", **KNOWN), {CODE: odd})
    export(runs, tmp_path / "out", "inspect", with_requests=True)
    reader = Path(__file__).with_name("read_by_inspect.py")
    command = [INSPECT, str(reader), str(tmp_path / "out" / "inspect")]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": ""}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = {(log["model"], log["task"]): log for log in json.loads(done.stdout)}
    assert len(found) == 8
    log = found["My-Lab/B-I-alpha-0.7", CODE]
    assert log["metrics"]["pass@1"] == pytest.approx(0.5)
    assert log["metrics"]["pass@1_stderr"] == pytest.approx(0.28868, abs=1e-4)
    assert [s["scores"] for s in log["samples"]] == [
        *[{"tests": "C"}] * 3,
        *[{"tests": "I"}] * 3,
    ]
    assert found["My-Lab/B-I-alpha-0.3", CODE]["samples"][1]["scores"] == {}
    assert log["samples"][0]["said"] == log["samples"][0]["last"] != ""
    assert found["meta/Llama", "sums"]["samples"][0]["input"] == "Q: 0"
