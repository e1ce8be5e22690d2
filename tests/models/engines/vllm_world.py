"""vLLM's own loaders on the CPU without an engine: a world of one rank, one model after another.

    python -m tests.models.engines.vllm_world JOBS RESULTS

JOBS is a JSON of {name: Job}. RESULTS gets {name: {step: what differs}}: `load` is the streamed model
against vLLM's default loader on the merge on disk, each later step a change of alpha in that model. It
is a process of its own, as vLLM patches transformers and sets up torch.distributed once and for all.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import sys
import traceback
from pathlib import Path
from typing import TypedDict

os.environ |= {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}

import torch
from vllm import EngineArgs, ModelRegistry
from vllm.config import VllmConfig, set_current_vllm_config
from vllm.distributed import ensure_model_parallel_initialized, init_distributed_environment
from vllm.model_executor.layers.linear import LinearBase
from vllm.model_executor.model_loader import get_model_loader
from vllm.model_executor.model_loader.reload.inplace import reload_weights
from vllm.v1.worker.cpu_model_runner import _set_torch_accelerator_to_noop

from hm_models.engines.self_test import SelfTest
from hm_models.engines.vllm_calls import loading
from hm_models.engines.vllm_loader import MergingWorker
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import MergeStream

ALPHAS = (0.3, 0.7, 1.0, 0.0, 0.3)


class Job(TypedDict):
    """A pair, the config's overrides, and by alpha the merges on disk; steps go through the alphas."""

    base: str
    instruct: str
    overrides: dict[str, object]
    on_disk: dict[str, str]


class Worker(MergingWorker):
    """What `MergingWorker` expects of vLLM's worker, whose `reload_weights` is these two lines."""

    def __init__(self, vllm_config: VllmConfig, model: torch.nn.Module) -> None:
        self.vllm_config, self.model = vllm_config, model

    def get_model(self) -> torch.nn.Module:
        return self.model

    def reload_weights(self) -> None:
        with set_current_vllm_config(self.vllm_config):
            reload_weights(self.vllm_config, self.model, None, None, True)


def config_of(folder: str, **arguments: object) -> VllmConfig:
    (architecture,) = json.loads((Path(folder) / "config.json").read_text())["architectures"]
    # Known by its class, vLLM need not start a process to look at it.
    model_class = ModelRegistry.models[architecture].load_model_cls()
    ModelRegistry.register_model(architecture, model_class)
    arguments |= {"model": folder, "enforce_eager": True, "max_model_len": 128}
    return EngineArgs(**arguments).create_engine_config()


def load(config: VllmConfig) -> torch.nn.Module:
    with set_current_vllm_config(config):
        loader = get_model_loader(config.load_config)
        return loader.load_model(vllm_config=config, model_config=config.model_config)


def start_world(config: VllmConfig, folder: Path) -> None:
    """Must see the config of a mixture of experts, else there is no group for experts."""
    with set_current_vllm_config(config):
        init_distributed_environment(1, 0, f"file://{folder}/world", 0, "gloo")
        ensure_model_parallel_initialized(1, 1)


@torch.inference_mode()
def differing(one: torch.nn.Module, other: torch.nn.Module) -> list[str]:
    """Parameters and packed products that differ between two models of one config."""
    ours, theirs = (dict(model.named_parameters(remove_duplicate=False)) for model in (one, other))
    found = sorted(ours.keys() ^ theirs.keys())
    found += [
        name for name in ours.keys() & theirs.keys() if not torch.equal(ours[name], theirs[name])
    ]
    modules = dict(other.named_modules())
    generator = torch.Generator().manual_seed(0)
    for name, module in one.named_modules():
        if hasattr(module, "cpu_linear"):
            # Linear layers multiply with a packed copy; most have no other any more.
            size = module.input_size if isinstance(module, LinearBase) else module.embedding_dim
            x = torch.randn(3, size, generator=generator).to(next(iter(ours.values())).dtype)
            pair = (module, modules[name])
            products = [layer.cpu_linear(x, layer.weight, None) for layer in pair]
            if not torch.equal(*products):
                found.append(f"{name} (packed)")
        elif hasattr(module, "w13_weight"):
            x = torch.randn(3, 64, generator=generator).to(module.w13_weight.dtype)
            weights, experts = torch.full((3, 2), 0.5), torch.tensor([[0, 1], [2, 3], [3, 0]])
            outs = [
                layer.quant_method.forward_native(layer, x, weights, experts.int(), None, None)
                for layer in (module, modules[name])
            ]
            if not torch.equal(*outs):
                found.append(f"{name} (packed)")
    return sorted(found)


def run(job: Job) -> dict[str, list[str]]:
    alphas = [alpha for alpha in ALPHAS if str(alpha) in job["on_disk"]]
    fresh = {alpha: load(config_of(job["on_disk"][str(alpha)])) for alpha in set(alphas)}
    recipe = MergeRecipe(base=job["base"], instruct=job["instruct"], alpha=alphas[0])
    streamed = loading(recipe, MergeStream(plan_merge(recipe)))
    config = config_of(
        str(recipe.instruct_checkpoint.folder), hf_overrides=job["overrides"], **streamed
    )
    model = load(config)
    worker = Worker(config, model)
    plan = plan_merge(recipe)
    found = {"load": differing(model, fresh[alphas[0]]), "left": worker.tensors_left()}
    compared, wrong = worker.compare(pickle.dumps(SelfTest(recipe, plan)))
    other = worker.compare(pickle.dumps(SelfTest(recipe.with_alpha(alphas[1]), plan)))[1]
    found |= {"compared": compared, "wrong": wrong, "wrong at another alpha": other}
    found["control"] = differing(model, fresh[alphas[1]])
    for step, alpha in enumerate(alphas[1:]):
        reason = worker.change_recipe(pickle.dumps((recipe.with_alpha(alpha), None)))
        found[f"refused {step}"] = [] if reason is None else [reason]
        if reason is not None:
            return found  # the model holds parts of two merges, and must not be used
        found[f"{step}: {alpha}"] = differing(model, fresh[alpha])
        found["wrong"] += worker.compare(pickle.dumps(SelfTest(recipe.with_alpha(alpha), plan)))[1]
    return found


def main(jobs_file: Path, results_file: Path) -> None:
    jobs: dict[str, Job] = json.loads(jobs_file.read_text())
    _set_torch_accelerator_to_noop()  # as vLLM's CPU worker does when it starts
    gc.freeze()  # each load collects garbage twice, and the modules are most of what there is
    start_world(config_of(jobs["mixtral"]["instruct"]), jobs_file.parent)
    results: dict[str, dict[str, list[str]]] = {}
    for name, job in jobs.items():
        try:
            results[name] = run(job)
        except Exception:
            results[name] = {"error": traceback.format_exc().splitlines()[-8:]}
    results_file.write_text(json.dumps(results))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
