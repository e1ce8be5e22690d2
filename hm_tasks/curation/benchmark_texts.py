"""The texts that no training set may hold: prompts of benchmarks, by name.

>>> benchmarks_to_check(["demo", "mine.jsonl"], answered=set())
(['demo', 'mine.jsonl'], {'mbpp': 'not asked for', 'humaneval': 'not asked for'})
>>> benchmarks_to_check(None, answered={"demo", "mbpp", "humaneval"})[1]["demo"]
'the samples answer it'
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hm_models.files.text_files import TextFileError, json_lines
from hm_tasks.code_passk.benchmarks import BENCHMARKS, is_at_hand
from hm_tasks.curation.errors import CurationError
from hm_tasks.curation.problem_sets import load_set

NONE = "none"  # in place of a list of them
ANSWERED = "the samples answer it"


def benchmarks_to_check(
    asked: Iterable[str] | None, answered: set[str]
) -> tuple[list[str], dict[str, str]]:
    """Which benchmarks and files are compared with, and why which known benchmark is not.

    Args:
        asked: None for every known benchmark but those that the samples answer, where its file is at
            hand: nothing is downloaded for it.
        answered: names of those that the samples answer.
    """
    if asked is not None:
        names = [name for name in asked if name != NONE]
        return names, {name: "not asked for" for name in BENCHMARKS if name not in names}
    left_out = {
        name: ANSWERED if name in answered else "not at hand"
        for name in BENCHMARKS
        if name in answered or not is_at_hand(name)
    }
    return [name for name in BENCHMARKS if name not in left_out], left_out


def prompts_of(name: str) -> list[str]:
    """The prompts of a benchmark, or of a file of JSON lines with a `prompt`.

    Raises:
        CurationError: a file that is none.
    """
    if name in BENCHMARKS:
        return [problem.prompt for problem in load_set(name).problems.values()]
    prompts = []
    try:
        for line in json_lines(Path(name)):
            if not isinstance(line.value, dict) or not isinstance(line.value.get("prompt"), str):
                raise CurationError(
                    f"{name}, line {line.number}: expected JSON with a `prompt`, the text of a problem."
                )
            prompts.append(line.value["prompt"])
    except (TextFileError, OSError) as error:
        raise CurationError(f"{error} Expected lines of JSON with a `prompt`.") from None
    return prompts
