"""`scripts/check_gpu.py` finds a right merge right and a wrong one wrong, without the GPU that it is for."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.end_to_end.endings import ENDINGS, Watched
from tests.models.merge.by_mergekit import run_mergekit

PATIENCE_SECONDS = 1800  # what only a hang takes, on however busy a machine
SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The script's module, and what its steps find on transformers, all in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPTS)
        import check_gpu
        from gpu_check import model, pair

        out = tmp_path_factory.mktemp("check_gpu")
        pair.make_pair(out, pair.SIZES["small"])
        asked = {"backend": "hf", "device": "cpu", "size": "small", "out": str(out)}
        references = {}
        for alpha in (model.FIRST, model.OTHER):
            pair.merge_command(out, alpha)
            folder = out / str(alpha)
            run_mergekit(json.loads((out / f"{alpha}.yaml").read_text()), folder)
            references[str(alpha)] = model.plain(asked | {"folder": str(folder)}) | {"device": None}
        merged = model.merged(asked | {"references": references}) | {"device": None}
        yield check_gpu, {"merging": 1.0, "references": references, "merged": merged}, out


def test_a_right_merge_gets_good_verdicts_and_a_table(found):
    check, measured, _ = found
    verdicts = list(check.judged(measured))
    assert [verdict.ok for verdict in verdicts] == [True] * 7, list(map(str, verdicts))
    lines = check.table(measured).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [line.split("|")[1].strip() for line in lines[1:3]] == [
        "load, s",
        "merge on disk and load, s",
    ]


def test_an_engine_that_stays_at_its_alpha_fails(found):
    check, measured, _ = found
    there = measured["merged"]["steps"][0]
    stuck = measured | {"merged": measured["merged"] | {"steps": [there, there, there]}}
    words = [str(verdict) for verdict in check.judged(stuck) if not verdict.ok]
    assert len(words) == 2
    assert words[0].startswith("FAIL alpha 0.3, changed live: log-probabilities differ by")
    assert words[1].startswith("FAIL alpha 0.7 and 0.3 answer differently")


def test_texts_that_part_are_as_far_apart_as_their_first_other_tokens(found):
    from gpu_check import model
    from lm_eval.models.huggingface import HFLM

    lm = HFLM(pretrained=str(found[2] / "0.7"), **model.arguments_of("hf", "cpu"))
    alone = [model.score(lm, "w1 w2 w3 w4", word) for word in (" w5", " w6")]
    assert model.gap(lm, "w1 w2 w3", "w4 w5 w7", "w4 w6 w7") == pytest.approx(
        abs(alone[0] - alone[1])
    )
    assert model.gap(lm, "w1", "w4 w5", "w4 w5") == 0
    assert model.gap(lm, "w1", "w4", "w4 w5") == float("inf")


def test_a_machine_without_a_gpu_gets_a_sentence(found, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "--size small --device cpu" in found[0].why_not("hf", "cuda")


@pytest.mark.parametrize(("modes", "ok"), [(["FULL"], True), (["FULL", "NONE"], False)])
def test_a_worker_without_cuda_graphs_fails(found, modes, ok):
    verdict = found[0].graphs("vllm", "cuda", {"graphs": modes})
    assert verdict.ok is ok
    assert ", ".join(modes) in verdict.words


@pytest.mark.engine
@pytest.mark.parametrize("ending", ["TERM", "HUP"])
def test_a_check_that_is_ended_leaves_no_step_behind(tmp_path, ending):
    command = [sys.executable, SCRIPTS / "check_gpu.py", "--size", "small", "--device", "cpu"]
    watched = Watched([*command, "--backend", "hf"], tmp_path)
    try:
        watched.wait_for("mergekit-0.3 ...")
        watched.wait_for_children("run_yaml")
        for step in watched.family - {watched.process}:
            step.suspend()  # it does not end by itself
        os.kill(watched.process.pid, ENDINGS[ending].number)
        assert watched.seconds_until_gone(30)[1] == []
        assert watched.process.wait() == 128 + ENDINGS[ending].number
    finally:
        watched.close()


@pytest.mark.engine
@pytest.mark.parametrize("backend", ["hf", "vllm"])
def test_the_whole_check_runs_on_a_cpu(backend, request):
    if backend == "vllm" and find_spec("vllm") is None:
        pytest.skip("vLLM is not installed")
    # vLLM's sockets lie there, and their paths may have 107 characters.
    short = Path(tempfile.mkdtemp(prefix="hm"))
    request.addfinalizer(lambda: shutil.rmtree(short))
    command = [sys.executable, SCRIPTS / "check_gpu.py", "--size", "small", "--device", "cpu"]
    command += ["--limit", PATIENCE_SECONDS]
    done = subprocess.run(
        [*map(str, command), "--backend", backend],
        env=os.environ | {"TMPDIR": str(short)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line[:4].strip() for line in done.stdout.splitlines() if not line.startswith("|")]
    assert lines[1:] == ["ok"] * 8 + ["-"]
    assert list(short.glob("check_gpu-*")) == [], "the pair is gone; vLLM leaves its sockets"
