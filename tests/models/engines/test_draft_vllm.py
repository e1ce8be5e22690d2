"""A draft model of vLLM's drafts with its own weights; who answers is the merge, at each alpha."""

import itertools
from importlib.util import find_spec

import pytest
import torch

from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.writer import materialise
from tests.models.engines.shared_vllm import SharedVllm, vllm_pair
from tests.models.engines.test_live_vllm import greedy, greedy_by_transformers
from tests.models.tiny import read_tensors, tiny_checkpoint

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed"),
]
NORM = "model.norm.weight"


def norm_of(worker):
    """In a worker: the draft model's last norm."""
    return dict(worker.model_runner.drafter.model.named_parameters())[NORM].tolist()


def drafted(lm):
    return lm.lm.model.collective_rpc(norm_of)


def test_a_draft_model_has_its_own_weights_and_the_merge_answers(tmp_path, monkeypatch):
    monkeypatch.setenv("VLLM_ALLOW_INSECURE_SERIALIZATION", "1")  # a function goes to the worker
    vllm_pair(tmp_path)
    pair = {side: str(tmp_path / side) for side in ("base", "instruct")}
    draft = tiny_checkpoint(tmp_path / "draft", 7, dtype=torch.float32, hidden_size=128)
    norm = read_tensors(draft)[NORM].tolist()
    own = {"method": "draft_model", "model": str(draft), "num_speculative_tokens": 2}
    vllm = SharedVllm(tmp_path / "cache", **pair, alpha=0.7, speculative_config=own)
    try:
        assert vllm.ask(drafted) == [norm]
        found = [vllm.ask(greedy, alpha)[0] for alpha in (0.7, 0.3, 0)]
        assert vllm.ask(drafted) == [norm]
    finally:
        vllm.close()
    for alpha, answers in zip((0.7, 0.3, 0), found, strict=True):
        recipe = MergeRecipe(**pair, alpha=alpha)
        folder = materialise(recipe, plan_merge(recipe)) if alpha else pair["base"]
        right = greedy_by_transformers(folder)
        assert [tokens for tokens, _ in answers] == [tokens for tokens, _ in right]
        assert [p for _, p in answers] == pytest.approx([p for _, p in right], abs=1e-2)
    assert all(one != other for one, other in itertools.combinations(map(str, found), 2))
