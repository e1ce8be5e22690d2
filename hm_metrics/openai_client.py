"""Many calls to an OpenAI-compatible endpoint: concurrent, patient, and honest about what failed.

A call that waits holds no place, a deadline ends a try that trickles, and the reasons of failures are
kept. Results come as they are made, so that the caller can keep each at once; what cannot succeed is
not asked again. Judges, rewriters and embedders are all asked here; `openai_http` does the HTTP, and
`openai_answers` reads what comes.

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
import os
import queue
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from hm_metrics.openai_failures import (
    ALONE,
    HOPELESS,
    REFUSED,
    RETRY,
    UNUSABLE,
    BadAnswer,
    Unreadable,
    diagnose,
)
from hm_metrics.retry_queue import RetryQueue, backoff
from hm_models.secrets import Secrets, public_url

if TYPE_CHECKING:
    from hm_metrics.openai_http import Client

OPENAI_URL = "https://api.openai.com/v1"
# What people copy from a manual where the address before it is meant.
ENDS = ("/chat/completions", "/completions", "/embeddings")
LONGEST_RETRY_AFTER_S = 120.0  # what a server may ask for; beyond that the run ends
UNUSABLE_ATTEMPTS = 3  # of a call whose answers cannot be used: the same comes again
UNUSABLE_CALLS = 64  # given up so, without one success: the endpoint serves nobody
# Such as a wrong key, in a row, by an endpoint that has served others: then it serves nobody any more.
HOPELESS_IN_A_ROW = 3
T = TypeVar("T")
Call = Callable[["Client"], Awaitable[T]]

__all__ = ["BadAnswer", "Endpoint", "EndpointError", "Failure", "Unreadable"]


class EndpointError(ValueError):
    """An endpoint that cannot be asked at all: no address, or OpenAI's own without a key."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why a call gave nothing.

    Attributes:
        what: the same for every failure of its sort, to count by (`answered 500`, `no answer in time`).
        reason: in words, for the user.
        attempts: how often it was asked for; 0 where others had shown that it is no use.
        refused: the endpoint will never answer this call (a bad request), whatever is tried.
        hopeless: others met, or would meet, the same: it will answer no call.
    """

    what: str
    reason: str
    attempts: int
    refused: bool
    hopeless: bool = False


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible endpoint and how it is asked.

    Attributes:
        base_url: by default OPENAI_BASE_URL, else OpenAI's own. One that ends in `/chat/completions`
            or `/embeddings` means what stands before. The key is OPENAI_API_KEY, which OpenAI's own
            must have; a user and password in the URL go in its place. A query is sent along.
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
        """Where calls go, credentials included."""
        given = str(self.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL).strip()
        try:
            parts = urlsplit(given)
        except ValueError:
            return given
        path = parts.path.rstrip("/")
        for end in ENDS:
            path = path.removesuffix(end).rstrip("/")
        return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))

    @property
    def public_url(self) -> str:
        """The same as it may be written down."""
        return public_url(self.url)

    @property
    def secrets(self) -> Secrets:
        """What is sent along and must not be written down, though the endpoint may repeat it."""
        key = os.environ.get("OPENAI_API_KEY", "").strip()
        return Secrets.of(self.url, keys=[key])

    def key(self) -> str:
        """The key that is sent.

        Raises:
            EndpointError: there is none, and OpenAI's own endpoint is meant; or the address is none.
        """
        self.check_address()
        key = os.environ.get("OPENAI_API_KEY", "").strip()
        if not key.isascii() or not key.isprintable():
            raise EndpointError(
                "OPENAI_API_KEY holds characters that no key has, such as a line end or a quote of a "
                "word processor. Set it anew."
            )
        if key:
            return key
        if self.url == OPENAI_URL:
            raise EndpointError(
                f"OPENAI_API_KEY is not set, which {OPENAI_URL} needs. For another endpoint, name its "
                "base URL (or set OPENAI_BASE_URL)."
            )
        return "none"  # local servers take any

    def check_address(self) -> None:
        """Whether calls can go anywhere.

        Raises:
            EndpointError: they cannot.
        """
        try:
            parts = urlsplit(self.url)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
            is_address = is_address and parts.port != 0 and self.url.isprintable()
            is_address = is_address and not set(self.url) & set(" \\")
        except ValueError:
            is_address = False
        if not is_address:
            raise EndpointError(
                f"{self.public_url!r}: expected an address, as http://localhost:8000/v1 (in a "
                "user or password, @ is written %40, / is %2F, # is %23)."
            )

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
        self._first: dict[
            int, tuple[int, float]
        ] = {}  # successes before a call's first try, its time
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
        from hm_metrics.openai_http import Client

        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self._stopped:
            return
        endpoint = self._endpoint
        waiting = RetryQueue(len(self._calls), limits_in_a_row=max(2, endpoint.concurrency // 2))
        async with Client(
            endpoint.url, self._key, endpoint.timeout_s, endpoint.concurrency
        ) as client:
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
                failure = dataclasses.replace(failure, attempts=attempt - 1, hopeless=True)
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
        failure = Failure(
            found.what, reason, attempt, refused=kind == REFUSED, hopeless=kind == HOPELESS
        )
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
