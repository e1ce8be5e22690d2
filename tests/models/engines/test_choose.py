"""The engine of a backend is chosen in one place, and gets what was parsed, opened and planned once."""

import ast
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import hm_models
from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.engines import choose
from hm_models.engines.choose import choose_engine
from hm_models.engines.hf import HfEngine
from hm_models.engines.side_by_side.engines import MixEngine, SwitchEngine
from hm_models.errors import RecipeError
from hm_models.merge import pair_method
from hm_models.merge import stream as stream_module
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import MergeStream, merged_tensors
from tests.models.tiny import same_bits

ROOT = Path(hm_models.__file__).parents[1]


def test_each_method_has_its_engine():
    assert choose_engine("hf") is HfEngine
    assert choose_engine("auto", method="mix") is MixEngine
    assert choose_engine("hf", method="switch") is SwitchEngine


def test_auto_takes_vllm_only_where_it_is_installed(monkeypatch):
    monkeypatch.setattr(choose.importlib.util, "find_spec", lambda name: None)
    assert choose_engine("auto") is HfEngine
    with pytest.raises(RecipeError, match="vLLM is not installed"):
        choose_engine("vllm")
    with pytest.raises(RecipeError, match="Known: auto, vllm, hf"):
        choose_engine("jax")


def compared_with_a_backend(file):
    """Lines of a module that compare something with a backend's name."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        if any(isinstance(side, ast.Constant) and side.value in ("vllm", "hf") for side in sides):
            yield node.lineno


def test_a_backend_is_known_by_its_name_in_one_module_alone():
    modules = [
        f for floor in ("hm_models", "hm_metrics", "hm_tasks") for f in (ROOT / floor).rglob("*.py")
    ]
    ours = [
        file for file in modules if file.parent.name != "plugin"
    ]  # those speak of the harness's
    found = {file.name for file in ours if list(compared_with_a_backend(file))}
    assert found == {"choose.py"}


@pytest.mark.parametrize("how", [{"alpha": 0.3}, {"alpha": [0.2, 0.9]}, {"alpha": 1}])
def test_a_worker_neither_parses_nor_opens_nor_plans(base, instruct, monkeypatch, how):
    recipe = MergeRecipe(str(base), str(instruct), **how)
    expected = dict(merged_tensors(recipe))
    carried = pickle.dumps((recipe, MergeStream(plan_merge(recipe))))

    def again(*_):
        raise AssertionError("done before")

    monkeypatch.setattr(pair_method, "parse_alpha", again)
    monkeypatch.setattr(stream_module, "plan_merge", again)
    monkeypatch.setattr(Checkpoint, "open", again)
    there, stream = pickle.loads(carried)
    found = {name: tensor.merged() for name, tensor in stream.tensors(there)}
    assert found.keys() == expected.keys()
    assert all(same_bits(found[name], expected[name]) for name in expected)


def test_a_merge_by_one_number_needs_no_mergekit(base, instruct):
    code = f"""
import sys
from hm_models import MergeRecipe, merged_tensors
assert sum(1 for _ in merged_tensors(MergeRecipe({str(base)!r}, {str(instruct)!r}, 0.7)))
assert "mergekit" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
