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

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from typing import TypeVar

from hm_models.endpoints.address import Address, EndpointError
from hm_models.endpoints.failures import BadAnswer, Failure, Unreadable
from hm_models.endpoints.run import Call, Run

T = TypeVar("T")

__all__ = ["BadAnswer", "Call", "Endpoint", "EndpointError", "Failure", "Unreadable"]


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
