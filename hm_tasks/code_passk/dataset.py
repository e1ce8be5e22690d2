"""The problems of a pass@k benchmark: one JSON record a line, in evalplus's format.

>>> record = {"task_id": "Demo/1", "prompt": "Add one.", "entry_point": "inc"}
>>> problem_of(record, "demo.jsonl, line 1", oracle="none", digest="")
Traceback (most recent call last):
    ...
hm_tasks.benchmark_file.DatasetError: demo.jsonl, line 1: the field 'canonical_solution' is missing.
>>> record |= {"canonical_solution": "def inc(x): return x + 1", "base_input": [[1]], "plus_input": {}}
>>> problem_of(record, "demo.jsonl, line 1", oracle="none", digest="").plus_input
[]

A benchmark is a YAML whose `dataset_kwargs` say where its file is and how it is read; nothing here
knows a benchmark by name. The file's SHA-256 goes into the results, and a release whose bytes are
known must have them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hm_models.files.text_files import TextFileError, json_lines, read_text
from hm_tasks.benchmark_file import DatasetError
from hm_tasks.sandbox.problem import Problem

FIELDS = ("task_id", "prompt", "entry_point", "canonical_solution", "base_input", "plus_input")
ORACLES = ("none", "mbpp", "humaneval")


@dataclasses.dataclass(frozen=True)
class Source:
    """The `dataset_kwargs` of a pass@k task.

    Attributes:
        file: a .jsonl or .jsonl.gz, relative to the YAML; or, in its place,
        release, release_version: a release of evalplus, from its cache or downloaded by it.
        override: name of an environment variable that names a file to take instead.
        sha256: digest of the uncompressed release; None for files that have no release.
        oracle: whose special rules of reading and comparing apply: `mbpp`, `humaneval` or `none`.
        completion_until: stop strings for prompts that a base model continues.
    """

    file: str | None = None
    release: str | None = None
    release_version: str | None = None
    override: str | None = None
    sha256: str | None = None
    oracle: str = "none"
    completion_until: Sequence[str] = ()

    def __post_init__(self) -> None:
        if (self.file is None) == (self.release is None):
            raise DatasetError("dataset_kwargs need either `file` or `release`.")
        if self.oracle not in ORACLES:
            raise DatasetError(f"oracle={self.oracle!r} is not known. Known: {', '.join(ORACLES)}.")


def load_problems(source: Source, yaml_folder: Path) -> tuple[list[Problem], str]:
    """Return the problems in file order and the SHA-256 of the uncompressed file.

    Raises:
        DatasetError: the file is missing, no JSON lines, lacks fields, or is not the known release.
    """
    path = _find(source, yaml_folder)
    try:
        digest = hashlib.sha256(read_text(path).encode()).hexdigest()
    except TextFileError as error:
        raise DatasetError(str(error)) from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read as a benchmark file: {error}.") from None
    if source.sha256 is not None and digest != source.sha256:
        raise DatasetError(
            f"{path} is not {source.release} {source.release_version}: its SHA-256 is {digest}, the "
            f"release's {source.sha256}. Name the release's own file"
            f"{f' by {source.override}' if source.override else ''}, .jsonl or .jsonl.gz."
        )
    # A release is a release under any name: its problems' verdicts are kept by its hash.
    oracle = released_oracle(digest) if source.oracle == "none" else source.oracle
    problems = []
    try:
        for line in json_lines(path):
            problems.append(problem_of(line.value, f"{path}, line {line.number}", oracle, digest))
    except TextFileError as error:
        raise DatasetError(str(error)) from None
    if not problems:
        raise DatasetError(f"{path} holds no problems.")
    return problems, digest


def _find(source: Source, yaml_folder: Path) -> Path:
    if source.override and (named := os.environ.get(source.override)):
        path = Path(named).expanduser()
        if not path.is_file():
            raise DatasetError(
                f"{source.override} names {path}, where there is no file. Point it at "
                f"{source.release}-{source.release_version}.jsonl or .jsonl.gz."
            )
        return path
    if source.file is not None:
        path = yaml_folder / source.file
        if not path.is_file():
            raise DatasetError(f"{path} is missing; the task's YAML names it.")
        return path
    from evalplus.data.utils import get_dataset_metadata, make_cache

    url, cached = get_dataset_metadata(source.release, source.release_version, mini=False)
    try:
        make_cache(url, cached)
    except Exception as error:  # urllib, gzip and the file system each have their own
        raise DatasetError(
            f"{source.release} {source.release_version} is neither in evalplus's cache ({cached}) nor "
            f"can it be downloaded ({error}). Set {source.override} to a copy of the release."
        ) from error
    return Path(cached)


def released_oracle(digest: str) -> str:
    """The oracle of the release that has this SHA-256, by the tasks beside this file; else `none`."""
    for file in sorted(Path(__file__).parent.glob("*.yaml")):
        source = Source(**yaml.safe_load(read_text(file))["dataset_kwargs"])
        if source.sha256 == digest:
            return source.oracle
    return "none"


def problem_of(record: dict[str, Any], where: str, oracle: str, digest: str) -> Problem:
    """A problem from a record in evalplus's format.

    Args:
        where: file and line, for the message.
        oracle: the file's; a record's own field `oracle` wins, as in a part of a release.
        digest: the file's.

    Raises:
        DatasetError: a field is missing, or the oracle is not known.
    """
    if not isinstance(record, dict):
        raise DatasetError(f"{where}: expected an object with {', '.join(FIELDS)}.")
    oracle = record.get("oracle", oracle)
    if oracle not in ORACLES:
        raise DatasetError(
            f"{where}: the field 'oracle' is {oracle!r}. Known: {', '.join(ORACLES)}."
        )
    if missing := [field for field in FIELDS if field not in record]:
        raise DatasetError(f"{where}: the field {missing[0]!r} is missing.")
    # MBPP+ v0.2.0 has an empty object for no extra tests (Mbpp/793).
    inputs = {kind: record[kind] or [] for kind in ("base_input", "plus_input")}
    for kind, found in inputs.items():
        if not isinstance(found, list):
            raise DatasetError(
                f"{where}: the field {kind!r} is a {type(found).__name__}, not a list with the "
                "arguments of each test."
            )
    if oracle == "mbpp":
        # JSON has no tuples, sets or complex numbers; evalplus knows which problems need them.
        from evalplus.data.mbpp import mbpp_deserialize_inputs

        inputs = {k: mbpp_deserialize_inputs(record["task_id"], v) for k, v in inputs.items()}
    return Problem(
        task_id=record["task_id"],
        prompt=record["prompt"],
        entry_point=record["entry_point"],
        canonical_solution=record["canonical_solution"],
        base_input=inputs["base_input"],
        plus_input=inputs["plus_input"],
        atol=record.get("atol", 0),
        oracle=oracle,
        dataset=digest,
    )
