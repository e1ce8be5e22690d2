"""The matrix of pairs through vLLM's loaders: the stream is the merge on disk, and so is each change.

No engine starts: one process goes through all pairs (`tests.models.engines.vllm_world`) and says what differs.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hm_models.engines.vllm import keeps_a_bias
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.writer import write_checkpoint
from tests.models.adapters import adapter_of, written
from tests.models.families import FAMILIES
from tests.models.pairs import ARCHITECTURES, EXPERTS, pair_of, with_copied_head
from tests.models.tiny import TOKENS, edit_tensors

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("vllm") is None, reason="vLLM is not installed"
)
ROOT = Path(__file__).parents[3]
ONE_CONFIG = (0.3, 0.7, 1.0, 0.0)
# Sides with configs of their own: an engine goes from merge to merge alone (`live.why_restart`).
OWN_CONFIGS = (0.3, 0.7)
# vLLM's OLMoE ignores tie_word_embeddings and leaves its head unset, so there is nothing to compare.
TIED = sorted(ARCHITECTURES.keys() - {"olmoe"})
PAST_LOADERS = "gpt_oss"
# vLLM's classes read pictures with torchvision, also where the fine-tune is of the text alone.
NEED_TORCHVISION = ("Gemma 3, multimodal", "Mistral Small 3", "Qwen3.5, text alone")
# vLLM's Gemma 2 has no head, and cannot load a merge on disk whose tied head is there twice.
HEADLESS = "Gemma 2"
STALE = "phi tied"  # the one that a reload leaves half old (`live.why_restart_vllm`)
PAIRS = {
    **{name: ({}, ONE_CONFIG) for name in ARCHITECTURES},
    **{f"{name} tied": ({"tied": True}, ONE_CONFIG) for name in TIED},
    "llama float16": ({"dtype": torch.float16}, ONE_CONFIG),
    "llama float32": ({"dtype": torch.float32}, ONE_CONFIG),
    "llama float32 with bfloat16": ({"base": {"dtype": torch.float32}}, OWN_CONFIGS),
    "llama base tied": ({"base": {"tied": True}}, OWN_CONFIGS),
    "llama instruct tied": ({"instruct": {"tied": True}}, OWN_CONFIGS),
    "llama added tokens": ({"instruct": {"tokens": (*TOKENS, "<a>")}}, OWN_CONFIGS),
    "llama padded": ({"instruct": {"rows": 96}}, OWN_CONFIGS),
    "llama copied heads": ({"tied": True, "shard_size": "5GB"}, ONE_CONFIG),
    PAST_LOADERS: ({}, ONE_CONFIG),
    "llama adapter": ({}, ONE_CONFIG),
    "llama copied head": ({"tied": True, "shard_size": "5GB"}, OWN_CONFIGS),
}


def job_of(name, folder):
    if name in FAMILIES:
        FAMILIES[name].write(folder)
        base, instruct, alphas = folder / "base", folder / "instruct", OWN_CONFIGS
    else:
        options, alphas = PAIRS[name]
        base, instruct = pair_of(name.split()[0], folder, **options)
    if "copied" in name:
        with_copied_head(instruct)
    if "heads" in name:
        with_copied_head(base)
    job = {"base": str(base), "instruct": str(instruct), "overrides": {}, "on_disk": {}}
    if "adapter" in name:
        adapter = adapter_of(base, folder / "adapter", rank_pattern={"q_proj": 3}, use_dora=True)
        instruct = written(base, adapter, folder / "whole")
        job["instruct"] = str(adapter)
    for alpha in alphas:
        recipe = MergeRecipe(base=str(base), instruct=str(instruct), alpha=alpha)
        plan = plan_merge(recipe)
        job["overrides"] = plan.config_overrides
        job["on_disk"][str(alpha)] = str(write_checkpoint(recipe, plan, folder / str(alpha)))
        if name == HEADLESS:
            edit_tensors(folder / str(alpha), lambda tensors: tensors.pop("lm_head.weight"))
    return job


# vLLM 0.32 has no code of its own for these, and transformers' classes hold their tensors under other names.
THROUGH_TRANSFORMERS = {"gpt_neox", "gpt_neox tied", "Pythia"}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What differs, by pair and step; see `vllm_world`."""
    folder = tmp_path_factory.mktemp("pairs")
    names = [*PAIRS, *(name for name in FAMILIES if name not in NEED_TORCHVISION)]
    jobs = {name: job_of(name, folder / name.replace(" ", "-")) for name in names}
    (folder / "jobs.json").write_text(json.dumps(jobs))
    command = [sys.executable, "-m", "tests.models.engines.vllm_world", "jobs.json", "found.json"]
    command[-2:] = [str(folder / file) for file in command[-2:]]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads((folder / "found.json").read_text())


