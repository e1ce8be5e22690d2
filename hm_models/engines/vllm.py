"""vLLM as an engine: its own loader reads the merged stream, and takes another alpha while it runs.

What happens in vLLM's workers is in `hm_models.engines.vllm_loader`, how samples are drawn in `sample_vllm`.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from lm_eval.api.model import TemplateLM

from hm_models.checkpoints.names import is_computed
from hm_models.engines.base import OWN_SEEDS, Engine
from hm_models.engines.owner import WORKER_EXTENSION, owning
from hm_models.engines.restart import what_differs
from hm_models.engines.self_test import Compared, SelfTest
from hm_models.engines.teacher_forced import top_of
from hm_models.engines.vllm_arguments import SPECULATIVE, reason_against
from hm_models.engines.vllm_calls import (
    check_vllm,
    drafting,
    end,
    forget_prefixes,
    in_workers,
    loading,
    vocabulary_size,
)
from hm_models.engines.vllm_source import arguments_of_llm, fields_of_sampling, folder_of
from hm_models.errors import RecipeError
from hm_models.files.text_files import read_text
from hm_models.merge.contract import Merge, same_checkpoints
from hm_models.merge.plan import MergePlan
from hm_models.merge.stream import MergeStream
from hm_models.samples.key import Job
from hm_models.samples.request import TokenMeasure
from hm_models.samples.sampler import TEMPERATURE, TOP_N_SIGMA
from hm_models.samples.sampling import Taker

# vLLM's CPU build would claim 92 % of a node's memory and refuse to start beside anything else.
CPU_MEMORY_UTILIZATION = 0.4
# vLLM's CPU build keeps one core for its front end, which hardly uses it: of two, half the machine.
FEW_CORES = 4
TOP_N_SIGMA_PROCESSOR = "hm_models.engines.top_n_sigma_vllm:TopNSigmaOnVllm"
# Fields of vLLM's SamplingParams that say what an engine gives back, and how; hm-merged sets them.
GIVEN_BACK = (
    *("logprobs", "prompt_logprobs", "prompt_logprob_token_ids", "prompt_logprob_start"),
    *("logprob_token_ids", "flat_logprobs", "detokenize", "output_kind", "stream_interval"),
    *("skip_clone", "output_text_buffer_length", "trace_decode_token_ids"),
)
MOST_TEMPERATURE = 2  # what vLLM 0.32 allows
# vLLM applies them before a logits processor in one of its two model runners, after it in the other.
PENALTIES = {"repetition_penalty": 1, "presence_penalty": 0, "frequency_penalty": 0}  # to no effect

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
    no_sampling: ClassVar = {
        "typical_p": "is nothing that vLLM has. Use backend=hf, or min_p, top_p, top_k or top_n_sigma.",
        **dict.fromkeys(GIVEN_BACK, "is hm-merged's to set. Leave it out."),
        **OWN_SEEDS,
    }
    # Whether an engine is to start with the logits processor for it.
    _with_top_n_sigma = False
    # Why changes in place are of no use for this architecture, once one has shown it.
    _keeps_old_weights: str | None = None

    def load(self, folder: Path | None, arguments: dict[str, Any]) -> TemplateLM:
        with owning():
            return self._started(folder, arguments)

    def _started(self, folder: Path | None, arguments: dict[str, Any]) -> TemplateLM:
        from lm_eval.models.vllm_causallms import VLLM
        from vllm.platforms import current_platform

        check_vllm()
        recipe = self.recipe
        if self._with_top_n_sigma:
            given = arguments.get("logits_processors") or ()
            arguments["logits_processors"] = [*given, TOP_N_SIGMA_PROCESSOR]
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
        if folder is not None:
            return VLLM(
                pretrained=str(folder), **{"worker_extension_cls": WORKER_EXTENSION} | arguments
            )
        import hm_models.engines.vllm_loader  # noqa: F401  (registers the load format)

        if overrides := self.plan.overrides(recipe):
            arguments["hf_overrides"] = overrides | arguments.get("hf_overrides", {})
        if recipe.out_dtype:
            arguments.setdefault("dtype", recipe.out_dtype)
        arguments |= loading(recipe, self.stream) | drafting(arguments)
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
        left = set.intersection(*map(set, in_workers(lm.model, "tensors_left")))
        source = self.recipe.tokenizer_source
        shapes = {name: header.shape for name, header in source.tensors.items()}
        return sorted(
            name
            for name in left
            if not is_computed(name, shapes.get(name, ()))
            and not (source.ties_embeddings and name.endswith("lm_head.weight"))
        )

    def change(self, recipe: Merge, stream: MergeStream) -> str | None:
        # Workers keep their pair's stream, with the files that it has open.
        other = None if same_checkpoints(recipe, self.recipe) else stream
        # Parsed and with its checkpoints opened, as it is here; vLLM's messages know no classes.
        reasons = in_workers(self.lm.model, "change_recipe", pickle.dumps((recipe, other)))
        self._keeps_old_weights = next(filter(None, reasons), None)
        if self._keeps_old_weights is None:
            forget_prefixes(self.lm.model)
        return self._keeps_old_weights

    def compare(self, test: SelfTest) -> list[Compared]:
        if self.lm.data_parallel_size > 1:  # then no engine lives between calls
            return []
        return in_workers(self.lm.model, "compare", pickle.dumps(test))

    def sample(self, jobs: list[Job], take: Taker) -> None:
        from hm_models.engines.sample_vllm import sample_replicas, sample_vllm

        draw = sample_replicas if self.lm.data_parallel_size > 1 else sample_vllm
        draw(self.lm, jobs, take)

    def read(
        self, pairs: Sequence[tuple[str, str]], measure: type[TokenMeasure], top: int
    ) -> Iterator[TokenMeasure]:
        if int(self.arguments.get("data_parallel_size") or 1) > 1:
            raise RecipeError(
                "data_parallel_size above 1 gives texts and no log-probabilities of tokens. Leave it out."
            )
        size = vocabulary_size(self.lm.model)
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
            end(self.lm.model)
        super().shut_down()

    @classmethod
    def known_arguments(cls) -> frozenset[str]:
        return arguments_of_llm()

    @classmethod
    def known_sampling(cls) -> frozenset[str]:
        return fields_of_sampling() | {TOP_N_SIGMA}

    def reason_against_sampling(self, name: str, settings: Mapping[str, Any]) -> str | None:
        value = settings[name]
        if name == TEMPERATURE and isinstance(value, (int, float)) and value > MOST_TEMPERATURE:
            return f"is above {MOST_TEMPERATURE}, the most that vLLM allows. Use backend=hf."
        if name == "extra_args" and not self.arguments.get("logits_processors"):
            return "is for logits processors, of which --model_args names none. Leave it out."
        if name == TOP_N_SIGMA:
            if any(map(self.arguments.get, SPECULATIVE)):
                return "is a logits processor, which vLLM does not take with speculative_config."
            if beside := [
                n for n, none in PENALTIES.items() if settings.get(n) not in (None, none)
            ]:
                return (
                    f"and {beside[0]}: which of them vLLM applies first depends on its model runner. "
                    "Leave one of them out, or use backend=hf."
                )
        return super().reason_against_sampling(name, settings)

    def prepare(self, jobs: Sequence[Job]) -> None:
        asked = any(TOP_N_SIGMA in job.gen_kwargs and job.seed is not None for job in jobs)
        given = self.arguments.get("logits_processors") or ()
        if asked and not self._with_top_n_sigma and TOP_N_SIGMA_PROCESSOR not in given:
            self._with_top_n_sigma = True
            if self.is_loaded:
                logger.info("hm-merged: a new engine, as vLLM takes top_n_sigma when it starts")
                self.shut_down()

    @classmethod
    def knows(cls, model_type: str) -> bool:
        own = read_text(folder_of("vllm") / "transformers_utils" / "config.py")
        return super().knows(model_type) or f" {model_type}=" in own

    @classmethod
    def reason_against(
        cls, argument: str, arguments: Mapping[str, Any], on_disk: bool
    ) -> str | None:
        return reason_against(argument, arguments, on_disk)

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
