"""What hm-merged stands on of vLLM, call by call: what to read again when there is a new vLLM.

    check_vllm()                                        # before an engine starts
    LLM(..., **loading(recipe, stream))                 # load_format, worker_extension_cls
    in_workers(llm, "change_recipe", pickled)           # collective_rpc, and there: reload(worker)
    forget_prefixes(llm)                                # reset_prefix_cache
    parameters(seed=17, max_tokens=64, top=20)          # seeds of requests, flat log-probabilities

Beside these: `LLMEngine.add_request`, `step` and `abort_request` (`sample_vllm`), the methods of
`DefaultModelLoader` that `vllm_loader` overrides, `get_numel_loaded` of its layerwise reload (`arrival`), the
interface of logits processors (`top_n_sigma_vllm`), the function that cuts by top-p (`top_p_on_cpu`), and the
classes whose fields `vllm_source` reads.

vLLM 0.32.0 is tested (its CPU build). In 0.33.0 all of these are the same, by its source: reload, registry of
loaders, log-probabilities and logits processors are unchanged files, `DefaultModelLoader` and
`SamplingParams` differ elsewhere, and worker extensions gained hooks that ours need not have. What would
change that: https://github.com/vllm-project/vllm/issues/54477 and pull request 51378, which replace the
layerwise reload.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from hm_models.errors import RecipeError
from hm_models.merge.contract import Merge
from hm_models.merge.stream import MergeStream

TESTED = "0.32.0"
LOAD_FORMAT = "hm-merged"
WORKER_EXTENSION = "hm_models.engines.vllm_loader.MergingWorker"
_RECIPE, _STREAM = "hm_recipe", "hm_stream"


def check_vllm() -> None:
    """Look for what is called by name, before minutes go into an engine that will want it.

    Raises:
        RecipeError: this vLLM does not have it.
    """
    import vllm
    from vllm.model_executor.model_loader.default_loader import DefaultModelLoader
    from vllm.model_executor.model_loader.reload import layerwise

    needed: tuple[tuple[Any, tuple[str, ...]], ...] = (
        (vllm.LLM, ("collective_rpc", "reset_prefix_cache")),
        (vllm.SamplingParams, ("seed", "logprobs", "prompt_logprobs", "flat_logprobs")),
        (
            DefaultModelLoader,
            ("_get_weights_iterator", "get_all_weights", "track_weights_loading"),
        ),
        (layerwise, ("get_numel_loaded",)),
    )
    if lost := [
        f"{of.__name__}.{name}" for of, names in needed for name in names if not hasattr(of, name)
    ] or _without_reset(vllm.LLM):
        raise RecipeError(
            f"vLLM {version('vllm')} has no {', '.join(lost)}, on which hm-merged stands. Install vLLM "
            f"{TESTED}, with which it is tested, or use backend=hf."
        )


def _without_reset(llm: type[Any]) -> list[str]:
    # Without it, what was moved out of the prefix cache would outlive a change of alpha.
    known = inspect.signature(llm.reset_prefix_cache).parameters
    return [] if "reset_connector" in known else ["reset_connector in LLM.reset_prefix_cache"]


# --- loading -------------------------------------------------------------------------------------


def loading(recipe: Merge, stream: MergeStream) -> dict[str, Any]:
    """The arguments of `vllm.LLM` that make it load this merge from the pair's stream."""
    return {
        "load_format": LOAD_FORMAT,
        "model_loader_extra_config": {_RECIPE: recipe, _STREAM: stream},
        "worker_extension_cls": WORKER_EXTENSION,
    }


def drafting(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What of an engine's arguments has a draft model that they name read from its own files.

    >>> drafting({"spec_model": "D", "spec_tokens": 3})
    {'speculative_config': {'draft_load_config': {'load_format': 'auto'}}}

    vLLM would load it as it loads the target: with the merge's weights. Where none is named (`ngram`, `mtp`),
    what drafts is a part of the merge, or no model.
    """
    given = arguments.get("speculative_config") or {}
    if not (given.get("model") or arguments.get("spec_model")):
        return {}
    return {"speculative_config": {"draft_load_config": {"load_format": "auto"}} | given}


def loaded_from(load_config: Any) -> tuple[Merge, MergeStream, Any]:
    """Recipe and stream in a worker's `LoadConfig`, and the config that vLLM's own loader knows."""
    extra = dict(load_config.model_loader_extra_config)
    recipe, stream = extra.pop(_RECIPE), extra.pop(_STREAM)
    # It refuses keys and formats that it does not know.
    plain = {"load_format": "safetensors", "model_loader_extra_config": extra}
    return recipe, stream, dataclasses.replace(load_config, **plain)


def load_from(load_config: Any, recipe: Merge, stream: MergeStream | None) -> None:
    """Have a worker load this next, from the stream that it has if none is given."""
    extra = load_config.model_loader_extra_config
    own = {_RECIPE: recipe, _STREAM: stream or extra[_STREAM]}
    load_config.model_loader_extra_config = {**extra, **own}


def reload(worker: Any) -> None:
    """In a worker: load all weights again, into the parameters that are there."""
    worker.reload_weights()


# --- a running engine ----------------------------------------------------------------------------


def in_workers(llm: Any, method: str, *arguments: object) -> list[Any]:
    """What a method of our worker extension returns, by worker; vLLM's messages know no classes."""
    return llm.collective_rpc(method, args=arguments)


def forget_prefixes(llm: Any) -> None:
    """Empty the prefix cache and what `kv_offloading_size` moved out of it: other weights computed it."""
    if not llm.reset_prefix_cache(reset_connector=True):
        raise RuntimeError("the prefix cache could not be reset while requests are running")


def vocabulary_size(llm: Any) -> int:
    return llm.llm_engine.model_config.get_vocab_size()


def end(llm: Any) -> None:
    """End the engine's processes."""
    llm.llm_engine.engine_core.shutdown()


# --- requests ------------------------------------------------------------------------------------


def parameters(top: int = 0, of_prompt: bool = False, **settings: Any) -> Any:
    """`SamplingParams` of one request.

    Args:
        top: how many log-probabilities to give beside each token's own (`rows_of`).
        of_prompt: whether they are the prompt's tokens, not the answer's.
        settings: seed, temperature, max_tokens, stop ..., by vLLM's names.
    """
    from vllm import SamplingParams

    if top:
        # As arrays: an object for each of a run's hundred million numbers would cost more than they do.
        settings |= {"prompt_logprobs" if of_prompt else "logprobs": top, "flat_logprobs": True}
    return SamplingParams(**settings)


def rows_of(pieces: Sequence[Any], top: int) -> np.ndarray:
    """[tokens, 1 + top] log-probabilities of flat pieces: the token's own first, then the likeliest.

    They are at temperature 1 and before top-p; the token may be one of the likeliest, too.
    """
    numbers = [np.array(piece.logprobs, dtype=np.float64) for piece in pieces]
    return np.concatenate(numbers).reshape(-1, top + 1)
