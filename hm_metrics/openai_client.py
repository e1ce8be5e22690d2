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

import dataclasses
import os
import threading
from collections.abc import Iterator, Sequence
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

from hm_metrics.openai_failures import BadAnswer, Failure, Unreadable
from hm_metrics.openai_run import Call, Run
from hm_models.secrets import Secrets, public_url

OPENAI_URL = "https://api.openai.com/v1"
# What people copy from a manual where the address before it is meant.
ENDS = ("/chat/completions", "/completions", "/embeddings")
T = TypeVar("T")

__all__ = ["BadAnswer", "Call", "Endpoint", "EndpointError", "Failure", "Unreadable"]


class EndpointError(ValueError):
    """An endpoint that cannot be asked at all: no address, or OpenAI's own without a key."""


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
        run = Run(self, self.key(), calls)
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
