"""Many calls to an OpenAI-compatible endpoint: concurrent, patient, and honest about what failed.

A call that waits holds no place, a deadline ends a try that trickles, and the reasons of failures are
kept. Results come as they are made, so that the caller can keep each at once; what cannot succeed is
not asked again. Judges, rewriters and embedders are all asked here; `http` does the HTTP, and `answers`
reads what comes.

    async def ask(client: Client) -> str:
        answer = await client.post("/chat/completions", {"model": "gpt-4.1-mini", "messages": [...]})
        return read_chat(answer).text       # or it raises Unreadable

    for index, outcome in Endpoint(base_url="http://localhost:8000/v1").run([ask, ...]):
        ...  # what `ask` returned, or a Failure
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import queue
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from hm_models.endpoints.address import Address, EndpointError
from hm_models.endpoints.failures import (
    ALONE,
    HOPELESS,
    RETRY,
    UNUSABLE,
    BadAnswer,
    Failure,
    Unreadable,
    diagnose,
)
from hm_models.endpoints.retry_queue import RetryQueue, backoff

if TYPE_CHECKING:
    from hm_models.endpoints.http import Client

__all__ = ["BadAnswer", "Call", "Endpoint", "EndpointError", "Failure", "Unreadable"]

LONGEST_RETRY_AFTER_S = 120.0  # what a server may ask for; beyond that the run ends
UNUSABLE_ATTEMPTS = 3  # of a call whose answers cannot be used: the same comes again
UNUSABLE_CALLS = 64  # given up so, without one success: the endpoint serves nobody
# Such as a wrong key, in a row, by an endpoint that has served others: then it serves nobody any more.
HOPELESS_IN_A_ROW = 3
T = TypeVar("T")
Call = Callable[["Client"], Awaitable[T]]


@dataclasses.dataclass(frozen=True)
class Endpoint(Address):
    """An OpenAI-compatible endpoint that can be asked."""

    def run(self, calls: Sequence[Call[T]]) -> Iterator[tuple[int, T | Failure]]:
        """Yield (index of the call, its result or Failure) once for each call, as they end.

        What every call would meet (a wrong key, an unknown model, no credit, a server that stays out
        of reach) ends the run: calls not yet done fail with that reason, most of them unasked. Closing
        the iterator ends what is in flight.

        Raises:
            EndpointError: the endpoint cannot be asked at all.
            Exception: a call raised what is not the endpoint's doing.
        """
        run = _Run(self, self.key(), calls)
        # A loop of its own: the caller may be inside one already, as notebooks are.
        thread = threading.Thread(target=run.work, name="openai-calls", daemon=True)
        thread.start()
        try:
            for _ in range(len(calls)):
                result = run.results.get()
                if isinstance(result, BaseException):
                    raise result
                yield result
        finally:
            run.stop()
            thread.join()


class _Run:
    """One run of an endpoint over its calls, for a thread of its own."""

    def __init__(self, endpoint: Address, key: str, calls: Sequence[Call[Any]]) -> None:
        self.results: queue.SimpleQueue = queue.SimpleQueue()
        self._endpoint, self._key, self._calls = endpoint, key, calls
        self._task: asyncio.Task | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False
        self._successes = 0
        # Of each call: how many had succeeded before its first try, and when that was.
        self._first: dict[int, tuple[int, float]] = {}
        self._in_flight: dict[int, float] = {}  # since when
        self._secrets = endpoint.secrets
        self._unusable: Counter[int] = Counter()  # answers of each call
        self._given_up = 0  # calls, for such answers
        self._hopeless_in_a_row = 0
        self._last: dict[int, Failure] = {}  # of calls that are to be asked again
        self._hopeless: Failure | None = None  # why nothing more is asked

    def work(self) -> None:
        """Make all calls; every result, or else the error that ended it, goes into `results`."""
        try:
            asyncio.run(self._main())
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            self.results.put(error)

    def stop(self) -> None:
        """End what is in flight; from any thread, at any time."""
        self._stopped = True
        if self._task is not None and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._task.cancel)

    async def _main(self) -> None:
        from hm_models.endpoints.http import Client

        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self._stopped:
            return
        endpoint = self._endpoint
        waiting = RetryQueue(len(self._calls), limits_in_a_row=max(2, endpoint.concurrency // 2))
        try:
            made = Client(endpoint.url, self._key, endpoint.timeout_s, endpoint.concurrency)
        except (ValueError, ImportError) as error:  # a proxy of the environment that cannot be used
            why = self._secrets.mask_words(str(error))
            failure = Failure(HOPELESS, "no client", f"No request can be sent: {why}")
            for index in range(len(self._calls)):
                self.results.put((index, failure))
            return
        async with made as client:
            workers = range(min(endpoint.concurrency, len(self._calls)))
            await asyncio.gather(*(self._worker(client, waiting) for _ in workers))

    async def _worker(self, client: Client, waiting: RetryQueue) -> None:
        while (turn := await waiting.next()) is not None:
            index, attempt = turn
            now = asyncio.get_running_loop().time()
            self._first.setdefault(index, (self._successes, now))
            if self._hopeless:
                # Where the endpoint did not say so, what a call met itself says more.
                known = {} if self._hopeless.hopeless else self._last
                failure = known.get(index, self._hopeless)
                failure = dataclasses.replace(failure, attempts=attempt - 1, kind=HOPELESS)
                self._end(waiting, index, failure)
                continue
            self._in_flight[index] = now
            try:
                # That of the HTTP library starts anew with every byte; this one does not.
                result = await asyncio.wait_for(
                    self._calls[index](client), self._endpoint.timeout_s
                )
            except Exception as error:
                self._failed(waiting, index, attempt, error)
            else:
                self._successes += 1
                self._hopeless_in_a_row = 0
                self._end(waiting, index, result)

    def _nobody_is_served(self, index: int) -> bool:
        """Whether no call succeeded since this one's first try, and none may yet, which takes long."""
        successes, begin = self._first[index]
        now = asyncio.get_running_loop().time()
        waits = (now - since for call, since in self._in_flight.items() if call != index)
        return self._successes == successes and max(waits, default=0.0) <= (now - begin) / 2

    def _failed(self, waiting: RetryQueue, index: int, attempt: int, error: Exception) -> None:
        found = diagnose(error, self._secrets)
        if found is None:
            raise error
        endpoint, kind, reason = self._endpoint, found.kind, found.reason
        wait = found.retry_after
        if wait is None:
            wait = backoff(attempt, endpoint.first_wait_s, endpoint.longest_wait_s)
        elif wait > LONGEST_RETRY_AFTER_S:
            kind, reason = HOPELESS, f"{reason} It asks to wait {wait:.0f} s, which is too long."
        self._hopeless_in_a_row += kind == HOPELESS
        if kind == HOPELESS and self._successes and self._hopeless_in_a_row < HOPELESS_IN_A_ROW:
            kind = ALONE
        failure = dataclasses.replace(found, kind=kind, reason=reason, attempts=attempt)
        self._unusable[index] += kind == UNUSABLE
        if kind in (RETRY, UNUSABLE):
            if attempt < endpoint.attempts and self._unusable[index] < UNUSABLE_ATTEMPTS:
                self._last[index] = failure
                self._in_flight.pop(index, None)
                waiting.again(index, attempt, wait, found.limited)
                return
            self._given_up += kind == UNUSABLE
            if kind == UNUSABLE and (self._successes or self._given_up < UNUSABLE_CALLS):
                pass  # one odd answer says nothing about the others
            elif self._nobody_is_served(index):
                kind = HOPELESS
        if kind == HOPELESS:
            self._hopeless = failure
            waiting.hurry()
        self._end(waiting, index, failure)

    def _end(self, waiting: RetryQueue, index: int, outcome: object) -> None:
        self._in_flight.pop(index, None)
        self.results.put((index, outcome))
        waiting.done(succeeded=not isinstance(outcome, Failure))
