"""Embeddings by an OpenAI-compatible endpoint: OpenAI's own, `vllm serve`, and the like.

Source of the protocol: the paper embeds by text-embedding-3-small with 150 dimensions, texts cut to
8,000 tokens (`analysis/embed.py` in the authors' repository).

    >>> len(OpenAIEmbedder("openai:m", "m", 8).read("x" * 7_000))
    7000
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from hm_models.embedders.embedder import Unusable, unit_rows
from hm_models.endpoints.answers import read_embeddings
from hm_models.endpoints.client import Call, Endpoint, EndpointError, Failure, Unreadable

if TYPE_CHECKING:
    import tiktoken

    from hm_models.endpoints.http import Client

MAX_TOKENS = 8000
ENCODING = "cl100k_base"  # of OpenAI's embedding models
# OpenAI takes 2,048 texts and 300,000 tokens a request; small ones lose less when one fails.
BATCH_TEXTS, BATCH_BYTES = 64, 250_000

logger = logging.getLogger(__name__)


class OpenAIEmbedder:
    """A model of an endpoint; `endpoint` says how it is asked."""

    def __init__(
        self, name: str, model: str, dimensions: int | None, base_url: str | None = None
    ) -> None:
        self.name, self._model, self._dimensions = name, model, dimensions
        self.endpoint = Endpoint(base_url)
        self._width: int | None = dimensions  # of the vectors; else that of the first

    def identity(self) -> str:
        return f"openai {self.endpoint.public_url} {self._model} {self._dimensions}"

    def read(self, text: str) -> str:
        """The first 8,000 tokens. No token is shorter than a byte, so most texts need no counting."""
        raw = text.encode("utf8", "replace")
        if len(raw) <= MAX_TOKENS:
            return raw.decode()
        encoding = _encoding()
        if encoding is None:
            return raw[:MAX_TOKENS].decode("utf8", "ignore")
        return encoding.decode(encoding.encode(raw.decode(), disallowed_special=())[:MAX_TOKENS])

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[Sequence[int], np.ndarray]]:
        yield from self._ask(texts, _batches(texts))

    def _ask(
        self, texts: Sequence[str], batches: list[list[int]]
    ) -> Iterator[tuple[Sequence[int], np.ndarray]]:
        failures: list[Failure] = []
        refusals: Counter[str] = Counter()
        alone: list[list[int]] = []  # to find out which text of a batch is refused
        left = 0
        try:
            for index, outcome in self.endpoint.run(
                [self._call([texts[p] for p in batch]) for batch in batches]
            ):
                if not isinstance(outcome, Failure):
                    yield batches[index], outcome
                elif not outcome.refused:
                    failures.append(outcome)
                    left += len(batches[index])
                elif len(batches[index]) > 1:
                    alone += [[position] for position in batches[index]]
                else:
                    refusals[outcome.reason] += 1
        except EndpointError as error:
            raise Unusable(str(error)) from None
        for reason, count in refusals.items():
            logger.warning("%d texts have no vector. %s", count, reason)
        if failures:
            # The most tried one says most.
            reason = max(failures, key=lambda failure: failure.attempts).reason
            raise Unusable(f"{left} of {len(texts)} texts have no vector yet. {reason}")
        if alone:
            yield from self._ask(texts, alone)

    def _call(self, texts: list[str]) -> Call[np.ndarray]:
        # base64 has a third of the bytes of decimals.
        body: dict[str, Any] = {"model": self._model, "input": texts, "encoding_format": "base64"}
        if self._dimensions:
            body["dimensions"] = self._dimensions

        async def call(client: Client) -> np.ndarray:
            return self._vectors(await client.post("/embeddings", body), len(texts))

        return call

    def _vectors(self, answer: Any, n: int) -> np.ndarray:
        """[n, d] of unit length, in the order of the texts."""
        rows = read_embeddings(answer, n)
        width = rows.shape[1]
        if width != (self._width or width):
            asked = f"asked for {self._dimensions}" if self._dimensions else f"{self._width} before"
            raise Unreadable(
                f"it gave {width} dimensions ({asked}). Ask for a number that the model offers."
            )
        try:
            found = unit_rows(rows)
        except Unusable as error:
            raise Unreadable(str(error)) from None
        self._width = width
        return found


def _batches(texts: Sequence[str]) -> list[list[int]]:
    """Positions by request, in order."""
    batches: list[list[int]] = []
    size = 0
    for position, text in enumerate(texts):
        length = len(text.encode())
        if not batches or len(batches[-1]) == BATCH_TEXTS or size + length > BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(position)
        size += length
    return batches


@cache
def _encoding() -> tiktoken.Encoding | None:
    """OpenAI's tokenizer, which its library downloads once; None where it cannot be had."""
    try:
        import tiktoken

        return tiktoken.get_encoding(ENCODING)
    except Exception as error:  # requests, urllib3 and the file system each have their own
        logger.warning(
            "Texts above %d bytes are cut to so many, as tokens cannot be counted (%s).",
            MAX_TOKENS,
            error,
        )
        return None
