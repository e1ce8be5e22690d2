"""What a user types: `lm_eval run --model hm-merged ...`, with the real pair, on both backends."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

LM_EVAL = Path(sys.executable).with_name("lm_eval")
BACKENDS = {
    # A small cache: the default of 40 % of the memory takes longer to touch than the test.
    "vllm": ["max_model_len=1024", "enforce_eager=true", f"kv_cache_memory_bytes={2**29}"],
    "hf": ["backend=hf"],
}


def lm_eval(folder: Path, pair: Path, *arguments: str, **options: str):
    model_args = {"base": f"{pair}/base", "instruct": f"{pair}/instruct", "alpha": "0.7"} | options
    command = [LM_EVAL, "run", "--model", "hm-merged", "--model_args"]
    command += [f"{key}={value}" for key, value in model_args.items()]
    command += ["--tasks", "demo_passk", "--limit", "2", "--confirm_run_unsafe_code"]
    command += ["--log_samples", "--output_path", "out", *arguments]
    environment = os.environ | {"HM_CACHE": str(folder / "cache")}
    return subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.mark.engine
@pytest.mark.parametrize("backend", BACKENDS)
def test_one_command_gives_scored_samples_and_the_whole_protocol(backend, demo_pair, tmp_path):
    if backend == "vllm" and find_spec("vllm") is None:
        pytest.skip("vLLM is not installed")
    options = dict(option.split("=") for option in BACKENDS[backend])
    metadata = '{"n_samples": 3, "k": [1, 3]}'
    limits = ["--metadata", metadata, "--gen_kwargs", "max_gen_toks=48", "--batch_size", "3"]
    done = lm_eval(tmp_path, demo_pair, *limits, **options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]

    folder = tmp_path / "out" / "base--instruct--alpha0.7"
    (results_file,) = folder.glob("results_*.json")
    report = json.loads(results_file.read_text())
    results = report["results"]["demo_passk"]
    for metric in ("pass@1", "pass@3", "base_pass@3", "plus_only_pass@3"):
        assert 0 <= results[f"{metric},scored"] <= 1
        assert isinstance(results[f"{metric}_stderr,scored"], float)
    assert results["n_samples,scored"] == 3
    assert results["generated,scored"] == 6
    assert results["reused,scored"] == results["unscored,scored"] == 0
    assert 0 < results["token_entropy,scored"] < 5
    assert 0 < results["token_surprisal,scored"] < 5
    assert results["token_entropy_bound,scored"] < (1 if backend == "vllm" else 1e-9)

    config = report["config"]
    assert config["backend"] == backend
    assert config["prompt_style"] == "chat"
    assert config["merge"]["alpha"] == 0.7
    assert config["merge"]["weights"] == "streamed"
    assert len(config["merge"]["fingerprint"]) == 64
    assert config["versions"]["mergekit"]
    assert len(report["configs"]["demo_passk"]["metadata"]["dataset_sha256"]) == 64

    (samples_file,) = folder.glob("samples_demo_passk_*.jsonl")
    lines = [json.loads(line) for line in samples_file.read_text().splitlines()]
    assert len(lines) == 2
    for line in lines:
        (texts,), (verdicts,) = line["resps"], line["filtered_resps"]
        assert len(texts) == len(verdicts) == 3
        fields = {"program", "base_status", "plus_status", "reason", "behaviour"}
        assert set(json.loads(verdicts[0])) == fields
        assert "<|im_start|>assistant" in json.dumps(line["arguments"])
    assert not list(tmp_path.rglob("*.safetensors")), "a streamed merge writes no weights"

    results_file.unlink()
    again = lm_eval(tmp_path, demo_pair, *limits, **options)
    assert "Loading weights" not in again.stderr
    assert "EngineCore" not in again.stdout + again.stderr, (
        "nothing was missing, so no engine starts"
    )
    (results_file,) = folder.glob("results_*.json")
    repeated = json.loads(results_file.read_text())["results"]["demo_passk"]
    assert (repeated.pop("generated,scored"), repeated.pop("reused,scored")) == (0, 6)
    assert repeated == {key: results[key] for key in repeated}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"alpha": "1.4"}, "alpha=1.4 lies outside [0, 1]"),
        pytest.param(
            {"base": "/no/such/folder"},
            "/no/such/folder is no checkpoint: there is no such folder",
            marks=pytest.mark.campaign,  # tests/models has every sentence
        ),
        pytest.param(
            {"prompt_style": "poem"},
            "prompt_style='poem' is not known",
            marks=pytest.mark.campaign,
        ),
    ],
)
@pytest.mark.engine
def test_bad_input_ends_with_its_sentence_before_any_weight_is_loaded(
    options, sentence, tiny_pair, tmp_path
):
    done = lm_eval(tmp_path, tiny_pair, backend="hf", **options)
    assert done.returncode != 0
    assert sentence in done.stderr.strip().splitlines()[-1]
    assert "Loading weights" not in done.stderr


@pytest.mark.engine
def test_a_k_above_n_is_an_error_before_anything_is_loaded(tiny_pair, tmp_path):
    done = lm_eval(tmp_path, tiny_pair, "--metadata", '{"n_samples": 5}', backend="hf")
    assert done.returncode != 0
    assert "pass@10 cannot be estimated from n_samples=5" in done.stderr
    assert "Loading weights" not in done.stderr


@pytest.mark.engine
def test_the_table_has_the_headline_and_the_results_have_everything(tiny_pair, tmp_path):
    options = {"backend": "hf", "dtype": "float32"}
    more = ["--gen_kwargs", "max_gen_toks=4"]
    done = lm_eval(tmp_path, tiny_pair, *more, **options)
    assert done.returncode == 0, done.stderr[-4000:]
    lines = done.stdout.splitlines()
    table = [line for line in lines if line.startswith("|")][2:]
    assert 0 < len(table) <= 16
    printed = {line.split("|")[5].strip() for line in table}
    assert {"pass@1", "pass@5", "pass@10", "base_pass@10", "distinct_programs"} <= printed
    (said,) = [line for line in lines if line.startswith("Rows left out: ")]
    (file,) = (tmp_path / "out").rglob("results_*.json")
    numbers = json.loads(file.read_text())["results"]["demo_passk"]
    every = {key for key in numbers if "," in key and "_stderr," not in key}
    assert f": {len(every) - len(table)} of demo_passk." in said
    assert {"plus_only_pass@5,scored", "token_entropy,scored", "reused,scored"} <= every

    again = lm_eval(tmp_path, tiny_pair, *more, "--metadata", '{"table": "all"}', **options)
    lines = again.stdout.splitlines()
    assert len([line for line in lines if line.startswith("|")][2:]) == len(every)
    assert "Rows left out" not in again.stdout


@pytest.mark.engine
def test_without_a_sandbox_programs_need_the_users_word(tmp_path):
    command = [LM_EVAL, "run", "--model", "dummy", "--tasks", "demo_passk", "--limit", "1"]
    command += ["--metadata", '{"isolation": "rlimit"}']
    done = subprocess.run(list(map(str, command)), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert "confirm_run_unsafe_code" in done.stderr
