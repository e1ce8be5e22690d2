"""Configs are compared as transformers' classes read them."""

import json

import pytest

from hm_models.checkpoints.checkpoint import Checkpoint, CheckpointError
from hm_models.errors import RecipeError
from hm_models.merge.same_architecture import compare_configs, is_text_part_of
from tests.models.tiny import copy_of


@pytest.fixture
def pair(base, instruct, tmp_path):
    """Copies of the tiny pair, as `config(side, change)` may spoil them."""
    return copy_of(base, tmp_path / "base"), copy_of(instruct, tmp_path / "instruct")


def remarks(pair):
    return compare_configs(*(Checkpoint.open(str(side)) for side in pair))


def change(folder, **fields):
    """Set fields of a config.json, and take out those that are None."""
    file = folder / "config.json"
    config = json.loads(file.read_text()) | fields
    file.write_text(
        json.dumps({name: value for name, value in config.items() if value is not None})
    )


def test_a_default_that_one_config_leaves_out_is_no_difference(pair):
    change(pair[0], hidden_act=None, rms_norm_eps=None, architectures=None)
    assert remarks(pair) == []


def test_a_default_of_the_class_is_not_that_of_another_value(pair):
    change(
        pair[0], num_key_value_heads=None
    )  # the class takes the number of heads, 4; here it is 2
    with pytest.raises(
        RecipeError, match=r"num_key_value_heads is 4 in the former's config.json and 2"
    ):
        remarks(pair)


def test_fields_of_transformers_4_and_5_are_one(pair):
    change(pair[0], rope_parameters=None, rope_theta=10000.0, dtype=None, torch_dtype="bfloat16")
    assert remarks(pair) == []
    change(pair[0], rope_theta=5e5)
    (remark,) = remarks(pair)
    assert remark.startswith("rope_parameters differs in the configs")
    assert "500000.0" in remark


def test_a_class_for_other_ends_is_refused(pair):
    change(pair[1], architectures=["LlamaForSequenceClassification"])
    with pytest.raises(RecipeError, match="architectures is"):
        remarks(pair)


def test_a_multimodal_model_has_a_text_part_and_no_model_is_its_own(pair):
    text = json.loads((pair[0] / "config.json").read_text())
    whole = {"model_type": "llava", "text_config": text, "architectures": ["Llava"]}
    (pair[0] / "config.json").write_text(json.dumps(whole))
    base, instruct = (Checkpoint.open(str(side)) for side in pair)
    assert is_text_part_of(instruct, base)
    assert not is_text_part_of(base, instruct)
    assert not is_text_part_of(base, base)
    assert remarks(pair) == []


def test_a_config_that_its_class_refuses_is_named(pair):
    change(pair[1], num_attention_heads="many")
    with pytest.raises(CheckpointError, match=r"cannot be read as that of a llama model: .*many"):
        remarks(pair)


def test_a_class_of_the_repositorys_own_is_compared_as_it_is_written(pair):
    for side in pair:
        change(side, model_type="of_somebody")
    assert remarks(pair) == []
    change(pair[0], hidden_act="relu")
    with pytest.raises(RecipeError, match="hidden_act is 'relu'"):
        remarks(pair)
