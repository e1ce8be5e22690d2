"""Whose turn is it? Calls that wait for another try, and those not yet tried, for a few workers.

>>> async def turns():
...     waiting = RetryQueue(2, limits_in_a_row=8)
...     first, second = await waiting.next(), await waiting.next()
...     waiting.again(0, attempt=1, wait=0.0, limited=False)
...     return first, second, await waiting.next()
>>> asyncio.run(turns())
((0, 1), (1, 1), (0, 2))
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import random
from collections import deque


class RetryQueue:
    """Hands out calls by number; ends when each is done.

    A call that waits occupies no worker, and goes before fresh ones once its wait is over. Rate limits
    met many times in a row, without a success between, hold back everybody.

    Args:
        n: calls 0 ... n - 1.
        limits_in_a_row: that many hold back everybody; single ones concern their own call alone.
    """

    def __init__(self, n: int, limits_in_a_row: int) -> None:
        self._fresh = deque(range(n))
        self._later: list[tuple[float, int, int]] = []  # a heap of (when, call, attempt)
        self._unfinished = n
        self._changed = asyncio.Event()
        self._limits_in_a_row = limits_in_a_row
        self._limits = 0
        self._closed_until = 0.0

    async def next(self) -> tuple[int, int] | None:
        """The next call and the number of its attempt, from 1; None when all are done."""
        while self._unfinished:
            turn, wait = self._turn()
            if turn is not None:
                return turn
            self._changed.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), wait)
        return None

    def done(self, succeeded: bool) -> None:
        """A call that was handed out needs no further attempt."""
        if succeeded:
            self._limits = 0
        self._unfinished -= 1
        self._changed.set()

    def again(self, call: int, attempt: int, wait: float, limited: bool) -> None:
        """Attempt number `attempt` failed; the next may start after `wait` seconds."""
        due = _now() + wait
        self._limits = self._limits + 1 if limited else 0
        if self._limits >= self._limits_in_a_row:
            self._closed_until = max(self._closed_until, due)
        heapq.heappush(self._later, (due, call, attempt + 1))
        self._changed.set()

    def hurry(self) -> None:
        """Nobody waits any longer: what is left is handed out at once."""
        self._closed_until = 0.0
        self._later = [(0.0, call, attempt) for _, call, attempt in self._later]
        heapq.heapify(self._later)
        self._changed.set()

    def _turn(self) -> tuple[tuple[int, int] | None, float | None]:
        """A turn, or the seconds until there may be one; None for until something changes."""
        now = _now()
        if now < self._closed_until:
            return None, self._closed_until - now
        if self._later and self._later[0][0] <= now:
            _, call, attempt = heapq.heappop(self._later)
            return (call, attempt), None
        if self._fresh:
            return (self._fresh.popleft(), 1), None
        return None, self._later[0][0] - now if self._later else None


def backoff(attempt: int, first: float, longest: float) -> float:
    """Seconds to wait after a failed attempt: doubling, and drawn, lest callers march in step."""
    return min(longest, first * 2 ** (attempt - 1)) * random.uniform(0.5, 1.0)


def _now() -> float:
    return asyncio.get_running_loop().time()
