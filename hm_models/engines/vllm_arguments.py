"""Which arguments of vLLM have no place in a merge, and why.

    >>> reason_against("load_format", {"load_format": "auto"}, on_disk=False).partition(",")[0]
    'cannot be set'

vLLM knows a model by its folder, which for a streamed merge is the instruct model's at every alpha. Whatever
keeps something of a model under that name must end with the engine, or be emptied with each change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hm_models.engines.vllm_source import replicas_are_ranks

OURS = ("load_format", "model_loader_extra_config", "worker_extension_cls")
SPECULATIVE = ("speculative_config", "spec_method", "spec_model")
# What keeps computed prompts outside the engine, and its value that does not.
OUTSIDE = {"kv_transfer_config": None, "kv_offloading_backend": "native"}


def reason_against(argument: str, arguments: Mapping[str, Any], on_disk: bool) -> str | None:
    """Why an argument has no place beside the others; `on_disk` for `materialize=true`."""
    value = arguments[argument]
    if argument in OURS and not on_disk:
        return (
            "cannot be set, as hm-merged uses it to stream the merge into vLLM. Leave it out, or "
            "add materialize=true"
        )
    if argument in OUTSIDE and value != OUTSIDE[argument] and not on_disk:
        return (
            "keeps computed prompts outside the engine, by their tokens and the instruct model's folder: "
            "another alpha, or another run, would be answered with what other weights computed. Leave it out "
            "(kv_offloading_size alone keeps them in the engine's own memory, which is emptied with each "
            "change), or add materialize=true, by which each merge has a folder"
        )
    if argument == "data_parallel_size" and int(value or 1) > 1 and replicas_are_ranks():
        return (
            "above 1 is not supported with this lm_eval, which makes ranks of one model of the replicas: vLLM "
            "refuses them for dense models. Use hm-sweep --devices, which gives each device an engine, or "
            "lm_eval 0.4.13 with Ray"
        )
    return None
