"""The stage to go back to is an axis of a sweep: named, run by one engine, with alpha 1 in common."""

import json
import logging

import pytest

from hm_models.sweep.config import SweepError, read_config
from hm_models.sweep.flags import merged_settings
from hm_models.sweep.points import points_of
from hm_models.sweep.preflight import check
from hm_models.sweep.runners import LocalRunner
from tests.models.sweep.test_config import parsed
from tests.models.sweep.world import QUESTIONS, SAMPLES, open_sweep, results, samples, settings
from tests.models.tiny import tiny_checkpoint

STAGES = {
    "bases": ["run/checkpoint-100", "run/checkpoint-500"],
    "instruct": "org/I",
    "tasks": ["t"],
}


def labels(**more):
    given = {key: value for key, value in (STAGES | more).items() if value is not None}
    return [point.label for point in points_of(read_config(given))]


# --- names and order -------------------------------------------------------------------------------


def test_alpha_0_of_all_stages_comes_first_and_alpha_1_once():
    assert labels(alphas=[0, 0.7, 1]) == [
        "I/checkpoint-100/alpha0",
        "I/checkpoint-500/alpha0",
        "I/checkpoint-100/alpha0.7",
        "I/alpha1",
        "I/checkpoint-500/alpha0.7",
    ]


def test_stages_of_equal_last_part_are_told_apart_by_the_parts_before():
    found = labels(
        bases=["a/checkpoint-100", "/b/checkpoint-100", "b/checkpoint-200"], alphas=[0.5]
    )
    names = ["a-checkpoint-100", "b-checkpoint-100", "b-checkpoint-200"]
    assert found == [f"I/{name}/alpha0.5" for name in names]


def test_revisions_are_stages_of_one_base():
    given = {"bases": None, "base": "org/B", "base_revisions": ["step1000", "refs/pr/1", 2000]}
    config = read_config({k: v for k, v in (STAGES | given).items() if v is not None})
    found = {(pair.stage, pair.base, pair.base_revision) for pair in config.pairs}
    assert found == {
        ("step1000", "org/B", "step1000"),
        ("1", "org/B", "refs/pr/1"),
        ("2000", "org/B", "2000"),
    }
    (point,) = [p for p in points_of(config) if p.label == "I/step1000/alpha0.7"]
    assert point.model_args(config)["base_revision"] == "step1000"


def test_one_engine_is_promised_for_all_stages_of_a_pair():
    config = read_config(STAGES | {"methods": ["linear", "ties"]})
    assert len({point.engine for point in points_of(config)}) == 2


def test_several_pairs_have_stages_of_their_own():
    pairs = {
        "one": {"bases": ["x/1", "x/2"], "instruct": "i"},
        "two": {"base": "y", "instruct": "i"},
    }
    config = read_config({"pairs": pairs, "tasks": ["t"], "alphas": [0.5]})
    assert [p.label for p in points_of(config)] == [
        "one/1/alpha0.5",
        "one/2/alpha0.5",
        "two/alpha0.5",
    ]


