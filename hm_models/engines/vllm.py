"""vLLM as an engine: its own loader reads the merged stream, and takes another alpha while it runs.

What happens in vLLM's workers is in `hm_models.engines.vllm_loader`, how samples are drawn in `sample_vllm`.
"""

from __future__ import annotations

import ast
import logging
import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from lm_eval.api.model import TemplateLM

from hm_models.checkpoints.names import is_computed
from hm_models.engines.base import Engine
from hm_models.engines.owner import WORKER_EXTENSION, owned_by_this_process
from hm_models.engines.restart import what_differs
from hm_models.engines.teacher_forced import top_of
from hm_models.errors import RecipeError
from hm_models.files.text_files import read_text
from hm_models.merge.contract import Merge, same_checkpoints
from hm_models.merge.plan import MergePlan
from hm_models.merge.stream import MergeStream
from hm_models.samples.key import Job
from hm_models.samples.request import TokenMeasure
from hm_models.samples.sampling import Taker

# vLLM's CPU build would claim 92 % of a node's memory and refuse to start beside anything else.
CPU_MEMORY_UTILIZATION = 0.4
# vLLM's CPU build keeps one core for its front end, which hardly uses it: of two, half the machine.
FEW_CORES = 4
OURS = ("load_format", "model_loader_extra_config", "worker_extension_cls")

logger = logging.getLogger(__name__)


class VllmEngine(Engine):
    """The harness's `vllm` model."""

    name = "vllm"
    same_as: ClassVar = {
        "torch_dtype": "dtype",
        "device": "CUDA_VISIBLE_DEVICES in the environment, as vLLM chooses its device itself",
        "parallelize": "tensor_parallel_size",
        "attn_implementation": "attention_backend",
        "max_new_tokens": "max_gen_toks",
    }
    # Why changes in place are of no use for this architecture, once one has shown it.
    _keeps_old_weights: str | None = None

    def load(self, folder: Path | None, arguments: dict[str, Any]) -> TemplateLM:
        from lm_eval.models.vllm_causallms import VLLM
        from vllm.platforms import current_platform

        recipe = self.recipe
        if str(arguments.get("batch_size", 1)) == "1":
            # What the harness's command line passes unless told otherwise; taken literally, vLLM would
            # see one request at a time and never batch.
            arguments["batch_size"] = "auto"
        if current_platform.is_cpu():
            arguments.setdefault("gpu_memory_utilization", CPU_MEMORY_UTILIZATION)
            source = folder or recipe.tokenizer_source.folder
            arguments |= whole_prompts(arguments, keeps_a_state=_keeps_a_state(source, arguments))
            if (os.cpu_count() or 1) <= FEW_CORES:
                os.environ.setdefault("VLLM_CPU_NUM_OF_RESERVED_CPU", "0")
        os.environ.update(owned_by_this_process())
        if folder is not None:
            return VLLM(
                pretrained=str(folder), **{"worker_extension_cls": WORKER_EXTENSION} | arguments
            )
        from hm_models.engines.vllm_loader import engine_arguments

        if overrides := self.plan.overrides(recipe):
            arguments["hf_overrides"] = overrides | arguments.get("hf_overrides", {})
        if recipe.out_dtype:
            arguments.setdefault("dtype", recipe.out_dtype)
        arguments |= engine_arguments(recipe, self.stream)
        lm = VLLM(pretrained=str(recipe.tokenizer_source.folder), **arguments)
        if left := self._tensors_left(lm):
            logger.warning(
                "hm-merged: vLLM leaves %s tensors of this architecture unread, as in any "
                "checkpoint of it: %s",
                len(left),
                ", ".join(left[:5]),
            )
        return lm

    def _tensors_left(self, lm: Any) -> list[str]:
        """What the merge brought to a new engine and no worker read, by name."""
        if lm.data_parallel_size > 1:  # then no engine lives between calls
            return []
        left = set.intersection(*map(set, lm.model.collective_rpc("tensors_left")))
        source = self.recipe.tokenizer_source
        shapes = {name: header.shape for name, header in source.tensors.items()}
        return sorted(
            name
            for name in left
            if not is_computed(name, shapes.get(name, ()))
            and not (source.ties_embeddings and name.endswith("lm_head.weight"))
        )

    def change(self, recipe: Merge, stream: MergeStream) -> str | None:
        engine = self.lm.model
        # Workers keep their pair's stream, with the files that it has open.
        other = None if same_checkpoints(recipe, self.recipe) else stream
        # Parsed and with its checkpoints opened, as it is here; vLLM's messages know no classes.
        reasons = engine.collective_rpc("change_recipe", args=(pickle.dumps((recipe, other)),))
        self._keeps_old_weights = next(filter(None, reasons), None)
        if self._keeps_old_weights is None and not engine.reset_prefix_cache():
            raise RuntimeError("the prefix cache could not be reset while requests are running")
        return self._keeps_old_weights

    def sample(self, jobs: list[Job], take: Taker) -> None:
        from hm_models.engines.sample_vllm import sample_replicas, sample_vllm

        draw = sample_replicas if self.lm.data_parallel_size > 1 else sample_vllm
        draw(self.lm, jobs, take)

    def read(
        self, pairs: Sequence[tuple[str, str]], measure: type[TokenMeasure], top: int
    ) -> Iterator[TokenMeasure]:
        size = self.lm.model.llm_engine.model_config.get_vocab_size()
        return (measure.of_top(*found, size) for found in top_of(self.lm, pairs, top))

    def why_restart(self, recipe: Merge, plan: MergePlan) -> str | None:
        if self.lm.data_parallel_size > 1:
            return "data_parallel_size makes the harness start its engines for each call"
        if reason := what_differs(self.recipe, self.plan, recipe, plan):
            return reason
        if {"quantization", "quantization_config"} & self.arguments.keys():
            return "vLLM quantises weights while an engine starts"
        return self._keeps_old_weights or keeps_a_bias(recipe)

    def shut_down(self) -> None:
        if self.is_loaded and self.lm.data_parallel_size == 1:
            self.lm.model.llm_engine.engine_core.shutdown()
        super().shut_down()

    @classmethod
    def known_arguments(cls) -> frozenset[str]:
        return _known_arguments()

    @classmethod
    def knows(cls, model_type: str) -> bool:
        own = read_text(_folder_of("vllm") / "transformers_utils" / "config.py")
        return super().knows(model_type) or f" {model_type}=" in own

    @classmethod
    def reason_against(
        cls, argument: str, arguments: Mapping[str, Any], on_disk: bool
    ) -> str | None:
        if argument in OURS and not on_disk:
            return (
                "cannot be set, as hm-merged uses it to stream the merge into vLLM. Leave it out, or "
                "add materialize=true"
            )
        return None

    @classmethod
    def check_value(cls, argument: str, value: object) -> None:
        """vLLM checks its own."""

    @classmethod
    def template_arguments(cls, arguments: Mapping[str, Any]) -> dict[str, Any]:
        # A template's own arguments win, and None is passed on too.
        thinking = {"enable_thinking": arguments.get("enable_thinking")}
        return thinking | dict(arguments.get("chat_template_args") or {})


