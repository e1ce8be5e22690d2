"""A sweep's points are what separate runs would be, with one engine, whatever fails or dies."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from hm_models.engines.base import Engine
from hm_models.sweep.config import read_config
from hm_models.sweep.manifest import Manifest, SweepError
from hm_models.sweep.preflight import check
from hm_models.sweep.runners import LocalRunner, process_runners
from tests.entry_points import command
from tests.models.sweep.world import QUESTIONS, SAMPLES, open_sweep, results, samples, settings
from tests.models.tiny import copy_of, edit_config


def lm_eval_run(given, alpha, out, temperature=None):
    """The harness itself, in another process, as a user would call it."""
    model_args = {"base": given["base"], "instruct": given["instruct"], "alpha": alpha}
    command = [sys.executable, "-m", "lm_eval", "run", "--model", "hm-merged", "--log_samples"]
    command += ["--model_args", json.dumps(model_args | given["model_args"])]
    command += ["--tasks", *given["tasks"], "--include_path", given["include_path"]]
    command += ["--batch_size", str(given["batch_size"]), "--output_path", str(out)]
    if temperature is not None:
        command += ["--gen_kwargs", f"temperature={temperature}", "do_sample=True"]
    home = os.environ | {"HM_CACHE": str(out / "hm")}
    subprocess.run(command, check=True, env=home, capture_output=True, timeout=300)


def test_one_engine_serves_all_alphas_and_temperatures(base, instruct, task, tmp_path, engines):
    given = settings(base, instruct, task, alphas=[0, 0.3, 0.7, 1], temperatures=[0.5, 1])
    assert open_sweep(given, tmp_path / "out").run([LocalRunner(quiet=True)]) == 0
    assert engines == [0.0]
    texts = [samples(folder) for folder in sorted((tmp_path / "out" / "tiny").iterdir())]
    assert len(texts) == 8
    assert len({json.dumps(text) for text in texts}) == 8, "points that answer alike show nothing"
    assert all(len(text) == QUESTIONS and len(text[0]) == SAMPLES for text in texts)


@pytest.mark.engine
def test_a_point_equals_a_run_of_its_own(base, instruct, task, tmp_path):
    given = settings(base, instruct, task, temperatures=[0.9])
    sweep = open_sweep(given, tmp_path / "out")
    assert sweep.run([LocalRunner(quiet=True)]) == 0
    point = tmp_path / "out" / "tiny" / "alpha0.7--temperature0.9"  # the second of the engine
    alone = tmp_path / "alone"
    alone.mkdir()
    lm_eval_run(given, 0.7, alone, 0.9)
    assert samples(point) == samples(alone)
    ours, theirs = results(point), results(alone)
    for found in (ours, theirs):
        found["config"].pop("sampling")  # where samples are kept
        for name in list(found):
            if "time" in name or name in ("date", "git_hash"):
                del found[name]
        found["config"].pop("gen_kwargs")
    assert ours == theirs
    (folder,) = point.iterdir()
    assert folder.name == next(f for f in alone.iterdir() if f.name != "hm").name


def test_the_next_pair_s_engine_starts_when_the_last_is_gone(
    base, instruct, task, tmp_path, engines, monkeypatch
):
    alive = []
    plain = Engine.shut_down

    def shut_down(self):
        alive.append(self.is_loaded)
        plain(self)

    monkeypatch.setattr(Engine, "shut_down", shut_down)
    pairs = {"a": {"base": str(base), "instruct": str(instruct)},
             "b": {"base": str(instruct), "instruct": str(base)}}  # fmt: skip
    given = settings(base, instruct, task, alphas=[0.7, 1])
    for key in ("base", "instruct", "name"):
        del given[key]
    sweep = open_sweep(given | {"pairs": pairs, "methods": ["linear", "slerp"]}, tmp_path / "out")
    alive.clear()  # of the preflight, which loads nothing
    assert sweep.run([LocalRunner(quiet=True)]) == 0
    # alpha 1 of slerp needs none: it is the checkpoint that linear asked before.
    assert engines == [0.7, 0.7, 0.7, 0.7]
    assert alive.count(True) == 4


def test_a_point_that_fails_is_reported_and_the_others_go_on(
    base, instruct, task, tmp_path, monkeypatch, engines
):
    plain = Engine.set_recipe

    def set_recipe(self, recipe):
        if recipe.alpha == 0.5 and self.is_loaded:
            raise OSError("the disk is gone")
        plain(self, recipe)

    monkeypatch.setattr(Engine, "set_recipe", set_recipe)
    said = []
    sweep = open_sweep(
        settings(base, instruct, task, alphas=[0.3, 0.5, 0.7]), tmp_path / "out", said
    )
    assert sweep.run([LocalRunner(quiet=True)]) == 1
    assert any("alpha0.5: failed" in line and "OSError: the disk is gone" in line for line in said)
    assert engines == [0.3, 0.7], "a failed run must not leave its engine to the next"
    assert "FAILED tiny/alpha0.5: OSError: the disk is gone" in sweep.summary()
    monkeypatch.setattr(Engine, "set_recipe", plain)
    again = open_sweep(settings(base, instruct, task, alphas=[0.3, 0.5, 0.7]), tmp_path / "out")
    assert [point.label for point in again.left] == ["tiny/alpha0.5"]
    assert again.run([LocalRunner(quiet=True)]) == 0
    assert again.left == []


def test_a_finished_point_is_run_again_only_if_what_shapes_it_changed(
    base, instruct, task, tmp_path
):
    given = settings(base, instruct, task)
    assert open_sweep(given, tmp_path / "out").run([LocalRunner(quiet=True)]) == 0

    def left(**more):
        return [point.name for point in open_sweep(given | more, tmp_path / "out").left]

    assert left() == []
    assert left(batch_size=2, wandb_args={"project": "p"}) == []
    assert left(alphas=[0.3, 0.7, 0.9]) == ["alpha0.9"]
    for more in ({"limit": 2}, {"gen_kwargs": {"max_gen_toks": 3}}, {"metadata": {"x": 1}}):
        assert left(**more) == ["alpha0.3", "alpha0.7"]
    next((tmp_path / "out" / "tiny" / "alpha0.7").rglob("samples_*")).unlink()
    assert left() == ["alpha0.7"]


def test_a_checkpoint_that_changed_makes_another_point(base, instruct, task, tmp_path):
    own = copy_of(instruct, tmp_path / "own")
    given = settings(base, own, task, alphas=[0.7])
    assert open_sweep(given, tmp_path / "out").run([LocalRunner(quiet=True)]) == 0
    edit_config(own, rms_norm_eps=1e-3)
    (point,) = (sweep := open_sweep(given, tmp_path / "out")).left
    assert sweep.state(point) == "changed"


def test_the_preflight_finds_every_problem_and_loads_nothing(
    base, instruct, task, tmp_path, engines
):
    bare = copy_of(instruct, tmp_path / "bare")
    (bare / "chat_template.jinja").unlink()
    given = settings(base, instruct, task, tasks=["tiny_word"])
    for key in ("base", "instruct", "name"):
        del given[key]
    given["pairs"] = {
        "gone": {"base": str(base), "instruct": str(tmp_path / "gone")},
        "bare": {"base": str(base), "instruct": str(bare)},
    }
    found = check(read_config(given)).problems
    assert len(found) == 3
    assert "Did you mean tiny_words?" in found[0]
    assert found[1].startswith("gone/alpha0.3: ")
    assert "no such folder" in found[1]
    assert "has no chat template" in found[2]
    assert engines == []


def test_a_k_above_n_is_refused_before_anything_runs(base, instruct, task):
    given = settings(
        base, instruct, task, tasks=["demo_passk"], metadata={"n_samples": 2, "k": [5]}
    )
    (problem,) = check(read_config(given)).problems
    assert "pass@5 cannot be estimated from n_samples=2" in problem


def test_the_plan_counts_samples_and_is_honest_about_time(base, instruct, task, tmp_path):
    given = settings(base, instruct, task)
    sweep = open_sweep(given, tmp_path / "out")
    plan = sweep.plan()
    assert plan.count("unknown") >= 3
    total = next(line for line in plan.splitlines() if "2 of 2 points" in line)
    assert str(2 * QUESTIONS * SAMPLES) in total.split()
    assert "at most" in sweep.plan(tokens_a_second=100)
    assert sweep.run([LocalRunner(quiet=True)]) == 0
    grown = open_sweep(given | {"alphas": [0.3, 0.7, 0.9]}, tmp_path / "out")
    line = next(line for line in grown.plan().splitlines() if "alpha0.9" in line)
    assert "new" in line
    assert "unknown" not in line


@pytest.mark.campaign
def test_two_processes_share_the_alphas_of_one_pair(base, instruct, task, tmp_path):
    given = settings(base, instruct, task, alphas=[0.2, 0.4, 0.6, 0.8])
    said = []
    out = tmp_path / "out"
    sweep = open_sweep(given, out, said)
    assert sweep.run(process_runners(("0", "1"), 1, out)) == 0
    began = [line for line in said if "begins on" in line]
    assert {line.rsplit(" ", 1)[1] for line in began} == {"0", "1"}
    alone = open_sweep(given, tmp_path / "alone")
    assert alone.run([LocalRunner(quiet=True)]) == 0
    for point in sweep.points:
        assert samples(out / point.label) == samples(tmp_path / "alone" / point.label)


@pytest.mark.engine
def test_a_sweep_that_is_killed_goes_on_where_it_was(base, instruct, task, tmp_path):
    out = tmp_path / "out"
    words = command("hm-sweep", "--output_path", out, "--quiet")
    given = settings(base, instruct, task, alphas=[0.1, 0.2, 0.3, 0.4])
    (tmp_path / "s.yaml").write_text(json.dumps(given))
    process = subprocess.Popen([*words, str(tmp_path / "s.yaml")], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 900  # a test that waits for ever ends with this
    while "done" not in {r.state for r in Manifest(out).records.values()}:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    sweep = open_sweep(given, out)
    left = len(sweep.left)
    assert 0 < left < 4
    first = {file: file.stat().st_mtime_ns for file in out.rglob("results_*.json")}
    assert sweep.run([LocalRunner(quiet=True)]) == 0
    assert sweep.left == []
    done = [p.label for p in sweep.points if len(list((out / p.label).rglob("results_*"))) == 1]
    assert len(done) >= 3, "finished points must not be run again"
    assert all(file.stat().st_mtime_ns == when for file, when in first.items())


def test_two_sweeps_do_not_write_into_one_folder(tmp_path):
    writing = pytest.raises(SweepError, match="Another sweep is writing")
    with Manifest.open(tmp_path), writing, Manifest.open(tmp_path):
        pass
    with Manifest.open(tmp_path):
        pass


def test_a_file_that_is_no_manifest_is_refused(tmp_path):
    (tmp_path / "sweep.json").write_text('{"points": []}')
    with pytest.raises(SweepError, match=r"sweep.json is no sweep's manifest"):
        Manifest(tmp_path)
