"""A result folder is named after what was merged."""

import pytest

from hm_models.run_name import run_name


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
