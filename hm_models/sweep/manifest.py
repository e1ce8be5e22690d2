"""What became of each point of a sweep: `sweep.json` in its folder.

    with Manifest.open(Path("OUT")) as manifest:
        manifest.put("pair/alpha0.7", PointRecord("done", fingerprint, outcome))

It is written anew, as a whole, after each point: a sweep killed at any moment leaves one that can be read.
One sweep at a time writes into a folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from hm_models.files.text_files import read_json, write_text
from hm_models.shown.secrets import public
from hm_models.sweep.config import SweepError
from hm_models.sweep.run import Outcome

MANIFEST_FILE = "sweep.json"
LOCK_FILE = ".sweep.lock"
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class PointRecord:
    """A point's state, the fingerprint of everything that shapes it, and its last outcome.

    Attributes:
        settings: the shaping settings themselves, for people.
        at: seconds since 1970 when this was noted.
    """

    state: Literal["running", "done", "failed"]
    fingerprint: str
    outcome: Outcome = dataclasses.field(default_factory=Outcome)
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    at: float = dataclasses.field(default_factory=time.time)


class Manifest:
    """The records of a sweep's points by label.

    Raises:
        SweepError: the file is no manifest, or another sweep writes into the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = _read(folder / MANIFEST_FILE)

    @classmethod
    @contextlib.contextmanager
    def open(cls, folder: Path) -> Iterator[Manifest]:
        """Make the folder, and hold it for this process meanwhile."""
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK_FILE).open("ab") as lock:  # whose end gives the lock back
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise SweepError(
                    f"Another sweep is writing into {folder}. Wait for it, or take another --output_path."
                ) from None
            yield cls(folder)

    def put(self, label: str, record: PointRecord) -> None:
        """Note a point's record."""
        self.records[label] = record
        content = {
            "format": FORMAT,
            "points": {name: dataclasses.asdict(r) for name, r in self.records.items()},
        }
        write_text(self.folder / MANIFEST_FILE, json.dumps(public(content), indent=1))

    def is_done(self, label: str, fingerprint: str) -> bool:
        """Whether this point was finished with this fingerprint, and its files are all there."""
        record = self.records.get(label)
        return (
            record is not None
            and (record.state, record.fingerprint) == ("done", fingerprint)
            and all((self.folder / label / file).is_file() for file in record.outcome.files)
        )


def _read(file: Path) -> dict[str, PointRecord]:
    if not file.exists():
        return {}
    try:
        content = read_json(file)
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']}, not {FORMAT}")
        records = {}
        for label, fields in content["points"].items():
            outcome = Outcome.from_dict(fields["outcome"])
            records[label] = PointRecord(**fields | {"outcome": outcome})
        return records
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SweepError(
            f"{file} is no sweep's manifest ({type(error).__name__}: {error}). Take another "
            "--output_path, or remove the file: points are then run again, from their kept samples."
        ) from None
