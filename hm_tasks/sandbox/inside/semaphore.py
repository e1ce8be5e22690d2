"""Semaphores of `multiprocessing` for processes that may start no others.

The kernel's live in /dev/shm, which programs do not have; but `ThreadPool`, `ProcessPoolExecutor` and
`multiprocessing.Lock` make one before they do anything else. Among the threads of one process these do
the same. Source: what Python's Modules/_multiprocessing/semaphore.c says of each method.
"""

from __future__ import annotations

import _multiprocessing
import threading
from typing import Any

RECURSIVE = 0  # of the kinds that `multiprocessing.synchronize` asks for; all others count


class SemLock:
    """In place of `_multiprocessing.SemLock`."""

    SEM_VALUE_MAX = 2**31 - 1
    name = None  # as for one that no other process can open

    def __init__(self, kind: int, value: int, maxvalue: int, name: str, unlink: bool) -> None:
        self.kind, self.maxvalue, self.handle = kind, maxvalue, id(self)
        self._free = value
        self._taken = 0
        self._owner: int | None = None
        self._changed = threading.Condition(threading.Lock())

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        with self._changed:
            if self.kind == RECURSIVE and self._is_mine():
                self._taken += 1
                return True
            if timeout is not None:
                timeout = max(timeout, 0.0)
            if not self._changed.wait_for(lambda: self._free > 0, timeout if block else 0.0):
                return False
            self._free -= 1
            self._taken += 1
            self._owner = threading.get_ident()
            return True

    def release(self) -> None:
        with self._changed:
            if self.kind == RECURSIVE:
                if not self._is_mine():
                    raise AssertionError("attempt to release recursive lock not owned by thread")
                if self._taken > 1:
                    self._taken -= 1
                    return
            elif self._free >= self.maxvalue:
                raise ValueError("semaphore or lock released too many times")
            self._free += 1
            self._taken -= 1
            self._changed.notify()

    __enter__ = acquire

    def __exit__(self, *_: object) -> None:
        self.release()

    def _count(self) -> int:
        return self._taken

    def _is_mine(self) -> bool:
        return self._taken > 0 and self._owner == threading.get_ident()

    def _get_value(self) -> int:
        return self._free

    def _is_zero(self) -> bool:
        return self._free == 0

    def _after_fork(self) -> None:
        self._taken = 0


def use_own() -> None:
    """Let `multiprocessing` make these from now on."""
    module: Any = _multiprocessing
    module.SemLock = SemLock
