"""transformers as an engine: a model that is built from the merged stream, and written over in place."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from lm_eval.api.model import TemplateLM

from hm_models.checkpoints.names import is_computed
from hm_models.checkpoints.tokenizer import has_tekken, load_tokenizer
from hm_models.engines.arguments import check_dtype
from hm_models.engines.base import OWN_SEEDS, Engine
from hm_models.engines.restart import what_differs
from hm_models.engines.self_test import Compared, SelfTest
from hm_models.engines.teacher_forced import logits_of
from hm_models.engines.transformers_model import HarnessModel, from_folder, from_tensors
from hm_models.errors import RecipeError, did_you_mean
from hm_models.merge.contract import Merge, tokenizer_checkpoint
from hm_models.merge.plan import MergePlan
from hm_models.merge.stream import MergeStream
from hm_models.samples.key import Job
from hm_models.samples.request import TokenMeasure
from hm_models.samples.sampler import TOP_N_SIGMA
from hm_models.samples.sampling import Taker

# What transformers' from_pretrained takes and the harness hands on.
TO_TRANSFORMERS = (
    "attn_implementation",
    "experts_implementation",
    "device_map",
    "offload_buffers",
    "quantization_config",
)
# Taken by the harness, and of no effect there unless parallelize=true.
TO_SPREAD = ("device_map", "max_memory_per_gpu", "max_cpu_memory", "offload_folder")
# transformers cuts a checkpoint's files into the parts of several processes.
ON_DISK_ALONE = ("tp_plan",)
# Sampling fields that `generate` would take from the checkpoint's generation_config.json although
# the task does not ask for them; vLLM ignores them too.
NEUTRAL_SAMPLING = dict(top_k=0, top_p=1.0, min_p=None, typical_p=None, repetition_penalty=1.0)
# What transformers' own processors of logits make something of while tokens are drawn one by one; the last
# is ours. Other fields of a GenerationConfig say how else it could generate, or what it would return.
SAMPLING = (
    *("top_p", "top_k", "top_h", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff"),
    *("repetition_penalty", "no_repeat_ngram_size", "guidance_scale", "sequence_bias"),
    *("bad_words_ids", "suppress_tokens", "begin_suppress_tokens"),
    *("forced_bos_token_id", "forced_eos_token_id", "exponential_decay_length_penalty"),
    *("min_length", "min_new_tokens", "max_time", "remove_invalid_values", "renormalize_logits"),
    *("watermarking_config", TOP_N_SIGMA),
)

logger = logging.getLogger(__name__)


class HfEngine(Engine):
    """The harness's `hf` model."""

    name = "hf"
    same_as: ClassVar = {
        "torch_dtype": "dtype",
        "max_model_len": "max_length",
        "seed": "sampling_seed",
        "max_gen_toks": "max_gen_toks in --gen_kwargs",
        "max_new_tokens": "max_gen_toks in --gen_kwargs",
    }
    no_sampling: ClassVar = OWN_SEEDS

    def load(self, folder: Path | None, arguments: dict[str, Any]) -> TemplateLM:
        # The harness's command line passes "cuda:0", and its class "cuda", even where there is none.
        asked = str(arguments.get("device") or "cuda")
        no_cuda = asked.startswith("cuda") and not torch.cuda.is_available()
        arguments["device"] = "cpu" if no_cuda else asked
        folder = folder or self._plain_folder()
        make = self.model if folder is None else partial(from_folder, folder)
        named = str(
            arguments.get("tokenizer") or folder or tokenizer_checkpoint(self.recipe).folder
        )
        if has_tekken(named):  # the harness would take another class for it
            arguments["tokenizer"] = load_tokenizer(named, bool(arguments.get("trust_remote_code")))
        elif folder is None:
            arguments["tokenizer"] = named
        lm = HarnessModel(folder or self.recipe.tokenizer_source.folder, make, **arguments)
        for field, value in NEUTRAL_SAMPLING.items():
            setattr(lm.model.generation_config, field, value)
        return lm

    def _plain_folder(self) -> Path | None:
        """A plain checkpoint's, which transformers reads in more ways than we do."""
        plain = self.recipe.unmerged
        return plain.folder if plain and plain.is_plain else None

    def model(self, given: dict[str, Any]) -> Any:
        """The model of the recipe, made with what the harness gives to `from_pretrained`."""
        return self.merged(self.recipe, given)

    def merged(self, recipe: Merge, given: dict[str, Any]) -> Any:
        """Build a model from the stream."""
        if given["dtype"] == "auto" and recipe.out_dtype:
            given = given | {"dtype": recipe.out_dtype}
        tensors, overrides = dict(self.stream.tensors(recipe)), self.plan.overrides(recipe)
        model, loading = from_tensors(recipe.tokenizer_source.folder, tensors, overrides, given)
        _check_arrival(loading, recipe)
        return model

    def change(self, recipe: Merge, stream: MergeStream) -> str | None:
        places = parameters_of(self.lm.model)
        with torch.no_grad():
            for name, tensor in stream.tensors(recipe):
                if not is_computed(name, tensor.shape):
                    places[name].copy_(tensor)
        return None

    def compare(self, test: SelfTest) -> list[Compared]:
        return [test.compare(self.lm.model)]

    def sample(self, jobs: list[Job], take: Taker) -> None:
        from hm_models.engines.sample_hf import sample_hf

        sample_hf(self.lm, jobs, take, self.seeds_for)

    def read(
        self, pairs: Sequence[tuple[str, str]], measure: type[TokenMeasure], top: int
    ) -> Iterator[TokenMeasure]:
        return (measure.of_logits(*found) for found in logits_of(self.lm, pairs))

    def seeds_for(self, seeds: Sequence[int | None]) -> dict[str, Any]:
        """What the model's `generate` takes of its rows' seeds, by name."""
        return {}

    def why_restart(self, recipe: Merge, plan: MergePlan) -> str | None:
        """As it loads, transformers renames what older versions named otherwise and fuses experts."""
        if reason := what_differs(self.recipe, self.plan, recipe, plan):
            return reason
        if "quantization_config" in self.arguments:
            return "transformers quantises weights as it loads"
        places = parameters_of(self.lm.model)
        headers = recipe.tokenizer_source.tensors
        own = {name: name for name in headers}
        sources = own if recipe.unmerged else {t.name: t.sources[recipe.lead] for t in plan.tensors}
        for name, source in sources.items():
            if is_computed(name, headers[source].shape):
                continue
            if name in places and places[name].is_meta:
                return "accelerate has moved weights out of the model"
            if name not in places or places[name].shape != headers[source].shape:
                return f"transformers does not hold {name} as the checkpoint does"
        return None

    @property
    def is_distributed(self) -> bool:
        # Under `accelerate launch` each process holds a model and the backend knows its rank.
        return int(os.environ.get("WORLD_SIZE", "1")) > 1

    @classmethod
    def known_arguments(cls) -> frozenset[str]:
        names = {*_harness_parameters(), *TO_TRANSFORMERS}
        return frozenset(names - {"self", "kwargs", "pretrained", "backend"})

    @classmethod
    def known_sampling(cls) -> frozenset[str]:
        return frozenset(SAMPLING)

    def reason_against_sampling(self, name: str, settings: Mapping[str, Any]) -> str | None:
        if name == "top_k" and settings[name] == -1:
            return "is vLLM's way to keep all tokens; for transformers write top_k=0."
        return super().reason_against_sampling(name, settings)

    @classmethod
    def reason_against(
        cls, argument: str, arguments: Mapping[str, Any], on_disk: bool
    ) -> str | None:
        if argument in ON_DISK_ALONE and not on_disk:
            return "needs a checkpoint on disk: add materialize=true, or leave it out"
        if argument in TO_SPREAD and not arguments.get("parallelize"):
            return (
                "is passed over by the harness without parallelize=true: add that, or leave it out"
            )
        return None

    @classmethod
    def check_value(cls, argument: str, value: object) -> None:
        if argument == "attn_implementation":
            _check_attention(value)
        elif argument == "quantization_config":
            _check_quantisation(value)
        elif argument == "device":
            _check_device(value)
        elif argument.endswith("dtype"):
            check_dtype(argument, value)
        elif parameter := _harness_parameters().get(argument):
            kinds = {kind.strip() for kind in str(parameter.annotation).split("|")}
            is_bool, is_int = isinstance(value, bool), isinstance(value, int)
            if "str" in kinds or not {"bool", "int"} & kinds:
                return
            expected = "true or false" if "bool" in kinds else "a whole number"
            if not (is_bool if "bool" in kinds else is_int and not is_bool):
                raise RecipeError(f"{argument}={value!r}: expected {expected}.")

    @classmethod
    def template_arguments(cls, arguments: Mapping[str, Any]) -> dict[str, Any]:
        thinking = arguments.get("enable_thinking")
        told = {} if thinking is None else {"enable_thinking": thinking}
        return dict(arguments.get("chat_template_args") or {}) | told


