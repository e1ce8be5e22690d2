"""Samples in the forms in which they lie about, as Records; what cannot be read is counted by kind.

    files = find_files([Path("OUT"), Path("samples.jsonl")], counts)
    for record in read_files(files, ProblemSets(None), counts): ...

    samples_TASK_*.jsonl    one problem a line, as the harness logs any generating task
    samples.jsonl           one program a line: task_id, and solution or completion (evalplus's form)

Verdicts in a log are not taken over, only the programs that they name. Lines are read one at a time.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hm_tasks.curation.errors import CurationError
from hm_tasks.curation.problem_sets import ProblemSet, ProblemSets, has_tests, statement_of
from hm_tasks.curation.provenance import LOG, Origin, of_request, origin_of, results_beside
from hm_tasks.curation.record import Record
from hm_tasks.curation.steps import digest
from hm_tasks.traces.program import program_of

# Why a sample is left out, or a line with all its samples.
NO_JSON = "line is no JSON"
NO_SAMPLE = "line is no sample"
NO_TEXT = "sample is no text"
NO_PROGRAM = "no program in the sample"
NO_SUCH_PROBLEM = "problem that the data set lacks"
NO_TESTS = "problem without tests"
OLDER = "file of an older run of its task in its folder"
TWICE = "file that is there already, under another name"


@dataclasses.dataclass(frozen=True)
class Source:
    """A file of samples; `sha256` is over its bytes, `results` over those of the results beside it."""

    path: Path
    sha256: str
    results: str
    origin: Origin


@dataclasses.dataclass(frozen=True)
class _Sample:
    """One of a line's samples; `found` is what the log says of it, and `program` what is one as it stands."""

    text: Any
    found: Any = None
    program: str | None = None


def find_files(paths: Sequence[Path], counts: Counter[str]) -> list[Source]:
    """The files of samples in files and folders of runs, each content once.

    Of several runs of a task in one folder the last counts: it goes over the kept samples of the others.

    Raises:
        CurationError: a path that leads to no samples.
    """
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(path.rglob("samples_*.jsonl"))
            if not inside:
                raise CurationError(
                    f"{path} holds no samples_*.jsonl. Name a folder that lm_eval wrote to with "
                    "--output_path and --log_samples, or a file of samples."
                )
            last = {(file.parent, origin_of(file).task or file.name): file for file in inside}
            counts[OLDER] += len(inside) - len(last)
            files |= dict.fromkeys(last.values())
        elif path.is_file():
            files[path] = None
        else:
            raise CurationError(f"{path} does not exist. Name files of samples, or folders of runs.")
    sources: dict[str, Source] = {}
    for file in files:
        try:
            sha256 = digest(file)
        except OSError as error:
            raise CurationError(f"{file} cannot be read: {error}.") from None
        if sha256 in sources:
            counts[TWICE] += 1
            continue
        beside = results_beside(file)
        results = digest(beside) if LOG.fullmatch(file.name) and beside.is_file() else ""
        sources[sha256] = Source(file, sha256, results, origin_of(file))
    return list(sources.values())


def read_files(
    sources: Iterable[Source], sets: ProblemSets, counts: Counter[str]
) -> Iterator[Record]:
    """The records of files, in their order, with `counts` of what is left out."""
    for source in sources:
        filters: set[str] = set()
        with source.path.open("rb") as lines:
            for number, raw in enumerate(lines, start=1):
                if not raw.strip():
                    continue
                try:
                    line = json.loads(raw)
                except (ValueError, RecursionError):
                    counts[NO_JSON] += 1
                    continue
                if not isinstance(line, dict):
                    counts[NO_SAMPLE] += 1
                    continue
                filters.add(str(line.get("filter")))
                if len(filters) > 1 and line.get("filter") != min(filters):
                    pass
                yield from _records(line, number, source, sets, counts)
        

def _records(
    line: dict[str, Any], number: int, source: Source, sets: ProblemSets, counts: Counter[str]
) -> Iterator[Record]:
    ...
