"""A folder that steps write into, one after the other, so that nothing in it is ever mixed up.

    with Workplace(Path("OUT")) as place:
        done = place.run("read", digest_of_inputs, {"problems": "mbpp"}, write)

Each step's output (a file, or for the last one a folder) appears whole or not at all: it is written
beside its place, synced, and renamed. What it was made from and how stands in `.steps/NAME.json`, with
a digest of its bytes. A step whose output is there, unchanged, for the same input and settings is not
done again; where an output changes, everything after it is removed first. So a process that is killed
at any time leaves a folder that the same command completes, to the same bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hm_models.files.text_files import DRAFT, read_json, to_disk, write_text
from hm_tasks.curation.errors import CurationError

OUTPUTS = {
    "read": "1_samples.jsonl",
    "rewrite": "2_rewritten.jsonl",
    "verify": "3_verified.jsonl",
    "deduplicate": "4_deduplicated.jsonl",
    "select": "5_selected.jsonl",
    "export": "export",
}
SUMMARY = "summary.json"
NOTES, LOCK = ".steps", ".lock"
# Among a step's facts: how many records the same command may yet bring, so that it is done again.
UNFINISHED = "unfinished"
VERSION = 2  # a part of each key; it changes with what a step does
BLOCK = 1 << 20

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Done:
    """What is noted of a step's output.

    Attributes:
        key: over its input and settings.
        sha256: of its bytes.
        settings: as the step was asked.
        counts: of what it left out, by kind.
        facts: whatever else it found.
    """

    key: str
    sha256: str
    settings: dict[str, Any]
    counts: dict[str, int]
    facts: dict[str, Any]


# Writes a step's output to a path; counts what it leaves out, and notes facts.
Write = Callable[[Path, Counter[str], dict[str, Any]], None]


class Workplace:
    """The folder, for one process at a time.

    Raises:
        CurationError: another process works in it, or it is somebody else's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, Done | None] = {}  # what was read or written: nobody else works here

    def __enter__(self) -> Workplace:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            others = {path.name for path in self.folder.iterdir()} - {LOCK}
        except OSError as error:
            raise CurationError(f"--output_path {self.folder} cannot be used: {error}.") from None
        if others and NOTES not in others:
            raise CurationError(
                f"{self.folder} holds files of others ({min(others)}). Name a new folder with "
                "--output_path: whole parts of it are replaced."
            )
        self._lock = _take(self.folder / LOCK)
        (self.folder / NOTES).mkdir(exist_ok=True)
        for folder in (self.folder, self.folder / NOTES):
            for draft in folder.glob(f".*{DRAFT}"):  # of a process that was killed
                _remove(draft)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)

    def output(self, step: str) -> Path:
        return self.folder / OUTPUTS[step]

    def done(self, step: str) -> Done | None:
        """What is noted of a step; None unless its output is there as it was written."""
        if step not in self._known:
            try:
                found = Done(**read_json(self._note(step)))
                as_written = found.sha256 == digest(self.output(step))
            except (OSError, ValueError, TypeError):
                as_written = False
            self._known[step] = found if as_written else None
        return self._known[step]

    def before(self, step: str) -> tuple[Path, str]:
        """The file that a step works on, with its digest.

        Raises:
            CurationError: it is not there.
        """
        earlier = list(OUTPUTS)[: list(OUTPUTS).index(step)]
        candidates = earlier[-1:] if earlier[-1] != "rewrite" else ["rewrite", "read"]
        for name in candidates:
            if done := self.done(name):
                return self.output(name), done.sha256
        raise CurationError(
            f"{self.output(candidates[-1])} is not there, or not as it was written. Run --step "
            f"{candidates[-1]} first, or all steps, without --step."
        )

    def run(
        self, step: str, given: str, settings: dict[str, Any], write: Write, again: bool = False
    ) -> Done:
        """Do a step, unless it is done.

        Args:
            given: digest of its input.
            settings: everything else that shapes its output, as plain JSON values.
            again: do it in any case.
        """
        key = hashlib.sha256(json.dumps([VERSION, step, given, settings]).encode()).hexdigest()
        known = self.done(step)
        if known and known.key == key and not again and not known.facts.get(UNFINISHED):
            logger.info("%s: as it is", step)
            return known
        logger.info("%s ...", step)
        output = self.output(step)
        draft = output.with_name(f".{output.name}{DRAFT}")
        counts: Counter[str] = Counter()
        facts: dict[str, Any] = {}
        try:
            write(draft, counts, facts)
        except BaseException:
            _remove(draft)
            raise
        done = Done(key, digest(draft), settings, dict(sorted(counts.items())), facts)
        self._drop(SUMMARY)
        self._known[step] = None
        if known is None or known.sha256 != done.sha256:
            self.drop_after(step)
            self._note(step).unlink(missing_ok=True)
            if output.is_dir():
                shutil.rmtree(output)
            _replace(draft, output)
        else:
            _remove(draft)
        write_text(self._note(step), json.dumps(dataclasses.asdict(done), indent=1) + "\n")
        self._known[step] = done
        return done

    def drop_after(self, step: str) -> None:
        """Remove what was made from a step's output, the last first."""
        steps = list(OUTPUTS)
        for later in reversed(steps[steps.index(step) + 1 :]):
            self.drop(later)

    def drop(self, step: str) -> None:
        """Remove a step's output."""
        self._known[step] = None
        self._drop(SUMMARY)
        self._note(step).unlink(missing_ok=True)
        _remove(self.output(step))

    def _note(self, step: str) -> Path:
        return self.folder / NOTES / f"{step}.json"

    def _drop(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)


def digest(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files with their names.

    Raises:
        OSError: it is not there.
    """
    found = hashlib.sha256()
    if path.is_dir():
        for file in sorted(file for file in path.rglob("*") if file.is_file()):
            found.update(f"{file.relative_to(path).as_posix()} {digest(file)}\n".encode())
    else:
        with path.open("rb") as content:
            while block := content.read(BLOCK):
                found.update(block)
    return found.hexdigest()


def _replace(draft: Path, path: Path) -> None:
    """Rename, with the bytes on the disk before the name."""
    for file in [draft, *draft.rglob("*")] if draft.is_dir() else [draft]:
        to_disk(file)
    draft.replace(path)
    to_disk(path.parent)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _take(file: Path) -> int:
    import fcntl

    lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise CurationError(
            f"Another hm-curate works in {file.parent}. Wait for it, or take another --output_path."
        ) from None
    return lock
