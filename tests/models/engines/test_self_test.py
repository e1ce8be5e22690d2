"""An engine with other weights than its merge answers nothing; on vLLM: `test_live_vllm`, `test_pairs_vllm`."""

import logging

import pytest
import torch

from hm_models.engines.hf import HfEngine
from hm_models.engines.self_test import SelfTest, WrongWeightsError
from hm_models.errors import RecipeError
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe
from hm_models.merged import HindsightMerged


def model(base, instruct, **arguments):
    return HindsightMerged(
        **{"base": str(base), "instruct": str(instruct), "alpha": 0.7, "backend": "hf"} | arguments
    )


@pytest.fixture
def swapped(base, instruct, monkeypatch):
    """An engine that takes the base for the instruct model."""
    other = MergeRecipe(base=str(instruct), instruct=str(base), alpha=0.7)
    plain = HfEngine.merged
    monkeypatch.setattr(HfEngine, "merged", lambda engine, _, given: plain(engine, other, given))


def test_an_engine_with_swapped_sides_is_found_before_it_answers(base, instruct, swapped):
    lm = model(base, instruct)
    for _ in range(2):  # nor does it answer when it is asked again
        with pytest.raises(WrongWeightsError, match=r"alpha=0\.7: of 7 tensors .*, 7 differ "):
            assert lm.lm
        assert not lm.engine.is_loaded


def test_without_the_self_test_it_is_not(base, instruct, swapped):
    lm = model(base, instruct, self_test=False)
    assert lm.lm is not None


def test_a_change_of_alpha_that_does_not_arrive_is_found(base, instruct, monkeypatch):
    lm = model(base, instruct)
    assert lm.lm is not None
    with monkeypatch.context() as patch:
        patch.setattr(HfEngine, "change", lambda engine, recipe, stream: None)
        with pytest.raises(WrongWeightsError, match=r"does not hold the weights of .*alpha=0\.3"):
            lm.set_alpha(0.3)
    with pytest.raises(RuntimeError, match="failed half-way"):
        assert lm.lm
    lm.set_alpha(0.3)
    assert lm.lm is not None


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"keep_resident": True},
        {"dtype": "float32"},
        {"merge_method": "ties", "merge_params": {"density": 0.5}},
    ],
    ids=str,
)
def test_the_log_says_how_many_tensors_were_read_back(base, instruct, caplog, arguments):
    caplog.set_level(logging.INFO, "hm_models")
    lm = model(base, instruct, **arguments)
    assert lm.lm is not None
    lm.set_alpha(0.3)
    said = [text for text in caplog.messages if "self-test" in text]
    assert [text.partition("self-test of ")[2].rpartition("alpha=")[2] for text in said] == [
        f"{alpha}: 7 of 21 tensors were read back, and are the merge's" for alpha in (0.7, 0.3)
    ]


def test_two_models_side_by_side_hold_no_merge_to_read_back(base, instruct, caplog):
    caplog.set_level(logging.INFO, "hm_models")
    assert model(base, instruct, merge_method="mix").lm is not None
    said = " ".join(caplog.messages)
    assert "no self-test of " in said
    assert "as no process can be asked that holds this merge" in said


@pytest.mark.parametrize(
    "changed",
    [
        lambda weight: weight.to(torch.int8),  # quantised
        lambda weight: weight[: len(weight) // 2],  # a rank's part
        lambda weight: weight[:0],  # packed elsewhere
        lambda weight: weight.to("meta"),
    ],
)
def test_what_an_engine_holds_in_a_form_of_its_own_is_not_compared(base, instruct, changed):
    recipe = MergeRecipe(base=str(base), instruct=str(instruct), alpha=0.7)
    name = "model.layers.0.self_attn.o_proj.weight"
    weight = torch.zeros(recipe.instruct_checkpoint.tensors[name].shape, dtype=torch.bfloat16)
    holder = torch.nn.Module()
    *path, last = name.split(".")
    place = holder
    for part in path:
        place.add_module(part, torch.nn.Module())
        place = place.get_submodule(part)
    test = SelfTest(recipe, plan_merge(recipe))
    place.register_parameter(last, torch.nn.Parameter(weight, requires_grad=False))
    assert test.compare(holder) == ([name], [name])
    place.register_parameter(last, torch.nn.Parameter(changed(weight), requires_grad=False))
    assert test.compare(holder) == ([], [])


def test_the_option_is_true_or_false(base, instruct):
    with pytest.raises(RecipeError, match="self_test='never': expected true or false"):
        model(base, instruct, self_test="never")
