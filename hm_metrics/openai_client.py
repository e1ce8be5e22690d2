"""Many calls to an OpenAI-compatible endpoint: concurrent, patient, and honest about what failed.

The package `openai` does the HTTP, with its own retries off: here a call that waits holds no place, a
deadline ends a try that trickles, and the reasons of failures are kept. Results come as they are made,
so that the caller can keep each at once; what cannot succeed is not asked again.

    async def ask(client: AsyncOpenAI) -> str:
        answer = await client.chat.completions.create(model="gpt-4.1-mini", messages=[...])
        if not answer.choices:
            raise BadAnswer("no choices")
        return answer.choices[0].message.content

    for index, outcome in Endpoint(base_url="http://localhost:8000/v1").run([ask, ...]):
        ...  # what `ask` returned, or a Failure
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from hm_metrics.openai_failures import HOPELESS, REFUSED, RETRY, BadAnswer, diagnose
from hm_metrics.retry_queue import RetryQueue, backoff

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OPENAI_URL = "https://api.openai.com/v1"
LONGEST_RETRY_AFTER_S = 120.0  # what a server may ask for; beyond that the run ends
T = TypeVar("T")
Call = Callable[["AsyncOpenAI"], Awaitable[T]]

__all__ = ["BadAnswer", "Endpoint", "EndpointError", "Failure"]


class EndpointError(ValueError):
    """An endpoint that cannot be asked at all, such as OpenAI's own without a key."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why a call gave nothing.

    Attributes:
        what: the same for every failure of its sort, to count by (`answered 500`, `no answer in time`).
        reason: in words, for the user.
        attempts: how often it was asked for; 0 where others had shown that it is no use.
        refused: the endpoint will never answer this call (a bad request), whatever is tried.
    """

    what: str
    reason: str
    attempts: int
    refused: bool


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible endpoint and how it is asked.

    Attributes:
        base_url: by default OPENAI_BASE_URL, else OpenAI's own. The key is OPENAI_API_KEY, which
            OpenAI's own must have.
        concurrency: calls in flight at once; a call that waits for its next try is not in flight.
        timeout_s: deadline of one try, whether the server is silent or trickles.
        attempts: tries of one call.
        first_wait_s, longest_wait_s: the wait between tries doubles from the one to the other, drawn
            between half of it and all. A server's Retry-After comes in its place.
    """

    base_url: str | None = None
    concurrency: int = 16
    timeout_s: float = 60.0
    attempts: int = 8
    first_wait_s: float = 0.5
    longest_wait_s: float = 20.0

    @property
    def url(self) -> str:
        """Where calls go."""
        return (self.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL).rstrip("/")

    @property
    def public_url(self) -> str:
        """The same without user, password and query, for logs and results."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def key(self) -> str:
        """The key that is sent.

        Raises:
            EndpointError: there is none, and OpenAI's own endpoint is meant.
        """
        if key := os.environ.get("OPENAI_API_KEY"):
            return key
        if self.url == OPENAI_URL:
            raise EndpointError(
                f"OPENAI_API_KEY is not set, which {OPENAI_URL} needs. For another endpoint, name its "
                "base URL (or set OPENAI_BASE_URL)."
            )
        return "none"  # local servers take any

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
    """One run of an endpoint over its calls, in a thread of its own."""

    def __init__(self, endpoint: Endpoint, key: str, calls: Sequence[Call[Any]]) -> None:
        self.results: queue.SimpleQueue = queue.SimpleQueue()
        self._endpoint, self._key, self._calls = endpoint, key, calls
        self._task: asyncio.Task | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False
        self._successes = 0
        self._successes_before: dict[int, int] = {}  # a call's first try
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
        from openai import AsyncOpenAI

        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self._stopped:
            return
        endpoint = self._endpoint
        waiting = RetryQueue(len(self._calls), limits_in_a_row=max(2, endpoint.concurrency // 2))
        async with AsyncOpenAI(
            api_key=self._key, base_url=endpoint.url, max_retries=0, timeout=endpoint.timeout_s
        ) as client:
            workers = range(min(endpoint.concurrency, len(self._calls)))
            await asyncio.gather(*(self._worker(client, waiting) for _ in workers))

    async def _worker(self, client: AsyncOpenAI, waiting: RetryQueue) -> None:
        while (turn := await waiting.next()) is not None:
            index, attempt = turn
            self._successes_before.setdefault(index, self._successes)
            if self._hopeless:
                failure = dataclasses.replace(self._hopeless, attempts=attempt - 1)
                self._end(waiting, index, failure)
                continue
            try:
                # The library's timeout starts anew with every byte; this one does not.
                result = await asyncio.wait_for(
                    self._calls[index](client), self._endpoint.timeout_s
                )
            except Exception as error:
                self._failed(waiting, index, attempt, error)
            else:
                self._successes += 1
                self._end(waiting, index, result)

    def _failed(self, waiting: RetryQueue, index: int, attempt: int, error: Exception) -> None:
        found = diagnose(error, self._key)
        if found is None:
            raise error
        endpoint, kind, reason = self._endpoint, found.kind, found.reason
        wait = found.retry_after
        if wait is None:
            wait = backoff(attempt, endpoint.first_wait_s, endpoint.longest_wait_s)
        elif wait > LONGEST_RETRY_AFTER_S:
            kind, reason = HOPELESS, f"{reason} It asks to wait {wait:.0f} s, which is too long."
        if kind == RETRY:
            if attempt < endpoint.attempts:
                waiting.again(index, attempt, wait, found.limited)
                return
            if self._successes == self._successes_before[index]:
                kind = HOPELESS  # nobody was served in all that time
        failure = Failure(found.what, reason, attempt, refused=kind == REFUSED)
        if kind == HOPELESS:
            self._hopeless = failure
            waiting.hurry()
        self._end(waiting, index, failure)

    def _end(self, waiting: RetryQueue, index: int, outcome: object) -> None:
        self.results.put((index, outcome))
        waiting.done(succeeded=not isinstance(outcome, Failure))
