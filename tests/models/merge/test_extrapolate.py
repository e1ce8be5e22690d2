"""Beyond the two checkpoints alpha goes only with `extrapolate=true`, by mergekit's bits, and it is said."""

import json

import pytest
import torch

from hm_models.errors import RecipeError
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import merged_tensors
from hm_models.merged import HindsightMerged
from tests.models.merge.by_mergekit import (
    assert_all_bits_agree,
    configuration,
    merged_by_mergekit,
    run_mergekit,
)
from tests.models.tiny import edit_tensors, tiny_checkpoint


def recipe_of(base, instruct, alpha, **fields):
    return MergeRecipe(str(base), str(instruct), alpha, extrapolate=True, **fields)


@pytest.mark.parametrize("alpha", [1.4, -0.3, 2.5])
def test_linear_has_the_bits_of_mergekits_negative_weight(base, instruct, alpha, tmp_path):
    """mergekit takes a negative weight as any other, and divides by the sum of both, which is 1."""
    expected = merged_by_mergekit(base, instruct, alpha, tmp_path / "merged")
    merged = dict(merged_tensors(recipe_of(base, instruct, alpha)))
    assert_all_bits_agree(merged, expected)
    content = configuration(
        *(base, instruct),
        both={"normalize": False},
        ours={"weight": 1.0 - alpha},
        theirs={"weight": alpha},
    )
    plain = recipe_of(base, instruct, alpha, merge_params={"normalize": False})
    assert_all_bits_agree(
        dict(merged_tensors(plain)), run_mergekit(content, tmp_path / "undivided")
    )


@pytest.mark.parametrize(("method", "more"), [("task_arithmetic", {}), ("ties", {"density": 0.5})])
def test_task_vectors_go_on_as_mergekits_lambda(base, instruct, method, more, tmp_path):
    content = configuration(
        *(base, instruct, method), both={"lambda": 1.4, **more}, theirs={"weight": 1.0}
    )
    merged = recipe_of(base, instruct, 1.4, merge_method=method, merge_params=more)
    assert_all_bits_agree(dict(merged_tensors(merged)), run_mergekit(content, tmp_path / "merged"))


def test_gradients_and_patterns_go_beyond_too(base, instruct):
    alpha = {"mlp": [0.5, 1.5], "*": -0.5}
    assert recipe_of(base, instruct, json.dumps(alpha)).alpha == {"mlp": (0.5, 1.5), "*": -0.5}
    assert recipe_of(base, instruct, alpha).remarks
    assert not recipe_of(base, instruct, {"mlp": [0.5, 1.0], "*": 0.5}).remarks


@pytest.mark.parametrize("method", ["mix", "slerp", "nuslerp", "nearswap"])
def test_methods_without_a_way_beyond_refuse(base, instruct, method):
    with pytest.raises(RecipeError, match=f"{method} has no way on beyond the two models"):
        recipe_of(base, instruct, 1.4, merge_method=method)


def test_switch_refuses(base, instruct):
    with pytest.raises(RecipeError, match="switch has no way on beyond"):
        recipe_of(base, instruct, None, merge_method="switch", merge_params={"probability": 0.1})


@pytest.mark.parametrize("alpha", [float("nan"), float("inf"), "-inf", "1e999", [0.5, "nan"]])
def test_what_is_no_number_stays_refused(base, instruct, alpha):
    with pytest.raises(RecipeError, match=r"alpha=.*(lies outside|is not a number)"):
        recipe_of(base, instruct, alpha)


def test_without_it_the_error_names_it(base, instruct):
    with pytest.raises(RecipeError, match="or extrapolate=true if beyond is meant"):
        MergeRecipe(str(base), str(instruct), 1.4)
    with pytest.raises(RecipeError, match="extrapolate='yes': expected true or false"):
        MergeRecipe(str(base), str(instruct), 0.4, extrapolate="yes")


@pytest.mark.parametrize("alpha", [0, 0.7, 1, [0.2, 0.9]])
def test_within_the_ends_it_is_the_plain_merge(base, instruct, alpha):
    plain = MergeRecipe(str(base), str(instruct), alpha)
    allowed = recipe_of(base, instruct, alpha)
    assert allowed.fingerprint() == plain.fingerprint()
    assert_all_bits_agree(dict(merged_tensors(allowed)), dict(merged_tensors(plain)))
    assert MergeRecipe(**allowed.to_dict()) == allowed


def test_a_merge_that_leaves_the_numbers_is_refused(base, tmp_path):
    large = tiny_checkpoint(tmp_path / "large", 1)
    edit_tensors(large, lambda tensors: tensors["model.norm.weight"].fill_(3e38))
    with pytest.raises(RecipeError, match=r"model.norm.weight holds values that .* no numbers for"):
        dict(merged_tensors(recipe_of(base, large, 4.0)))


def test_a_running_model_goes_there_and_back_and_says_so(base, instruct):
    lm = HindsightMerged(
        base=str(base), instruct=str(instruct), alpha=0.7, extrapolate=True, backend="hf"
    )
    assert lm.lm is not None
    assert lm.get_model_info()["merge"]["remarks"] == []
    for alpha in (1.3, -0.2):
        lm.set_alpha(alpha)
        (said,) = lm.get_model_info()["merge"]["remarks"]
        assert said.startswith(f"alpha={alpha} lies outside [0, 1], so the merge is extrapolated")
        assert lm.get_model_info()["merge"]["extrapolate"] is True
        assert lm.prompt_style == "chat"
        expected = dict(merged_tensors(recipe_of(base, instruct, alpha)))
        found = dict(lm.lm.model.named_parameters())
        assert all(torch.equal(found[name], expected[name]) for name in found)
    lm.set_alpha(0.7)
    assert lm.get_model_info()["merge"]["remarks"] == []
