"""Gradients over depth and patterns of names as alpha mean what the same settings mean in mergekit."""

import json

import pytest

from hm_models.merge.alpha import parse_alpha
from hm_models.merge.parameters import depths
from hm_models.merge.recipe import MergeRecipe, RecipeError
from hm_models.merge.stream import merged_tensors
from tests.models.merge.by_mergekit import assert_all_bits_agree, configuration, run_mergekit
from tests.models.tiny import same_bits, tiny_checkpoint

PATTERNS = {"mlp": 0.5, "self_attn": [0.0, 1.0], "*": 0.7}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Four layers, so that a gradient of two, three or five numbers falls between its numbers."""
    folder = tmp_path_factory.mktemp("deep")
    return [tiny_checkpoint(folder / name, n, layers=4) for n, name in enumerate(("base", "inst"))]


def recipe_of(pair, alpha, **fields):
    return MergeRecipe(base=str(pair[0]), instruct=str(pair[1]), alpha=alpha, **fields)


def merge_of(pair, alpha, **fields):
    return dict(merged_tensors(recipe_of(pair, alpha, **fields)))


def refusal_of(alpha):
    with pytest.raises(RecipeError) as refusal:
        MergeRecipe(base="b", instruct="i", alpha=alpha)
    return str(refusal.value)


# --- what is refused, and how it may be written ----------------------------------------------------


@pytest.mark.parametrize(
    ("alpha", "sentence"),
    [
        ([], "alpha=[] is an empty gradient. Give at least one number."),
        ("[]", "alpha=[] is an empty gradient."),
        ([0.2, 1.4], "alpha=1.4 lies outside [0, 1]: 0 is the base, 1 the instruct model"),
        ("[0.2, -0.5]", "alpha=-0.5 lies outside [0, 1]"),
        ([0.2, float("nan")], "alpha=nan lies outside [0, 1]"),
        ([0.2, "much"], "alpha='much' is not a number. Give one between 0 (the base) and 1"),
        ([0.2, True], "alpha=True is not a number."),
        ([[0.2], 0.4], "alpha=[0.2] is not a number."),
        ({}, "alpha={} says nothing of tensors that match no pattern."),
        ({"mlp": 0.5}, "alpha={'mlp': 0.5} says nothing of tensors that match no pattern. Add a"),
        ('{"mlp": 0.5}', "says nothing of tensors that match no pattern."),
        ({"mlp": 1.5, "*": 0.5}, "alpha['mlp']=1.5 lies outside [0, 1]"),
        ({"mlp": [], "*": 0.5}, "alpha['mlp']=[] is an empty gradient."),
        ({"mlp": None, "*": 0.5}, "alpha['mlp']=None is not a number."),
        ({"mlp": {"*": 0.5}, "*": 0.5}, "alpha['mlp']={'*': 0.5} is not a number."),
        ("[0.2, 0.4", "alpha='[0.2, 0.4' is not a number."),
    ],
)
def test_what_is_no_alpha_is_refused_with_the_value_and_its_place(alpha, sentence):
    assert sentence in refusal_of(alpha)


@pytest.mark.parametrize(
    ("text", "alpha"),
    [
        ("[0.2, 1]", (0.2, 1.0)),
        ("[0]", (0.0,)),
        ('{"mlp": [0, 1], "*": 0.7}', {"mlp": (0.0, 1.0), "*": 0.7}),
    ],
)
def test_json_text_gives_what_the_values_give(text, alpha):
    assert parse_alpha(text) == alpha
    assert parse_alpha(alpha) == alpha


def test_every_number_becomes_a_float():
    gradient, rest = parse_alpha({"mlp": [0, "1"], "*": 1}).values()
    assert [type(number) for number in (*gradient, rest)] == [float] * 3


def test_a_gradient_survives_json(pair):
    recipe = recipe_of(pair, PATTERNS)
    again = MergeRecipe(**json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe
    assert again.fingerprint() == recipe.fingerprint()


# --- the bits of mergekit --------------------------------------------------------------------------


@pytest.mark.parametrize("gradient", [[0.2, 0.9], [0.1, 0.6, 0.3], [0, 1, 0.5, 0.2, 0.9], [0.3]])
def test_a_gradient_is_mergekits_gradient_of_linear_weights(pair, tmp_path, gradient):
    ours, theirs = {"weight": [1.0 - alpha for alpha in gradient]}, {"weight": gradient}
    content = configuration(*pair, ours=ours, theirs=theirs)
    assert_all_bits_agree(merge_of(pair, gradient), run_mergekit(content, tmp_path / "merged"))


@pytest.mark.parametrize("gradient", [[0.2, 0.9], [0.1, 0.6, 0.3]])
@pytest.mark.parametrize(("method", "name"), [("slerp", "t"), ("task_arithmetic", "lambda")])
def test_a_gradient_is_mergekits_gradient_of_other_methods(pair, tmp_path, gradient, method, name):
    theirs = {} if method == "slerp" else {"weight": 1.0}
    content = configuration(*pair, method, both={name: gradient}, theirs=theirs)
    merged = merge_of(pair, gradient, merge_method=method)
    assert_all_bits_agree(merged, run_mergekit(content, tmp_path / "merged"))


def test_patterns_are_mergekits_filters_of_linear_weights(pair, tmp_path):
    ours = [
        {"filter": "mlp", "value": 1.0 - 0.5},
        {"filter": "self_attn", "value": [1.0, 0.0]},
        {"value": 1.0 - 0.7},
    ]
    theirs = [
        {"filter": "mlp", "value": 0.5},
        {"filter": "self_attn", "value": [0.0, 1.0]},
        {"value": 0.7},
    ]
    content = configuration(*pair, ours={"weight": ours}, theirs={"weight": theirs})
    assert_all_bits_agree(merge_of(pair, PATTERNS), run_mergekit(content, tmp_path / "merged"))


def test_patterns_are_mergekits_filters_of_t(pair, tmp_path):
    filters = [
        {"filter": "self_attn", "value": [0, 0.5, 0.3, 0.7, 1]},
        {"filter": "mlp", "value": [1, 0.5, 0.7, 0.3, 0]},
        {"value": 0.5},
    ]
    content = configuration(*pair, "slerp", both={"t": filters})
    alpha = {"self_attn": [0, 0.5, 0.3, 0.7, 1], "mlp": [1, 0.5, 0.7, 0.3, 0], "*": 0.5}
    merged = merge_of(pair, alpha, merge_method="slerp")
    assert_all_bits_agree(merged, run_mergekit(content, tmp_path / "merged"))


# --- which tensor gets which alpha -----------------------------------------------------------------


def test_a_gradient_runs_from_the_first_layer_to_the_last(pair):
    merged = merge_of(pair, [0.25, 0.4, 0.75])
    at = {alpha: merge_of(pair, alpha) for alpha in (0.25, 0.75)}
    for name, tensor in merged.items():
        if "layers.0." in name or "layers" not in name:  # embedding, head and last norm: the first
            assert same_bits(tensor, at[0.25][name])
        elif "layers.3." in name:
            assert same_bits(tensor, at[0.75][name])
        else:
            assert not same_bits(tensor, at[0.25][name])
            assert not same_bits(tensor, at[0.75][name])


def test_a_single_layer_takes_the_last_number(tmp_path):
    pair = [tiny_checkpoint(tmp_path / name, n, layers=1) for n, name in enumerate("bi")]
    merged = merge_of(pair, [0.25, 0.75])
    at = {alpha: merge_of(pair, alpha) for alpha in (0.25, 0.75)}
    for name, tensor in merged.items():
        assert same_bits(tensor, at[0.75 if "layers" in name else 0.25][name])
    ours, theirs = {"weight": [0.75, 0.25]}, {"weight": [0.25, 0.75]}
    content = configuration(*pair, ours=ours, theirs=theirs)
    assert_all_bits_agree(merged, run_mergekit(content, tmp_path / "merged"))


def test_stacks_of_different_height_each_run_from_first_to_last():
    names = ["m.layers.0.w", "m.layers.4.w", "m.layers.1.experts.9.w", "v.blocks.2.w", "m.norm.w"]
    assert list(depths(names).values()) == [0.0, 1.0, 0.25, 1.0, 0.0]


def test_the_first_pattern_that_matches_counts_and_the_rest_comes_last(pair):
    first = merge_of(pair, {"layers.1": 0.25, "mlp": 0.75, "*": 0.5})
    other = merge_of(pair, {"mlp": 0.75, "layers.1": 0.25, "*": 0.5})
    rest_first = merge_of(pair, {"*": 0.5, "layers.1": 0.25, "mlp": 0.75})
    in_both = {name for name in first if "layers.1" in name and "mlp" in name}
    assert {name for name in first if not same_bits(first[name], other[name])} == in_both
    assert_all_bits_agree(rest_first, first)


# --- the fingerprint -------------------------------------------------------------------------------


def test_the_order_of_patterns_enters_the_fingerprint(pair):
    one, other = (
        recipe_of(pair, alpha).fingerprint()
        for alpha in (
            {"layers.1": 0.25, "mlp": 0.75, "*": 0.5},
            {"mlp": 0.75, "layers.1": 0.25, "*": 0.5},
        )
    )
    assert one != other


def test_each_number_of_a_gradient_enters_the_fingerprint(pair):
    alphas = (0.3, [0.3, 0.4], [0.4, 0.3], [0.3, 0.4, 0.4], {"mlp": 0.3, "*": 0.4}, PATTERNS)
    assert len({recipe_of(pair, alpha).fingerprint() for alpha in alphas}) == len(alphas)


def test_text_and_values_have_one_fingerprint(pair):
    text = '{"mlp": 0.5, "self_attn": [0, 1], "*": 0.7}'
    assert recipe_of(pair, text).fingerprint() == recipe_of(pair, PATTERNS).fingerprint()


@pytest.mark.parametrize("alpha", [[0, 0], {"*": 1}])
def test_a_gradient_of_zeros_or_ones_is_a_merge_with_the_bits_of_that_checkpoint(pair, alpha):
    recipe = recipe_of(pair, alpha)
    checkpoint = recipe_of(pair, 0 if alpha == [0, 0] else 1)
    assert recipe.unmerged is None
    assert_all_bits_agree(dict(merged_tensors(recipe)), dict(merged_tensors(checkpoint)))
