"""A running engine goes to another base of the same instruct model: a stage of its training."""

import logging

import pytest

from hm_models.checkpoints.checkpoint import CheckpointError
from hm_models.errors import RecipeError
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import MergeStream
from tests.models.engines.test_set_alpha import assert_holds, model
from tests.models.tiny import TOKENS, copy_of, edit_config, tiny_checkpoint


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """Another stage of the base's training."""
    return tiny_checkpoint(tmp_path_factory.mktemp("stages") / "checkpoint-500", 7)


def go(lm, base, alpha):
    lm.engine.set_recipe(lm.recipe.with_base(str(base)).with_alpha(alpha))


@pytest.fixture
def pair(tmp_path):
    return [tiny_checkpoint(tmp_path / name, n) for n, name in enumerate(("base", "instruct"))]


def test_from_stage_to_stage_and_back_in_the_same_memory(pair, stage):
    base, instruct = pair
    lm = model(base, instruct)
    places = {name: p.data_ptr() for name, p in lm.lm.model.named_parameters()}
    for theirs, alpha in ((stage, 0.7), (stage, 0), (base, 0.3), (stage, 1), (stage, 0.3)):
        go(lm, theirs, alpha)
        assert_holds(lm, theirs, instruct, alpha)
        expected = MergeRecipe(str(theirs), str(instruct), alpha)
        assert lm.get_model_info()["merge"]["fingerprint"] == expected.fingerprint()
    lm.set_alpha(0.5)  # the pair is the new one from then on
    assert_holds(lm, stage, instruct, 0.5)
    assert places == {name: p.data_ptr() for name, p in lm.lm.model.named_parameters()}


def test_a_stage_with_its_tokens_in_other_rows_is_matched_anew(pair, tmp_path):
    moved = tiny_checkpoint(tmp_path / "moved", 5, tokens=(*TOKENS[:5], *reversed(TOKENS[5:])))
    lm = model(*pair)
    loaded = lm.lm
    for base, alpha in ((moved, 0.7), (pair[0], 0.3), (moved, 0.3)):
        go(lm, base, alpha)
        assert lm.lm is loaded
        assert_holds(lm, base, pair[1], alpha)


def test_before_the_model_is_loaded_only_the_recipe_changes(pair, stage):
    lm = model(*pair)
    go(lm, stage, 0.2)
    assert not lm.engine.is_loaded
    assert_holds(lm, stage, pair[1], 0.2)


def test_resident_files_are_the_new_pairs_in_a_new_engine(pair, stage, caplog):
    lm = model(*pair, keep_resident=True)
    assert lm.lm is not None
    with caplog.at_level(logging.INFO, "hm_models"):
        go(lm, stage, 0.7)
    assert "keep_resident=true holds the files of one pair" in caplog.text
    assert_holds(lm, stage, pair[1], 0.7)


def test_a_stage_with_another_output_head_gets_a_new_engine(pair, tmp_path, caplog):
    """The instruct model is tied: with an untied base the merge has a head of its own."""
    tied = tiny_checkpoint(tmp_path / "tied", 3, tied=True)
    lm = model(tiny_checkpoint(tmp_path / "tied-base", 4, tied=True), tied)
    assert lm.lm is not None
    with caplog.at_level(logging.INFO, "hm_models"):
        go(lm, pair[0], 0.7)
    assert "config.json differs" in caplog.text
    assert_holds(lm, pair[0], tied, 0.7)


def test_a_stage_that_does_not_fit_changes_nothing(pair, tmp_path):
    lm = model(*pair)
    assert lm.lm is not None
    wider = tiny_checkpoint(tmp_path / "wider", 3, intermediate=96)
    for theirs, error in ((wider, RecipeError), (tmp_path / "missing", CheckpointError)):
        with pytest.raises(error):
            go(lm, theirs, 0.3)
        assert_holds(lm, *pair, 0.7)
        lm.set_alpha(0.7)
        assert_holds(lm, *pair, 0.7)


def test_a_change_that_fails_half_way_keeps_the_pair_that_was(pair, stage, monkeypatch):
    lm = model(*pair)
    assert lm.lm is not None
    whole = MergeStream.tensors

    def half(self, recipe):
        for number, tensor in enumerate(whole(self, recipe)):
            if number == 5:
                raise OSError("the disk is gone")
            yield tensor

    monkeypatch.setattr(MergeStream, "tensors", half)
    with pytest.raises(OSError, match="the disk is gone"):
        go(lm, stage, 0.3)
    with pytest.raises(RuntimeError, match="failed half-way"):
        lm.generate_until([])
    monkeypatch.undo()
    lm.set_alpha(0.3)
    assert_holds(lm, *pair, 0.3)


def test_a_stage_with_another_config_is_another_model_at_alpha_0_alone(pair, stage, tmp_path):
    other = copy_of(stage, tmp_path / "other")
    edit_config(other, rms_norm_eps=0.1)
    lm = model(*pair)
    loaded = lm.lm
    go(lm, other, 0.5)
    assert lm.lm is loaded
    go(lm, other, 0)
    assert not lm.engine.is_loaded
    assert lm.lm.model.config.rms_norm_eps == 0.1