@pytest.mark.engine
@pytest.mark.parametrize("name", PAIRS)
def test_the_streamed_model_is_that_of_the_merge_on_disk(found, name):
    assert "error" not in found[name], "\n".join(found[name]["error"])
    assert found[name]["load"] == []


@pytest.mark.engine
@pytest.mark.parametrize("name", sorted(PAIRS.keys() - {STALE, PAST_LOADERS}))
def test_each_change_of_alpha_gives_the_model_of_the_merge_on_disk(found, name):
    assert "error" not in found[name], "\n".join(found[name]["error"])
    steps = {step: differs for step, differs in found[name].items() if ": " in step}
    assert len(steps) == (4 if PAIRS[name][1] == ONE_CONFIG else 2)
    assert {step: differs for step, differs in steps.items() if differs} == {}


@pytest.mark.engine
@pytest.mark.parametrize(
    ("name", "words"),
    [
        (STALE, "vLLM did not write 1 parameters again, first lm_head.bias"),
        (PAST_LOADERS, "past vLLM's weight loaders"),
    ],
)
def test_an_engine_that_would_keep_old_weights_says_so(found, name, words):
    (reason,) = found[name]["refused 0"]
    assert words in reason
    assert found[name]["load"] == []


@pytest.mark.engine
@pytest.mark.parametrize("name", [*PAIRS, *sorted(FAMILIES.keys() - set(NEED_TORCHVISION))])
def test_the_self_test_alarms_at_another_merge_and_at_no_right_one(found, name):
    assert found[name]["wrong"] == []
    assert bool(found[name]["compared"]) == (name not in THROUGH_TRANSFORMERS)
    # What an adapter leaves alone is the same at every alpha.
    told_apart = "adapter" not in name and name not in THROUGH_TRANSFORMERS
    assert bool(found[name]["wrong at another alpha"]) == told_apart


@pytest.mark.engine
def test_every_other_engine_is_known_to_have_taken_each_tensor(found):
    refused = {name for name, steps in found.items() if steps.get("refused 0")}
    assert refused == {STALE, PAST_LOADERS}
    assert [name for name, steps in found.items() if steps["left"]] == [HEADLESS]


@pytest.mark.engine
@pytest.mark.parametrize("name", sorted(FAMILIES.keys() - set(NEED_TORCHVISION)))
def test_a_familys_streamed_and_changed_model_is_that_of_the_merge_on_disk(found, name):
    assert "error" not in found[name], "\n".join(found[name]["error"])
    steps = {step: differs for step, differs in found[name].items() if step[0].isdigit()}
    assert len(steps) == 2
    assert found[name]["load"] == []
    assert {step: differs for step, differs in steps.items() if differs} == {}
    assert len(found[name]["control"]) >= 15  # each layer's parameters follow alpha


def test_what_a_reload_leaves_old_is_known_before_it(tmp_path):
    reasons = {}
    for name in ("phi", "phi tied", "llama", "llama tied"):
        pair = pair_of(name.split()[0], tmp_path / name, tied="tied" in name)
        recipe = MergeRecipe(base=str(pair[0]), instruct=str(pair[1]), alpha=0.7)
        reasons[name] = keeps_a_bias(recipe)
    # Once vLLM loads the bias of a tied head again, why_restart_vllm has nothing left to say.
    assert [name for name, reason in reasons.items() if reason] == [STALE]


@pytest.mark.engine
@pytest.mark.parametrize("name", PAIRS)
def test_another_alpha_is_seen_in_every_layer(found, name):
    # Norms, embeddings and what is packed: else an empty list would mean nothing.
    seen = " ".join(found[name]["control"])
    assert ("embed" in seen) == ("adapter" not in name)  # the adapter changes linear layers alone
    assert seen.count("(packed)") >= 5
    assert ("experts" in seen) == (name.split()[0] in (*EXPERTS, PAST_LOADERS))
    assert "layers.0." in seen
    assert "layers.1." in seen