def test_flags_replace_the_stages_of_the_file(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text(json.dumps(STAGES))
    bases = [p.base for p in _config(file, "--bases", "other/1", "other/2").pairs]
    assert bases == ["other/1", "other/2"]
    assert [p.base for p in _config(file, "--base", "other/1").pairs] == ["other/1"]
    found = _config(file, "--base", "org/B", "--base_revisions", "step1", "step2").pairs
    assert [p.base_revision for p in found] == ["step1", "step2"]


def _config(file, *flags):
    return read_config(merged_settings(parsed([str(file), *flags])))


# --- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"base": "b"}, "base and bases of the sweep exclude each other"),
        ({"base_revision": "main"}, "base_revision and bases of the sweep exclude each other"),
        ({"base_revisions": ["a"]}, "base_revisions and bases of the sweep exclude each other"),
        ({"bases": []}, "bases: expected a list with at least one entry"),
        ({"bases": ["a", "b", "a/"]}, "bases: a stands there twice"),
        ({"bases": ["a", None]}, "bases of the sweep: None names no stage"),
        ({"bases": {"a": 1}}, "bases: expected a list with at least one entry"),
        ({"bases": None, "base": "b", "base_revisions": []}, "base_revisions: expected a list"),
        ({"bases": None, "base": "b", "base_revisions": ["x", "x"]}, "x stands there twice"),
        ({"bases": None, "base_revisions": ["x"]}, "base is missing from the sweep"),
        (
            {"bases": None, "base": "b", "base_revision": "x", "base_revisions": ["y"]},
            "base_revision and base_revisions of the sweep exclude each other",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(given, said):
    with pytest.raises(SweepError) as error:
        labels(**given)
    assert said in str(error.value)


def test_a_folder_has_no_revisions(tmp_path):
    given = {"base": str(tmp_path), "base_revisions": ["step1"], "bases": None}
    with pytest.raises(SweepError, match=r"is a folder, which has no revisions\. List the folders"):
        labels(**given)


def test_one_folder_written_in_two_ways_is_one_stage(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(SweepError, match="stands there twice"):
        labels(bases=[str(tmp_path / "a"), f"{tmp_path}/./a"])


# --- runs ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A training run of two stages, and the model that it ended in."""
    folder = tmp_path_factory.mktemp("run")
    return [
        tiny_checkpoint(folder / name, seed)
        for seed, name in enumerate(("checkpoint-100", "checkpoint-500", "final"))
    ]


@pytest.fixture
def adapter_of():
    pytest.importorskip("peft")
    from tests.models.adapters import adapter_of

    return adapter_of


def staged(run, task, **more):
    given = settings(run[0], run[-1], task, bases=list(map(str, run[:-1])), **more)
    del given["base"]
    return given


def test_two_stages_and_the_ends_are_one_engine_and_equal_sweeps_of_their_own(
    run,
    task,
    tmp_path,
    engines,
):
    given = staged(run, task, alphas=[0, 0.7, 1])
    sweep = open_sweep(given, tmp_path / "out")
    assert "5 of 5 points" in sweep.plan()
    assert "1 engine(s)" in sweep.plan()
    assert sweep.run([LocalRunner(quiet=True)]) == 0
    assert engines == [0.0]
    texts = {p.label: samples(tmp_path / "out" / p.label) for p in sweep.points}
    assert len({json.dumps(text) for text in texts.values()}) == 5
    assert all(len(t) == QUESTIONS and len(t[0]) == SAMPLES for t in texts.values())
    found = results(tmp_path / "out" / "tiny/checkpoint-500/alpha0.7")["config"]["merge"]
    assert (found["base"], found["alpha"]) == (str(run[1]), 0.7)
    # A sweep over the second stage alone, with a store of its own, draws the same.
    alone = settings(run[1], run[-1], task, alphas=[0, 0.7, 1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HM_CACHE", str(tmp_path / "another"))
        assert open_sweep(alone, tmp_path / "alone").run([LocalRunner(quiet=True)]) == 0
    for name in ("alpha0", "alpha0.7"):
        assert texts[f"tiny/checkpoint-500/{name}"] == samples(tmp_path / "alone" / "tiny" / name)
    assert texts["tiny/alpha1"] == samples(tmp_path / "alone" / "tiny" / "alpha1")
    # What is there is not run again when a stage joins; alpha 1 stays.
    (new,) = open_sweep(
        given | {"alphas": [0, 0.7, 0.9, 1], "bases": [str(run[1])]}, tmp_path / "out"
    ).left
    assert new.label == "tiny/checkpoint-500/alpha0.9"


def test_stages_that_do_not_fit_are_named_before_anything_is_loaded(run, task, tmp_path, engines):
    wider = tiny_checkpoint(tmp_path / "checkpoint-700", 3, intermediate=96)
    qwen = tiny_checkpoint(tmp_path / "checkpoint-800", 3, architecture="qwen2")
    other = tiny_checkpoint(tmp_path / "checkpoint-900", 3, tokens=[f"x{n}" for n in range(80)])
    missing = tmp_path / "checkpoint-950"
    bad = [wider, qwen, other, missing]
    given = staged([*run[:2], *bad, run[-1]], task, alphas=[0.7])
    problems = check(read_config(given)).problems
    assert len(problems) == 4
    for folder, problem in zip(bad, problems, strict=True):
        assert problem.startswith(f"tiny/{folder.name}/alpha0.7: ")
        assert str(folder) in problem
    assert engines == []


def test_stages_that_are_not_on_this_machine_are_noted_in_a_dry_run(run, task):
    given = settings("org/B", run[-1], task, alphas=[0.7, 1], base_revisions=["step1", "step2"])
    found = check(read_config(given), fetch=False)
    assert found.problems == ()
    assert set(found.fingerprints.values()) == {""}
    assert [note.partition(" is not")[0] for note in found.notes] == [
        "org/B at step1",
        "org/B at step2",
    ]


def test_an_adapter_is_no_instruct_model_of_several_whole_bases(
    run, task, tmp_path, engines, adapter_of
):
    adapter = adapter_of(run[0], tmp_path / "adapter")
    problems = check(read_config(staged([*run[:2], adapter], task, alphas=[0.7, 1]))).problems
    assert any(
        "is an adapter, and what it is added to would be another model" in p for p in problems
    )
    assert engines == []


def test_stages_that_are_adapters_go_to_an_adapter_in_one_engine(
    run, task, tmp_path, engines, adapter_of
):
    """As most training runs leave them: one whole base, and an adapter at each stage."""
    stages = [adapter_of(run[0], tmp_path / f"checkpoint-{n}", seed=n) for n in (10, 20, 30)]
    given = staged(stages, task, alphas=[0.5, 1])
    assert open_sweep(given, tmp_path / "out").run([LocalRunner(quiet=True)]) == 0
    assert engines == [0.5]
    found = {
        label: samples(tmp_path / "out" / "tiny" / label)
        for label in ("checkpoint-10/alpha0.5", "checkpoint-20/alpha0.5", "alpha1")
    }
    assert len({json.dumps(text) for text in found.values()}) == 3


def test_another_layout_of_a_stage_starts_a_new_engine_and_says_why(
    run,
    task,
    tmp_path,
    engines,
    caplog,
):
    tied = tiny_checkpoint(tmp_path / "tied", 5, tied=True)
    ended = tiny_checkpoint(tmp_path / "ended", 6, tied=True)
    given = staged([run[0], tied, ended], task, alphas=[0.7])
    with caplog.at_level(logging.INFO, "hm_models"):
        assert open_sweep(given, tmp_path / "out").run([LocalRunner(quiet=True)]) == 0
    assert engines == [0.7, 0.7]
    assert "a new engine for base=" in caplog.text
    assert "config.json differs" in caplog.text


def test_extrapolated_points_say_so_in_their_results(run, task, tmp_path, engines):
    given = settings(run[0], run[-1], task, alphas=[0.7, 1.3], extrapolate=True)
    assert open_sweep(given, tmp_path / "out").run([LocalRunner(quiet=True)]) == 0
    assert engines == [0.7]
    merge = results(tmp_path / "out" / "tiny" / "alpha1.3")["config"]["merge"]
    assert merge["extrapolate"] is True
    assert "the merge is extrapolated" in merge["remarks"][-1]
    assert results(tmp_path / "out" / "tiny" / "alpha0.7")["config"]["merge"]["remarks"] == []
