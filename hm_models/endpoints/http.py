"""One endpoint while it is asked: JSON goes out, JSON comes in, and neither can be without end.

    async with Client(endpoint_url, key, timeout_s=60.0, concurrency=16) as client:
        answer = await client.post("/chat/completions", {"model": "m", "messages": [...]})

The answer is whatever JSON was sent, which `hm_models.endpoints.answers` reads. Redirections are not
followed: the key and the texts go to the address that was named and to no other.
"""

from __future__ import annotations

import json
import logging
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from hm_models.endpoints.answers import words_of
from hm_models.endpoints.failures import Refusal, Unreadable

# An answer to 64 texts of 8,192 dimensions in decimals has 12 MB; nothing that is asked for has more.
MAX_BYTES = 32 << 20
MAX_WORDS = 64 << 10  # bytes of an error that are read

# Parameters that not every model takes, and what each is called or done without.
OTHERWISE: Mapping[str, str | None] = {
    "max_tokens": "max_completion_tokens",  # OpenAI's reasoning models
    "temperature": None,
    "encoding_format": None,  # then numbers come as decimals
}
_SILENT_WITHOUT = {"max_tokens", "encoding_format"}  # the same is asked for in other words
_REFUSING = (
    *("unsupported", "not support", "not allowed", "not permitted", "unrecognized", "unknown"),
)

logger = logging.getLogger(__name__)


class Client:
    """Posts to an endpoint, each request as often as its parameters are refused, and no more."""

    def __init__(self, url: str, key: str, timeout_s: float, concurrency: int) -> None:
        # One line for each request would push everything else off the screen, and hold the URL.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        parts = urlsplit(url)
        self._start = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._query = f"?{parts.query}" if parts.query else ""
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        self._http = httpx.AsyncClient(
            auth=(user, password) if user or password else None,
            headers={"Authorization": f"Bearer {key}", "Accept-Encoding": "gzip, deflate"},
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=concurrency),
        )
        self._refused: set[str] = set()  # parameters, as this run has learnt

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.aclose()

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON of the answer.

        A parameter in OTHERWISE that the endpoint refuses goes by its other name, or is left out, from
        then on.

        Raises:
            Refusal: the endpoint says that it will not, under whatever status.
            Unreadable: what came is no JSON, or has no end.
            httpx.HTTPError: no answer came.
        """
        refused = set(self._refused)
        while True:
            try:
                answer = await self._post(path, _without(refused, body))
            except Refusal as error:
                names = [name for name in OTHERWISE if name in body and name not in refused]
                if (name := next((n for n in names if _is_refused(n, error)), None)) is None:
                    raise
                refused.add(name)
            else:
                self._learn(refused - self._refused, body)
                return answer

    def _learn(self, names: set[str], body: Mapping[str, Any]) -> None:
        for name in names - _SILENT_WITHOUT:
            logger.warning(
                "%s refuses %s=%s; it is asked without, so that its own default holds.",
                *(body.get("model"), name, body[name]),
            )
        self._refused |= names

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        request = self._http.build_request("POST", f"{self._start}{path}{self._query}", json=body)
        response = await self._http.send(request, stream=True)
        try:
            if not response.is_success:
                raise _refusal(response, path, await _words(response))
            answer = _parsed(await _content(response, MAX_BYTES))
        finally:
            await response.aclose()
        if isinstance(answer, dict) and _error_of(answer) is not None:
            raise _refusal(response, path, answer)
        return answer


def _error_of(answer: dict[str, Any]) -> Any:
    """The error in an answer that has nothing else; None if there is none."""
    if answer.get("choices") or answer.get("data"):
        return None
    return answer if answer.get("object") == "error" else answer.get("error") or None


def _refusal(response: httpx.Response, path: str, answer: Any) -> Refusal:
    error = _error_of(answer) if isinstance(answer, dict) else None
    error = error if isinstance(error, dict) else {}
    status, code, words = response.status_code, str(error.get("code") or ""), words_of(answer)
    if response.is_success and re.fullmatch("[45][0-9][0-9]", code):
        status = int(code)  # gateways put the status of whom they asked there
    if response.is_redirect:
        words = f"it sends on to {response.headers.get('location', 'nowhere')}. {words}"
    return Refusal(status, words, code, str(error.get("param") or ""), f"POST {path}", response)


async def _words(response: httpx.Response) -> Any:
    """What came with an error: JSON where it is some, else text."""
    try:
        raw = await _content(response, MAX_WORDS, cut=True)
    except Unreadable as error:
        return str(error)
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw.decode("utf-8", "replace")


def _is_refused(name: str, error: Refusal) -> bool:
    if error.status >= 300 and error.status not in (400, 422):
        return False
    words = error.words.lower()
    other = OTHERWISE[name]
    return error.param == name or (
        name in words and ((other or name) in words) and any(w in words for w in _REFUSING)
    )


def _without(refused: set[str], body: Mapping[str, Any]) -> dict[str, Any]:
    named = {OTHERWISE[k] if k in refused else k: value for k, value in body.items()}
    return {name: value for name, value in named.items() if name is not None}


async def _content(response: httpx.Response, most: int, cut: bool = False) -> bytes:
    """The unpacked body, never more of it than `most` bytes.

    Raises:
        Unreadable: it is longer (unless it may be cut), or cannot be unpacked.
    """
    unpack = _unpacker(response.headers.get("content-encoding", ""))
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += unpack(chunk, most + 1 - len(content))
        if len(content) > most:
            if cut:
                break
            raise Unreadable(f"it is longer than {most >> 20} MiB, and was cut off there")
    return bytes(content[:most])


def _unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    """A function from packed bytes and a limit to at most so many bytes unpacked.

    httpx would unpack a piece of the connection whole: 64 KiB may become hundreds of megabytes.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return lambda chunk, most: chunk[:most]
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise Unreadable(f"it is packed as {encoding[:40]!r}, which was not asked for")
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # gzip or zlib, by its first bytes

    def unpack(chunk: bytes, most: int) -> bytes:
        try:
            return stream.decompress(chunk, most)
        except zlib.error as error:
            raise Unreadable(f"it cannot be unpacked ({error})") from None

    return unpack


def _parsed(content: bytes) -> Any:
    # Not `text_files.parse_json`: halves of surrogate pairs are replaced later, as models write them.
    try:
        return json.loads(content)
    except RecursionError:
        raise Unreadable("its JSON is nested too deeply") from None
    except ValueError as error:  # as well as bytes that are no UTF-8, and numbers without end
        words = content[:MAX_WORDS].decode("utf-8", "replace").strip()
        what = f"it begins with {words[:200]!r}" if words else "it is empty"
        raise Unreadable(f"it is no JSON ({error}); {what}") from None
