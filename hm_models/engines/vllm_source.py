"""What vLLM's classes take, read from its files.

fields_of_sampling()     # {"temperature", "top_p", "min_p", ...}

Read, not imported: that takes ten seconds, and a run whose answers are kept starts no engine.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from hm_models.errors import RecipeError
from hm_models.files.text_files import read_text


@cache
def arguments_of_llm() -> frozenset[str]:
    """What an engine is made with: the harness's arguments and vLLM's own."""
    vllm = folder_of("vllm")
    names = _parameters_in(_harness_file(), "VLLM")
    names |= _parameters_in(vllm / "entrypoints" / "llm.py", "LLM")
    names |= _fields_in(vllm / "engine" / "arg_utils.py", "EngineArgs")
    return frozenset(names - {"self", "pretrained"})


@cache
def fields_of_sampling() -> frozenset[str]:
    """What may be said of how a request is sampled."""
    names = _fields_in(folder_of("vllm") / "sampling_params.py", "SamplingParams")
    return frozenset(name for name in names if not name.startswith("_"))


def replicas_are_ranks() -> bool:
    """Whether the harness's `data_parallel_size` makes ranks of one vLLM (0.5.0.dev1), not engines (0.4.13)."""
    return 'environ["VLLM_DP_SIZE"] =' in read_text(_harness_file())


def folder_of(package: str) -> Path:
    """Where a package lies.

    Raises:
        RecipeError: it is not installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise RecipeError(f"{package} is not installed.")
    return Path(spec.submodule_search_locations[0])


def _harness_file() -> Path:
    return folder_of("lm_eval") / "models" / "vllm_causallms.py"


def _class_in(file: Path, name: str) -> ast.ClassDef:
    tree = ast.parse(read_text(file))
    return next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == name)


def _fields_in(file: Path, name: str) -> set[str]:
    """The annotated fields of a class."""
    lines = [n.target for n in _class_in(file, name).body if isinstance(n, ast.AnnAssign)]
    return {target.id for target in lines if isinstance(target, ast.Name)}


def _parameters_in(file: Path, name: str) -> set[str]:
    """What a class is made of."""
    makers = (n for n in _class_in(file, name).body if isinstance(n, ast.FunctionDef))
    made_of = next(maker for maker in makers if maker.name == "__init__").args
    return {parameter.arg for parameter in (*made_of.args, *made_of.kwonlyargs)}
