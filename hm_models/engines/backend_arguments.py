"""Which arguments a backend takes for a merge; everything else is refused before anything is loaded.

    check_arguments("hf", {"max_lenght": 2048}, on_disk=False)     # Did you mean max_length?

The harness's classes pass on what they do not know, and where they are handed a model that is loaded
already they drop it: a typing error, or a wish that a merge cannot fulfil, would change nothing and say
nothing. So what is not known to act is an error, at every alpha alike.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hm_models.errors import RecipeError
from hm_models.files.text_files import read_text

# What transformers' from_pretrained takes and this package hands on, whatever the weights come from.
TO_TRANSFORMERS = ("attn_implementation", "experts_implementation")
# What it takes, too, where it reads a checkpoint on disk by itself.
ON_DISK_ALONE = (
    "parallelize",
    "tp_plan",
    "device_map",
    "max_memory_per_gpu",
    "max_cpu_memory",
    "offload_folder",
    "quantization_config",
)
ADAPTERS = (
    "is not supported: merge the adapter into its model and give the result as base or instruct"
)
QUANTISED = (
    "is not supported: a merge needs unquantised weights. With materialize=true, "
    "quantization_config={...} quantises the merged checkpoint as it loads"
)
ONE_CHECKPOINT = "is not supported: base_revision and instruct_revision say it for each side"
STREAMING = (
    "cannot be set, as hm-merged uses it to stream the merge into vLLM. Leave it out, or add "
    "materialize=true"
)
# Refused whatever the backend would make of them: patterns of names, and why.
REFUSED = {
    r"peft|delta|.*lora.*|adapter.*|default_mm_loras": ADAPTERS,
    r"load_in_[48]bit|bnb_.*|llm_int8_.*|autogptq|gptqmodel|gguf_file": QUANTISED,
    r"revision|code_revision|subfolder|variant|model_weights|hf_config_path": ONE_CHECKPOINT,
    r"state_dict|config|key_mapping|ignore_mismatched_sizes|use_safetensors|weights_only": (
        "is not supported: it would load other weights, or fewer, than those of the merge"
    ),
    r"model|served_model_name|pretrained": (
        "is not supported: hm-merged takes base= and instruct= in its place"
    ),
}
OURS_ON_VLLM = ("load_format", "model_loader_extra_config", "worker_extension_cls")
# Names of one backend or library for what the other calls otherwise.
SAME_AS = {
    "hf": {
        "torch_dtype": "dtype",
        "max_model_len": "max_length",
        "seed": "sampling_seed",
        "max_gen_toks": "max_gen_toks in --gen_kwargs",
        "max_new_tokens": "max_gen_toks in --gen_kwargs",
    },
    "vllm": {
        "torch_dtype": "dtype",
        "device": "CUDA_VISIBLE_DEVICES in the environment, as vLLM chooses its device itself",
        "parallelize": "tensor_parallel_size",
        "attn_implementation": "attention_backend",
        "max_new_tokens": "max_gen_toks",
    },
}
# What the harness's command line always passes; it is no wish of the user.
DEFAULTS = {"device": ("cuda:0", "cuda")}


def check_arguments(
    backend: str, arguments: Mapping[str, Any], on_disk: bool, ours: Iterable[str]
) -> None:
    """Refuse what the backend does not take for a merge.

    Args:
        arguments: all of the user's.
        on_disk: whether the backend reads a merged checkpoint (`materialize=true`).
        ours: the arguments that hm-merged takes itself.

    Raises:
        RecipeError: an unknown name (the nearest known is named), one that has no effect or another
            one than its name says, or a value of the wrong kind.
    """
    ours = set(ours)
    known = _known_to(backend)
    for name, value in arguments.items():
        if name in ours:
            continue
        if reason := _reason_against(backend, name, on_disk):
            if value not in (None, False):
                raise RecipeError(f"{name} {reason}.")
        elif name not in known:
            if value is None or value in DEFAULTS.get(name, ()):
                continue
            raise RecipeError(_unknown(backend, name, known | ours))
        _check_value(backend, name, value)


def known_alone(backend: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that go to the backend: those that it knows."""
    known = _known_to(backend)
    return {name: value for name, value in arguments.items() if name in known}


def _reason_against(backend: str, name: str, on_disk: bool) -> str | None:
    for pattern, reason in REFUSED.items():
        if re.fullmatch(pattern, name):
            return reason
    if backend == "hf" and name in ON_DISK_ALONE and not on_disk:
        return "needs a checkpoint on disk: add materialize=true, or leave it out"
    if backend == "vllm" and name in OURS_ON_VLLM and not on_disk:
        return STREAMING
    return None


