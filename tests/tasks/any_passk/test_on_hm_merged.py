"""hm-merged asks a wrapped task as it asks the task itself; samples are kept, extended, and swept over."""

import json

import lm_eval
import pytest

from hm_models.merged import HindsightMerged
from tests.entry_points import run
from tests.tasks.any_passk.sums import manager, write

pytestmark = pytest.mark.usefixtures("our_tasks_alone")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    sampled = {"until": ["\n\n"], "do_sample": False, "max_gen_toks": 6}
    return write(tmp_path_factory.mktemp("inner"), generation_kwargs=sampled)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def model(base, instruct, cache):
    return HindsightMerged(base=str(base), instruct=str(instruct), alpha=0.7, backend="hf")


def evaluate(model, folder, task="any_passk", **metadata):
    asked = {"passk_of": "sums", "k": [1], "diversity": []} | metadata
    found = lm_eval.simple_evaluate(
        model, tasks=[task], task_manager=manager(folder, **asked), bootstrap_iters=0
    )
    name = task if task in found["results"] else "sums_passk"
    return found["results"][name], found["samples"][name]


def test_the_prompts_are_those_of_the_task_itself(model, folder):
    _, wrapped = evaluate(model, folder, n_samples=2)
    _, plain = evaluate(model, folder, task="sums")
    prompts = {line["doc_id"]: line["arguments"][0][0] for line in plain}
    assert {line["doc_id"]: line["arguments"][0][0] for line in wrapped} == prompts
    assert all(prompt.startswith("<user>") or "Q:" in prompt for prompt in prompts.values())


def test_samples_are_kept_and_n_is_extended(model, folder):
    _, before = evaluate(model, folder, n_samples=3)
    more, after = evaluate(model, folder, n_samples=5)
    assert (more["reused,strict"], more["generated,strict"]) == (12, 8)
    assert [line["resps"][0][:3] for line in after] == [line["resps"][0] for line in before]


def test_another_alpha_is_another_model_and_back_again_is_the_same(model, folder):
    _, before = evaluate(model, folder, n_samples=2)
    model.set_alpha(0.0)
    results, base = evaluate(model, folder, n_samples=2)
    assert results["reused,strict"] == 0
    # The base continues the prompt, as the inner task wrote it.
    assert base[0]["arguments"][0][0] == "Q: What is 1 + 1?\nA:"
    model.set_alpha(0.7)
    results, again = evaluate(model, folder, n_samples=2)
    assert results["generated,strict"] == 0
    assert [line["resps"] for line in again] == [line["resps"] for line in before]


def test_token_numbers_are_measured(model, folder):
    model.set_alpha(0.3)  # whose samples are not kept yet: without a measure, that is
    results, _ = evaluate(model, folder, n_samples=2, diversity=["token_entropy"])
    assert results["token_entropy,strict"] > 0


def test_a_sweep_goes_over_alphas_and_its_report_has_the_numbers(
    base, instruct, folder, tmp_path, cache
):
    (tmp_path / "mine.yaml").write_text("include: _any_passk_yaml\ntask: mine\npassk_of: sums\n")
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = {
        "name": "tiny",
        "base": str(base),
        "instruct": str(instruct),
        "alphas": [0, 0.7, 1],
        "tasks": ["mine"],
        "include_path": str(tmp_path),
        "model_args": {"backend": "hf"},
        "metadata": {"n_samples": 3, "k": [1, 3], "diversity": []},
        "batch_size": 4,
    }
    (tmp_path / "sweep.yaml").write_text(json.dumps(config))
    out = tmp_path / "out"
    done = run("hm-sweep", tmp_path / "sweep.yaml", "--output_path", out, "--quiet")
    assert done.returncode == 0, done.stderr
    done = run("hm-report", out, "--out", tmp_path / "report", "--quiet")
    assert done.returncode == 0, done.stderr
    board = (tmp_path / "report" / "leaderboard.csv").read_text().splitlines()
    assert len(board) == 4
    assert "pass@3" in board[0]
    assert "maj@3" in board[0]
