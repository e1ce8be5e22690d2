"""Models with code of their repository: it comes along, runs if it is trusted, and nobody is asked."""

import importlib.util
from pathlib import Path

import pytest

from hm_models.errors import RecipeError
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.writer import write_checkpoint
from hm_models.merged import HindsightMerged
from tests.instances import instance
from tests.models.tiny import copy_of, edit_config

CODE = """
from transformers import LlamaConfig, LlamaForCausalLM
from .more_of_it import NAME

class TinyConfig(LlamaConfig):
    model_type = NAME

class TinyForCausalLM(LlamaForCausalLM):
    config_class = TinyConfig
"""
NAMES = {
    "AutoConfig": "modeling_tiny.TinyConfig",
    "AutoModelForCausalLM": "modeling_tiny.TinyForCausalLM",
}


@pytest.fixture
def pair(tmp_path, base, instruct, monkeypatch):
    """The tiny pair as models of a type that transformers does not know."""
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked at the terminal"))
    sides = {
        "base": copy_of(base, tmp_path / "base"),
        "instruct": copy_of(instruct, tmp_path / "i"),
    }
    for side in sides.values():
        own = {"model_type": "tiny_own", "architectures": ["TinyForCausalLM"], "auto_map": NAMES}
        edit_config(side, **own)
        (side / "modeling_tiny.py").write_text(CODE)
        (side / "more_of_it.py").write_text('NAME = "tiny_own"\n')
    return {name: str(side) for name, side in sides.items()}


def greedy(lm):
    asked = {"until": ["</s>"], "max_gen_toks": 6, "do_sample": False}
    return lm.generate_until(
        [instance("generate_until", {}, ("w1 w2", asked), 0)], disable_tqdm=True
    )


@pytest.mark.parametrize("on_disk", [True, False])
def test_a_merge_has_the_code_and_runs_with_it(pair, base, instruct, on_disk):
    plain = {"base": str(base), "instruct": str(instruct)}
    for alpha in (0.7, 1):
        model = {"alpha": alpha, "backend": "hf", "prompt_style": "completion"}
        model |= {"materialize": on_disk}
        lm = HindsightMerged(**pair, **model, trust_remote_code=True)
        assert greedy(lm) == greedy(HindsightMerged(**plain, **model))
        assert type(lm.lm.model).__name__ == "TinyForCausalLM"


def test_code_is_copied_where_a_config_names_it_alone(pair, base, instruct, tmp_path):
    recipe = MergeRecipe(**pair, alpha=0.7)
    written = write_checkpoint(recipe, plan_merge(recipe), tmp_path / "own")
    assert {file.name for file in written.glob("*.py")} == {"modeling_tiny.py", "more_of_it.py"}
    (copy_of(instruct, tmp_path / "other") / "train.py").write_text("")
    recipe = MergeRecipe(base=str(base), instruct=str(tmp_path / "other"), alpha=0.7)
    assert not list(write_checkpoint(recipe, plan_merge(recipe), tmp_path / "plain").glob("*.py"))


@pytest.mark.parametrize("backend", ["hf", "vllm"])
def test_without_trust_it_is_a_sentence_before_anything_is_loaded(pair, backend, no_weights):
    if importlib.util.find_spec(backend) is None and backend == "vllm":
        pytest.skip("vLLM is not installed")
    with pytest.raises(
        RecipeError, match=r"tiny_own model, which needs code.*trust_remote_code=true"
    ):
        HindsightMerged(**pair, alpha=0.7, backend=backend)


def test_a_type_that_transformers_knows_needs_no_trust(pair):
    # As Phi-3 on the hub, whose code came before transformers had it.
    for side in pair.values():
        edit_config(Path(side), model_type="llama", architectures=["LlamaForCausalLM"])
    lm = HindsightMerged(**pair, alpha=0.7, backend="hf", prompt_style="completion")
    assert greedy(lm)
    assert type(lm.lm.model).__name__ == "LlamaForCausalLM"