def _unknown(backend: str, name: str, known: Iterable[str]) -> str:
    if other := SAME_AS[backend].get(name):
        hint = f"Here it is {other}."
    elif near := difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6):
        hint = f"Did you mean {near[0]}?"
    else:
        hint = "docs/merging.md says what there is."
    return f"{name} is no argument of hm-merged or of its backend {backend}. {hint}"


@cache
def _known_to(backend: str) -> frozenset[str]:
    if backend == "hf":
        names = set(_harness_parameters()) | {*TO_TRANSFORMERS, *ON_DISK_ALONE}
        return frozenset(names - {"self", "kwargs", "pretrained", "backend"})
    # Read, not imported: that takes ten seconds, and a run whose answers are kept starts no engine.
    vllm = Path(_folder_of("vllm"))
    harness = Path(_folder_of("lm_eval")) / "models" / "vllm_causallms.py"
    names = set(_parameters_in(harness, "VLLM"))
    names |= set(_fields_in(vllm / "engine" / "arg_utils.py", "EngineArgs"))
    names |= set(_parameters_in(vllm / "entrypoints" / "llm.py", "LLM"))
    return frozenset(names - {"self", "pretrained"})


def _harness_parameters() -> Mapping[str, inspect.Parameter]:
    from lm_eval.models.huggingface import HFLM

    return inspect.signature(HFLM.__init__).parameters


def _folder_of(package: str) -> str:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise RecipeError(f"{package} is not installed.")
    return spec.submodule_search_locations[0]


def _class_in(file: Path, name: str) -> ast.ClassDef:
    tree = ast.parse(read_text(file))
    return next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == name)


def _fields_in(file: Path, name: str) -> list[str]:
    """The fields of a dataclass."""
    lines = (line for line in _class_in(file, name).body if isinstance(line, ast.AnnAssign))
    return [line.target.id for line in lines if isinstance(line.target, ast.Name)]


def _parameters_in(file: Path, name: str) -> list[str]:
    """What a class is made of."""
    makers = (n for n in _class_in(file, name).body if isinstance(n, ast.FunctionDef))
    made_of = next(maker for maker in makers if maker.name == "__init__").args
    return [parameter.arg for parameter in (*made_of.args, *made_of.kwonlyargs)]


def _check_value(backend: str, name: str, value: object) -> None:
    """Refuse values that the harness would take for others, or pass over. vLLM checks its own."""
    if name == "dtype" and value is not None:
        _check_dtype(name, value)
    if name == "batch_size" and not re.fullmatch(r"\d+|auto(:\d+(\.\d+)?)?", str(value)):
        raise RecipeError(f"batch_size={value!r}: expected a whole number, auto or auto:N.")
    if backend != "hf" or value is None:
        return
    if name == "attn_implementation":
        _check_attention(value)
    elif name == "device":
        _check_device(value)
    elif name.endswith("dtype"):
        _check_dtype(name, value)
    elif name in (parameters := _harness_parameters()):
        kinds = {kind.strip() for kind in str(parameters[name].annotation).split("|")}
        expected = (
            "true or false" if "bool" in kinds else "a whole number" if "int" in kinds else None
        )
        is_bool, is_int = isinstance(value, bool), isinstance(value, int)
        fits = is_bool if "bool" in kinds else is_int and not is_bool
        if expected and "str" not in kinds and not fits:
            raise RecipeError(f"{name}={value!r}: expected {expected}.")


def _check_attention(value: object) -> None:
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    known = {"eager", *ALL_ATTENTION_FUNCTIONS.valid_keys()}
    # One with a slash is a kernel on the hub, which transformers fetches.
    if not isinstance(value, str) or (value.split("|")[-1] not in known and "/" not in value):
        near = difflib.get_close_matches(str(value), known, n=1)
        raise RecipeError(
            f"attn_implementation={value!r} is not known to transformers."
            f"{f' Did you mean {near[0]}?' if near else ''} Known: {', '.join(sorted(known))}."
        )


def _check_device(value: object) -> None:
    import torch

    try:
        torch.device(str(value))
    except RuntimeError:
        raise RecipeError(
            f"device={value!r} is none that torch knows. Expected cuda, cuda:1, cpu, mps or the like."
        ) from None


def _check_dtype(name: str, value: object) -> None:
    import torch

    found = value if isinstance(value, torch.dtype) else getattr(torch, str(value), None)
    if value != "auto" and not (isinstance(found, torch.dtype) and found.is_floating_point):
        raise RecipeError(
            f"{name}={value!r} is no dtype of weights. Expected auto, float32, bfloat16 or float16."
        )
