"""The folder in which a checkpoint comes to be, beside its target: complete or absent, never half-written.

    with Draft(target) as draft:        # waits for whoever else writes this target
        draft.keep_if("fingerprint")    # what a killed run left of the same merge stays, all else goes
        ...
        draft.publish()                 # one rename

A run that is killed leaves its draft, and the next one goes on in it; one that fails leaves nothing.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from pathlib import Path
from types import TracebackType

from hm_models.files.text_files import read_text, write_text

LOCK = ".lock"
MARK = ".merge"  # holds what tells one merge from another

logger = logging.getLogger(__name__)


class Draft:
    """A draft that this process alone writes into, as a context."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self.folder = target.with_name(f".{target.name}.merging")
        self._lock = -1

    def __enter__(self) -> Draft:
        while not self._take():
            pass  # it was published or removed while we waited for it
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        # Ctrl-C and what else ends a process is no failure of the merge.
        if kind is None or issubclass(kind, Exception):
            shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)

    def keep_if(self, mark: str) -> bool:
        """Empty the draft unless it is of the merge that this mark stands for; say whether it was."""
        noted = self.folder / MARK
        if noted.is_file() and read_text(noted) == mark:
            return True
        for file in self.folder.iterdir():
            if file.is_dir():
                shutil.rmtree(file)
            elif file.name != LOCK:
                file.unlink()
        write_text(noted, mark)
        return False

    def publish(self) -> None:
        """Give the target its name, with all that is in the draft."""
        self.folder.chmod(0o755)
        self.folder.rename(self._target)
        # Not before: whoever waits would take the draft for free.
        for name in (MARK, LOCK):
            (self._target / name).unlink()

    def _take(self) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info("hm-merged: waiting, as another process writes %s", self._target)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.stat(self.folder / LOCK), os.fstat(self._lock)):
                return True
        except FileNotFoundError:
            pass
        os.close(self._lock)
        return False
