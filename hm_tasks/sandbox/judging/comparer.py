"""Reading, fingerprinting and comparing what one run of a program gave, in limited time and memory.

Plain numbers, texts and containers of a few kilobytes cost what their bytes say, and are compared at
once. All else - larger, or of kinds that can be cheap to send and dear to handle - is compared in a
fork of the judge whose limits grow with what was sent (`hm_tasks.sandbox.judging.limited`). What goes beyond
them is the program's failure: the judge goes on.
"""

from __future__ import annotations

import time
from typing import Any

from hm_tasks.sandbox.judging.behaviour import Fingerprints
from hm_tasks.sandbox.judging.limited import BeyondLimits, LimitedFork
from hm_tasks.sandbox.judging.oracle import Oracle
from hm_tasks.sandbox.wire.plain import Opaque, PlainError, decode

# Bytes of plain data that are compared at once: the worst that can be made of so few takes moments.
DIRECT_BYTES = 1 << 14
# What one output may take: seconds and bytes, and more for each MiB and byte that was sent.
SECONDS, SECONDS_PER_MIB = 5.0, 2.0
MEMORY, MEMORY_PER_BYTE = 1 << 29, 64
RUN_SECONDS = 60.0  # for all outputs of a run, as all its tests may take


class Comparer:
    """Compares the outputs of one run in the order of its tests; use it as a context.

    Args:
        inputs, values: of each test, the function's arguments and what is expected.
    """

    def __init__(
        self, oracle: Oracle, inputs: list[Any], values: list[Any], fingerprints: Fingerprints
    ) -> None:
        self._oracle, self._inputs, self._values = oracle, inputs, values
        self._fingerprints = fingerprints
        self._fork: LimitedFork | None = None
        self._spent = 0.0

    def compare(self, test: int, content: bytes) -> tuple[bool, bytes]:
        """Whether a test's output is right, and its fingerprint.

        Raises:
            BeyondLimits: comparing takes too much; the message says of what.
        """
        if self._spent > RUN_SECONDS:
            raise BeyondLimits("time")
        # A tolerance grows with the tests: all that follow the first one are its fork's.
        if self._fork is None:
            value = read_direct(content)
            if value is not None:
                began = time.process_time()
                found = self._compared(test, content, value[0])
                self._spent += time.process_time() - began
                return found
            self._fork = LimitedFork(self._compare_all)
        seconds, memory = limits_for(len(content))
        before = self._fork.cpu
        left = RUN_SECONDS - self._spent
        right, digits = self._fork.ask((test, content), min(seconds, left), memory)
        self._spent += self._fork.cpu - before
        fingerprint = bytes.fromhex(digits)
        self._fingerprints.keep(content, fingerprint)
        return right, fingerprint

    def _compare_all(self, question: tuple[int, bytes]) -> tuple[bool, str]:
        test, content = question
        right, fingerprint = self._compared(test, content, read(content))
        return bool(right), fingerprint.hex()

    def _compared(self, test: int, content: bytes, value: Any) -> tuple[bool, bytes]:
        fingerprint = self._fingerprints.of(content, value)
        right = test < len(self._values) and self._oracle.matches(
            self._inputs[test], value, self._values[test]
        )
        return right, fingerprint

    def __enter__(self) -> Comparer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fork is not None:
            self._fork.close()


def limits_for(size: int) -> tuple[float, int]:
    """Seconds and bytes of memory that data of this size may take."""
    return SECONDS + SECONDS_PER_MIB * size / (1 << 20), MEMORY + MEMORY_PER_BYTE * size


def read_direct(content: bytes) -> tuple[Any] | None:
    """The value of data that cannot take more than their bytes say; None if they may."""
    if len(content) > DIRECT_BYTES:
        return None
    try:
        return (decode(content, kinds=False),)
    except PlainError:  # forged, or of another kind
        return None


def read(content: bytes) -> Any:
    """The value, or what stands for data that are none."""
    try:
        return decode(content)
    except PlainError:
        # Such as a set whose elements lie about their hash: it is something, but equals nothing.
        return Opaque("unreadable")
