"""A result folder is named after what was merged."""

import json

import pytest

from hm_models.plugin.run_name import name_in, run_name


@pytest.mark.parametrize(
    "arguments",
    [
        "base=hub/smol,instruct=/data/smol-it,alpha=0.7",
        "backend=hf, alpha=0.7, instruct=/data/smol-it/, base=hub/smol",
        {"base": "hub/smol", "instruct": "/data/smol-it", "alpha": 0.7, "merge_method": "linear"},
        {"base": "hub/smol", "instruct": "/data/smol-it", "alpha": "0.7"},
    ],
)
def test_the_name_is_base_instruct_and_alpha_however_they_are_given(arguments):
    assert run_name(arguments) == "smol--smol-it--alpha0.7"


def test_a_base_that_the_adapter_names_is_no_part_of_the_name():
    assert run_name("instruct=runs/adapter,alpha=0.7") == "adapter--alpha0.7"


def test_another_method_than_linear_is_part_of_the_name():
    assert run_name("base=b,instruct=i,alpha=0.5,merge_method=slerp") == "b--i--alpha0.5--slerp"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"merge_method": "karcher"}, "b--i--karcher"),
        ({"alpha": [0.2, 0.9]}, "b--i--alpha0.2-0.9"),
        ({"alpha": {"mlp": 0.5, "*": 0.7}}, "b--i--alphamlp-0.5-rest-0.7"),
        (
            {"alpha": 0.7, "merge_method": "ties", "merge_params": {"density": 0.5}},
            "b--i--alpha0.7--ties--density-0.5",
        ),
    ],
)
def test_all_that_tells_two_merges_apart_is_in_the_name(fields, name):
    assert run_name({"base": "x/b", "instruct": "y/i"} | fields) == name


def test_a_mergekit_file_gives_its_own_name():
    assert run_name("recipe=configs/half-way.yaml,backend=hf") == "half-way"


@pytest.mark.parametrize(
    "arguments",
    ["pretrained=gpt2", "base=b,alpha=1", "", None, {}, {"pretrained": "x", "alpha": 1}, ["b"]],
)
def test_arguments_of_another_model_get_no_name(arguments):
    assert run_name(arguments) is None


def test_a_value_may_hold_an_equals_sign():
    assert run_name("base=runs/lr=1,instruct=i,alpha=1") == "lr=1--i--alpha1"


@pytest.mark.parametrize(
    ("revisions", "name"),
    [
        ({"base_revision": "stage1-step1000"}, "b@stage1-step1000--i--alpha0.7"),
        ({"base_revision": "stage2/x"}, "b@stage2-x--i--alpha0.7"),
        ({"base_revision": "v1", "instruct_revision": "v2"}, "b@v1--i@v2--alpha0.7"),
        ({"instruct_revision": 2}, "b--i@2--alpha0.7"),
    ],
)
def test_revisions_are_in_the_name(revisions, name):
    assert run_name({"base": "x/b", "instruct": "y/i", "alpha": 0.7} | revisions) == name


def ran(folder, arguments):
    """Leave the results of a run, as the harness does."""
    mine = folder / name_in(folder, arguments)
    mine.mkdir(parents=True, exist_ok=True)
    results = {"config": {"model_args": arguments}}
    (mine / f"results_{len(list(mine.iterdir()))}.json").write_text(json.dumps(results))
    return mine


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("base=a/base,instruct=a/it,alpha=0.7", "base=b/base,instruct=b/it,alpha=0.7"),
        ("base=a/base,instruct=it,alpha=0.7", "base=b/base,instruct=it,alpha=0.7"),
        ("base=b,instruct=run1/final,alpha=1", "base=b,instruct=run2/final,alpha=1"),
        ("recipe=one/half.yaml", "recipe=other/half.yaml"),
        (
            "base=b,instruct=i,alpha=1,base_revision=a/b",
            "base=b,instruct=i,alpha=1,base_revision=a-b",
        ),
        ("base=b,instruct=i,alpha=0.5", "base=b,instruct=i,alpha=0.5,merge_dtype=bfloat16"),
        (
            "base=b,instruct=i,alpha=0.5,merge_method=dare_ties",
            "base=b,instruct=i,alpha=0.5,merge_method=dare_ties,merge_seed=7",
        ),
    ],
)
def test_two_merges_whose_names_are_alike_get_two_folders(tmp_path, one, other):
    assert run_name(one) is not None
    first, second = ran(tmp_path, one), ran(tmp_path, other)
    assert first != second
    assert first.name == run_name(one)
    assert second.name.startswith(run_name(other))
    assert (ran(tmp_path, one), ran(tmp_path, other)) == (first, second)  # for good


def test_one_merge_has_one_folder_however_it_is_written(tmp_path, monkeypatch):
    for side in ("base", "it"):
        (tmp_path / side).mkdir()
    monkeypatch.chdir(tmp_path)
    written = [
        "base=base,instruct=it,alpha=0.7",
        f"base={tmp_path}/base/,instruct=./it,alpha=0.7,backend=hf,dtype=float32",
        {"base": "base", "instruct": "it", "alpha": 0.7},
    ]
    assert {ran(tmp_path / "out", arguments).name for arguments in written} == {
        "base--it--alpha0.7"
    }


def test_results_that_nobody_can_read_are_left_alone(tmp_path):
    (tmp_path / "b--i--alpha1").mkdir()
    (tmp_path / "b--i--alpha1" / "results_x.json").write_text("[" * 100_000)
    assert name_in(tmp_path, "base=b,instruct=i,alpha=1") != "b--i--alpha1"
    assert name_in(tmp_path, "pretrained=gpt2") is None


def test_the_harness_writes_two_merges_of_one_name_into_two_folders(tmp_path):
    from lm_eval.loggers.evaluation_tracker import EvaluationTracker

    def saved(arguments):
        tracker = EvaluationTracker(output_path=str(tmp_path))
        tracker.general_config_tracker.log_experiment_args(
            "hm-merged", arguments, None, None, False
        )
        tracker.save_results_aggregated({"config": {"model_args": arguments}, "results": {}})
        tracker.save_results_samples("words", [])
        return {file.parent.name for file in tmp_path.rglob(f"samples_words_{tracker.date_id}*")}

    one = {"base": "a/base", "instruct": "a/it", "alpha": 0.7}
    other = {"base": "b/base", "instruct": "b/it", "alpha": 0.7}
    first, second = saved(one), saved(other)
    assert first == {"base--it--alpha0.7"}
    assert first != second
    assert (saved(one), saved(other)) == (first, second)
