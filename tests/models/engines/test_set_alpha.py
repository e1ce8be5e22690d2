"""`set_alpha` either leaves the model as it was, or at the new alpha, or refusing to answer."""

import os
import sys

import pytest
import torch

from hm_models.checkpoints.checkpoint import CheckpointError
from hm_models.errors import RecipeError
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import MergeStream, merged_tensors
from hm_models.merged import HindsightMerged
from tests.models.tiny import copy_of, edit_config, same_bits


def model(base, instruct, alpha=0.7, **arguments):
    return HindsightMerged(
        base=str(base), instruct=str(instruct), alpha=alpha, backend="hf", **arguments
    )


def assert_holds(lm, base, instruct, alpha):
    """The model's parameters are, bit for bit, the merge at `alpha`."""
    found = dict(lm.lm.model.named_parameters())
    expected = dict(merged_tensors(MergeRecipe(str(base), str(instruct), alpha)))
    assert found.keys() == expected.keys()
    assert [name for name in found if not same_bits(found[name].data, expected[name])] == []


@pytest.mark.parametrize("arguments", [{}, {"keep_resident": True}], ids=["files", "resident"])
def test_there_and_back_in_the_same_memory(base, instruct, arguments):
    lm = model(base, instruct, **arguments)
    places = {name: p.data_ptr() for name, p in lm.lm.model.named_parameters()}
    for alpha in (0.3, 1, 0, [0.2, 0.9], {"mlp": 0.1, "*": 0.5}, 0.7):
        lm.set_alpha(alpha)
        assert_holds(lm, base, instruct, alpha)
    assert places == {name: p.data_ptr() for name, p in lm.lm.model.named_parameters()}


def test_resident_checkpoints_are_read_no_more(base, instruct, tmp_path):
    ours, theirs = copy_of(base, tmp_path / "b"), copy_of(instruct, tmp_path / "i")
    lm = model(ours, theirs, keep_resident=True)
    assert lm.lm is not None
    opened = []

    def watch(event, arguments):
        if event == "open" and str(arguments[0]).endswith(".safetensors"):
            opened.append(arguments[0])

    sys.addaudithook(watch)
    lm.set_alpha(0.2)
    assert opened == []
    assert_holds(lm, base, instruct, 0.2)
    assert opened, "the watch sees nothing, so it shows nothing"


def test_before_the_model_is_loaded_only_the_recipe_changes(base, instruct):
    lm = model(base, instruct)
    lm.set_alpha(0.2)
    assert not lm.engine.is_loaded
    assert_holds(lm, base, instruct, 0.2)


def test_fingerprint_and_prompt_style_follow(base, instruct):
    lm = model(base, instruct)
    for alpha, style in ((0.3, "chat"), (0, "completion"), (1, "chat")):
        lm.set_alpha(alpha)
        info = lm.get_model_info()
        assert info["merge"]["alpha"] == alpha
        recipe = MergeRecipe(str(base), str(instruct), alpha)
        assert info["merge"]["fingerprint"] == recipe.fingerprint()
        assert info["prompt_style"] == style


@pytest.mark.parametrize("alpha", [1.4, "much", [], {"mlp": 0.5}])
def test_a_bad_alpha_changes_nothing(base, instruct, alpha):
    lm = model(base, instruct)
    assert lm.lm is not None
    with pytest.raises(RecipeError, match="alpha"):
        lm.set_alpha(alpha)
    assert lm.recipe.alpha == 0.7
    assert_holds(lm, base, instruct, 0.7)


def test_a_checkpoint_that_was_written_over_is_not_mixed_in(base, instruct, tmp_path):
    theirs = copy_of(instruct, tmp_path / "i")
    lm = model(base, theirs)
    assert lm.lm is not None
    os.utime(next(theirs.glob("*.safetensors")), ns=(0, 0))
    with pytest.raises(CheckpointError, match="was changed or removed since it was opened"):
        lm.set_alpha(0.3)
    assert_holds(lm, base, instruct, 0.7)


def test_a_change_that_fails_half_way_leaves_no_model_that_answers(base, instruct, monkeypatch):
    lm = model(base, instruct)
    assert lm.lm is not None
    whole = MergeStream.tensors

    def half(self, recipe):
        for number, pair in enumerate(whole(self, recipe)):
            if number == 5:
                raise OSError("the disk is gone")
            yield pair

    monkeypatch.setattr(MergeStream, "tensors", half)
    with pytest.raises(OSError, match="the disk is gone"):
        lm.set_alpha(0.3)
    with pytest.raises(RuntimeError, match=r"alpha=0.3 failed half-way .*the disk is gone"):
        lm.generate_until([])
    monkeypatch.undo()
    lm.set_alpha(0.3)
    assert_holds(lm, base, instruct, 0.3)


def test_another_config_at_the_base_means_another_model(base, instruct, tmp_path):
    ours = copy_of(base, tmp_path / "b")
    edit_config(ours, rms_norm_eps=0.1)
    lm = model(ours, instruct)
    merged = lm.lm
    lm.set_alpha(0)
    assert not lm.engine.is_loaded
    assert lm.lm is not merged
    assert lm.lm.model.config.rms_norm_eps == 0.1


def test_a_materialised_merge_is_not_changed(base, instruct):
    lm = model(base, instruct, materialize=True)
    with pytest.raises(RecipeError, match="leave materialize=true out"):
        lm.set_alpha(0.3)


def test_mixing_changes_its_weight_alone(base, instruct):
    lm = model(base, instruct, merge_method="mix")
    tokens = torch.tensor([[5, 6, 7]])
    logits = {}
    with torch.no_grad():
        for alpha in (0.7, 0.3, 1, 0.7):
            lm.set_alpha(alpha)
            logits[alpha] = lm.lm.model(tokens).logits.exp()
        sides = [
            torch.softmax(getattr(lm.lm.model, side)(tokens).logits.float(), -1)
            for side in ("base", "instruct")
        ]
    for alpha, found in logits.items():
        assert torch.allclose(found, (1 - alpha) * sides[0] + alpha * sides[1], atol=1e-5)
