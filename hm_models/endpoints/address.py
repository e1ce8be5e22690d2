"""Where an OpenAI-compatible endpoint is, and how patiently it is asked.

>>> Address("http://localhost:8000/v1/chat/completions").url
'http://localhost:8000/v1'
"""

from __future__ import annotations

import dataclasses
import os
from urllib.parse import urlsplit, urlunsplit

from hm_models.shown.secrets import Secrets, public_url

OPENAI_URL = "https://api.openai.com/v1"
# What people copy from a manual where the address before it is meant.
PATHS = ("/chat/completions", "/completions", "/embeddings")


class EndpointError(ValueError):
    """An endpoint that cannot be asked at all: no address, or OpenAI's own without a key."""


@dataclasses.dataclass(frozen=True)
class Address:
    """The address of an endpoint, and the limits within which it is asked.

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
        for copied in PATHS:
            path = path.removesuffix(copied).rstrip("/")
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
