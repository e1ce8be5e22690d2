"""Under which licence a model or a benchmark is, as far as it says so itself.

A model's licence is the `license` of its card's YAML header in the hub's cache, by the model's name.
Where a model is a folder, that is not known: the name is out of somebody's results, and a path in them
is not opened. Benchmarks' licences are those of their cards on the hub: `evalplus/mbppplus`
and `evalplus/humanevalplus` (Apache-2.0), which extend `google-research-datasets/mbpp` (CC BY 4.0)
and `openai/openai_humaneval` (MIT). Nothing is guessed.

    >>> licence_of_problem("mine/1")
    'not known: see where the problems are from'
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hm_models.files.text_files import TextFileError, read_text
from hm_models.shown.escaping import one_line
from hm_tasks.curation.export.card import NOT_KNOWN

# By what a problem's task_id begins with.
BENCHMARKS: Mapping[str, str] = {
    "Mbpp": "apache-2.0 (evalplus/mbppplus), cc-by-4.0 (google-research-datasets/mbpp)",
    "HumanEval": "apache-2.0 (evalplus/humanevalplus), mit (openai/openai_humaneval)",
    "Demo": "apache-2.0",
}

_HEADER = re.compile(r"\A---\r?\n(.*?)^---\s*$", re.DOTALL | re.MULTILINE)


def licence_of_problem(task_id: str) -> str:
    """The licence of the benchmark that a problem is from, by its task_id."""
    return BENCHMARKS.get(task_id.split("/")[0], f"{NOT_KNOWN}: see where the problems are from")


def licence_of_model(model: str) -> str:
    """The licence that a model's card states, or that it is not known. Reads the hub's cache alone."""
    card = _card(model)
    header = _header(card) if card else {}
    told = header.get("license")
    # Words alone: what else YAML holds may be endless, by names that stand for one another.
    words = [one for one in (told if isinstance(told, list) else [told]) if isinstance(one, str)]
    if not words:
        return f"{NOT_KNOWN}: see the model's card"
    named = header.get("license_name")
    return one_line(", ".join(words) + (f" ({named})" if isinstance(named, str) else ""))


def _card(model: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(model, "README.md")
    except HFValidationError:  # a folder, or no name at all
        return None
    return Path(cached) if isinstance(cached, str) else None


def _header(card: Path) -> dict[str, Any]:
    try:
        found = _HEADER.match(read_text(card))
        header = yaml.safe_load(found.group(1)) if found else None
    except (yaml.YAMLError, TextFileError, OSError):
        return {}
    return header if isinstance(header, dict) else {}
