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

from collections.abc import Mapping

from hm_models.checkpoints.licence import cached_card, licence_of_card
from hm_tasks.curation.export.card import NOT_KNOWN

# By what a problem's task_id begins with.
BENCHMARKS: Mapping[str, str] = {
    "Mbpp": "apache-2.0 (evalplus/mbppplus), cc-by-4.0 (google-research-datasets/mbpp)",
    "HumanEval": "apache-2.0 (evalplus/humanevalplus), mit (openai/openai_humaneval)",
    "Demo": "apache-2.0",
    "demo_math": "apache-2.0",
    "xstest": "cc-by-4.0",
    "novelty_bench": "mit",
    "sorry_bench": "its own, gated (sorry-bench on the hub): the requests may not be passed on",
}


def licence_of_problem(task_id: str) -> str:
    """The licence of the benchmark that a problem is from, by its task_id."""
    return BENCHMARKS.get(task_id.split("/")[0], f"{NOT_KNOWN}: see where the problems are from")


def licence_of_model(model: str) -> str:
    """The licence that a model's card states, or that it is not known. Reads the hub's cache alone."""
    card = cached_card(model)
    found = licence_of_card(card) if card else None
    return str(found) if found else f"{NOT_KNOWN}: see the model's card"
