"""vLLM's load format `hm-merged`, and the change of alpha in a running engine.

vLLM loads the instruct model's config and tokenizer as usual and asks this loader for weights. The
loader is registered by importing this module; `worker_extension_cls` makes every worker import it
before loading, under spawn, tensor and pipeline parallelism and Ray alike. `change_recipe`, called in
every worker, streams the weights of another alpha into the parameters that are there. What was parsed,
opened and planned before the engine started comes with its configuration; no worker does it again.
"""

from __future__ import annotations

import contextlib
import pickle
import time
from collections.abc import Generator, Iterator
from typing import Any
from weakref import WeakKeyDictionary

import torch
from vllm.config.load import LoadConfig
from vllm.model_executor.model_loader import register_model_loader
from vllm.model_executor.model_loader.default_loader import DefaultModelLoader
from vllm.platforms import current_platform

from hm_models.checkpoints.names import is_head
from hm_models.engines.arrival import NotArrivedError, Receipts, all_written, nothing_lost
from hm_models.engines.owner import end_with_owner
from hm_models.engines.self_test import Compared
from hm_models.engines.top_p_on_cpu import cut_without_sorting
from hm_models.engines.vllm_calls import LOAD_FORMAT, load_from, loaded_from, reload

# Of each model the parameters that came from the checkpoint, the load that brought them, and the last.
FROM_CHECKPOINT: WeakKeyDictionary[torch.nn.Module, frozenset[str]] = WeakKeyDictionary()
LOADS: WeakKeyDictionary[torch.nn.Module, list[Receipts]] = WeakKeyDictionary()
if current_platform.is_cpu():
    cut_without_sorting()


@register_model_loader(LOAD_FORMAT)
class MergedModelLoader(DefaultModelLoader):
    """DefaultModelLoader whose primary source of weights is a merge."""

    def __init__(self, load_config: LoadConfig) -> None:
        end_with_owner()  # not as the module is imported: a forked worker has it already
        self.recipe, self.stream, self.folder, plain = loaded_from(load_config)
        self.receipts = Receipts()
        super().__init__(plain)

    def _get_weights_iterator(self, source: Any) -> Generator[tuple[str, torch.Tensor], None, None]:
        if source.prefix or source.subfolder or not self._is_merge(source.model_or_path):
            # A second source, which some architectures add, or a draft model: no part of the merge.
            return super()._get_weights_iterator(source)
        self.counter_before_loading_weights = time.perf_counter()  # for the parent's log line
        return (pair for pair in self.receipts.noting(self.stream.tensors(self.recipe)))

    def get_all_weights(
        self, model_config: Any, model: torch.nn.Module
    ) -> Generator[tuple[str, torch.Tensor], None, None]:
        if not self._is_merge(model_config.model):
            yield from super().get_all_weights(model_config, model)
            return
        loads = LOADS.setdefault(model, [])
        del loads[1:]
        loads.append(self.receipts)
        weights = super().get_all_weights(model_config, model)
        names = (name for name, _ in model.named_parameters(remove_duplicate=False))
        if self._is_tied(model_config) and not any(map(is_head, names)):
            # vLLM's Gemma 2 has no head at all, and refuses one that the files hold a second time.
            weights = (pair for pair in weights if not is_head(pair[0]))
        yield from weights

    def _is_merge(self, folder: str) -> bool:
        # vLLM loads a draft model with the target's loader; a target's own `mtp` layers have its folder.
        # The engine's, whatever alpha: at 0 the recipe's is another one.
        return folder == self.folder

    def _is_tied(self, model_config: Any) -> bool:
        # vLLM takes a config that says nothing for one that says false; of a draft it overrides by a function.
        given = model_config.hf_overrides
        overridden = isinstance(given, dict) and "tie_word_embeddings" in given
        return self.recipe.tokenizer_source.ties_embeddings and not overridden

    def track_weights_loading(
        self, model: torch.nn.Module, loaded_weights: set[str] | None, quantized: bool = False
    ) -> None:
        FROM_CHECKPOINT[model] = frozenset(loaded_weights or ())
        super().track_weights_loading(model, loaded_weights, quantized)


class MergingWorker:
    """Mixed into vLLM's worker class; importing it is what registers the loader there."""

    def change_recipe(self, pickled: bytes) -> str | None:
        """Load the weights of another recipe into the running engine.

        Args:
            pickled: the recipe, with its opened checkpoints, and the stream of its pair; None for the
                pair that is loaded.

        Returns:
            Why the engine did not take all of them, else None. With a reason, and after an exception,
            parameters of two recipes lie beside each other: the engine must not be used any more.
        """
        load_from(self.vllm_config.load_config, *pickle.loads(pickled))  # type: ignore[attr-defined]
        model = self.get_model()  # type: ignore[attr-defined]
        try:
            written = all_written(model, FROM_CHECKPOINT.get(model, ()))
            with written, repacking(model), nothing_lost():
                reload(self)
            LOADS[model][-1].check_against(LOADS[model][0])
        except NotArrivedError as error:
            return str(error)
        return None

    def tensors_left(self) -> list[str]:
        """The names of what the stream brought as the model was made, and this worker did not read."""
        made = LOADS[self.get_model()][0]  # type: ignore[attr-defined]
        return sorted(made.brought - made.taken)

    def compare(self, pickled: bytes) -> Compared:
        """Take a pickled `SelfTest`."""
        return pickle.loads(pickled).compare(self.get_model())  # type: ignore[attr-defined]


@contextlib.contextmanager
def repacking(model: torch.nn.Module) -> Iterator[None]:
    """Have vLLM's CPU build pack all weights anew in a reload, as it did when it loaded first."""
    if not current_platform.is_cpu():
        yield
        return
    _unpack_experts(model)
    yield
    _pack_tied_heads(model)


def _unpack_experts(model: torch.nn.Module) -> None:
    """Make experts forget that they were packed, else a reload leaves them as the files have them."""
    for module in model.modules():
        method: Any = getattr(module, "quant_method", None)
        if getattr(method, "moe_kernel", None) is not None:
            method.moe_kernel = None


def _pack_tied_heads(model: torch.nn.Module) -> None:
    """Pack output heads again that share their embedding's weight.

    vLLM's CPU build multiplies with a packed copy of a head's weight, and a reload packs only layers
    that were loaded by their own name, which a tied head is not.
    """
    from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead

    for module in model.modules():
        if isinstance(module, ParallelLMHead) and hasattr(module, "cpu_linear"):
            module.quant_method.process_weights_after_loading(module)