def whole_prompts(arguments: Mapping[str, Any], keeps_a_state: bool) -> dict[str, bool]:
    """What keeps prompts in one piece on vLLM's CPU build.

    Where a prompt is computed in pieces, vLLM takes back what a seeded request drew in between, which
    torch's generators for the CPU cannot do: the engine dies. Layers with a state (Mamba and its like) can
    be cached by prefixes in pieces alone, so that theirs are not.
    """
    without = ("enable_chunked_prefill", *(("enable_prefix_caching",) if keeps_a_state else ()))
    for name in without:
        if str(arguments.get(name, "")).lower() == "true":
            raise RecipeError(
                f"{name}=true: samples have seeds of their own, with which vLLM's CPU build cannot compute "
                "prompts in pieces. Leave it out."
            )
    return dict.fromkeys(without, False)


def _keeps_a_state(folder: Path, arguments: Mapping[str, Any]) -> bool:
    """Whether vLLM's class for this model has layers with a state (vLLM keeps what it found out).

    Raises:
        RecipeError: vLLM would import torchvision for it, which is not there.
    """
    from vllm.config import ModelConfig

    remote = bool(arguments.get("trust_remote_code"))
    try:
        config = ModelConfig(model=str(folder), trust_remote_code=remote)
        needs_torchvision = config.is_multimodal_model
    except ValueError as error:  # vLLM has looked at the class in a process of its own
        if "failed to be inspected" not in str(error) or find_spec("torchvision") is not None:
            raise
        needs_torchvision = True
    if needs_torchvision and find_spec("torchvision") is None:
        raise RecipeError(
            f"{folder}: vLLM's class for it reads pictures with torchvision, which is not installed. "
            "Install the build that belongs to this torch, or use backend=hf, which needs none."
        )
    return config.has_inner_state


def keeps_a_bias(recipe: Merge) -> str | None:
    """Say why a running vLLM engine would keep old weights of this model; None if it takes all."""
    source = recipe.tokenizer_source
    if source.ties_embeddings and any(name.endswith("lm_head.bias") for name in source.tensors):
        return "vLLM does not load the bias of a tied head again"
    return None


@cache
def _known_arguments() -> frozenset[str]:
    # Read, not imported: that takes ten seconds, and a run whose answers are kept starts no engine.
    vllm = _folder_of("vllm")
    names = _parameters_in(_folder_of("lm_eval") / "models" / "vllm_causallms.py", "VLLM")
    names |= _parameters_in(vllm / "entrypoints" / "llm.py", "LLM")
    fields = _class_in(vllm / "engine" / "arg_utils.py", "EngineArgs").body
    lines = [line.target for line in fields if isinstance(line, ast.AnnAssign)]
    names |= {target.id for target in lines if isinstance(target, ast.Name)}
    return frozenset(names - {"self", "pretrained"})


def _folder_of(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise RecipeError(f"{package} is not installed.")
    return Path(spec.submodule_search_locations[0])


def _class_in(file: Path, name: str) -> ast.ClassDef:
    tree = ast.parse(read_text(file))
    return next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == name)


def _parameters_in(file: Path, name: str) -> set[str]:
    """What a class is made of."""
    makers = (n for n in _class_in(file, name).body if isinstance(n, ast.FunctionDef))
    made_of = next(maker for maker in makers if maker.name == "__init__").args
    return {parameter.arg for parameter in (*made_of.args, *made_of.kwonlyargs)}