def parameters_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Every parameter and buffer by each of its names."""
    return dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers())


def _check_arrival(loading: Mapping[str, Any], recipe: Merge) -> None:
    """Refuse a model of which a part is not the merge's, but random; say what it has no place for."""
    kinds = {
        "transformers found no weights for": loading["missing_keys"],
        "transformers holds in another shape": [name for name, *_ in loading["mismatched_keys"]],
    }
    for what, names in kinds.items():
        if names:
            raise RecipeError(
                f"{recipe.tokenizer_source.name}: {len(names)} parameters that {what}, first "
                f"{', '.join(sorted(names)[:3])}. They would be random numbers. Use backend=vllm, or "
                "check that config.json belongs to these weights."
            )
    headers = recipe.tokenizer_source.tensors
    left = [
        name
        for name in sorted(loading["unexpected_keys"])
        if name not in headers
        or (headers[name].is_float and not is_computed(name, headers[name].shape))
    ]
    if left:
        logger.warning(
            "hm-merged: transformers has no place for %s tensors of this architecture, in any "
            "checkpoint of it: %s",
            len(left),
            ", ".join(left[:5]),
        )


def _harness_parameters() -> Mapping[str, inspect.Parameter]:
    from lm_eval.models.huggingface import HFLM

    return inspect.signature(HFLM.__init__).parameters


def _check_attention(value: object) -> None:
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    known = {"eager", *ALL_ATTENTION_FUNCTIONS.valid_keys()}
    # One with a slash is a kernel on the hub, which transformers fetches.
    if not isinstance(value, str) or (value.split("|")[-1] not in known and "/" not in value):
        raise RecipeError(
            f"attn_implementation={value!r} is not known to transformers.{did_you_mean(value, known)} "
            f"Known: {', '.join(sorted(known))}."
        )


def _check_device(value: object) -> None:
    try:
        torch.device(str(value))
    except RuntimeError:
        raise RecipeError(
            f"device={value!r} is none that torch knows. Expected cuda, cuda:1, cpu, mps or the like."
        ) from None


def _check_quantisation(value: Any) -> None:
    from transformers.quantizers.auto import AutoQuantizationConfig
    from transformers.utils.quantization_config import QuantizationConfigMixin

    if isinstance(value, QuantizationConfigMixin):
        return
    try:
        AutoQuantizationConfig.from_dict(value)
    except Exception as error:  # each method checks in its own way
        raise RecipeError(
            f"quantization_config={value!r} is none that transformers knows "
            f'({" ".join(str(error).split())}). Expected for example {{"load_in_8bit": true}}.'
        ) from None
