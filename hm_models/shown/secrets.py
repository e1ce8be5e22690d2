"""What must stand in no result, log, store or message: keys of the environment, credentials of URLs.

    >>> public_url("http://me:password@host/v1?key=k")
    'http://host/v1'
    >>> public({"judge_base_url": "http://me:password@host/v1"})      # as it may be written down
    {'judge_base_url': 'http://host/v1'}
    >>> secrets = Secrets.of("http://me:password1@host/v1")
    >>> secrets.mask_words("wrong: PASSWORD1")          # what an endpoint says of a failure
    'wrong: ***'
    >>> secrets.mask("password1, PASSWORD1")            # what a model wrote
    '***, PASSWORD1'

An endpoint knows the key that it is sent and may repeat it in its error's words, in any spelling: there
a secret is looked for in parts, in any case, with anything between its letters and digits, and as URLs,
base64, hexadecimal digits, JSON and HTML write it. What a model wrote is data, and `not-needed` is a
common key: there only the very text of a secret is hidden, where it is no plain word.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

HIDDEN = "***"
SHORTEST_OF_ENVIRONMENT = 8  # characters; `EMPTY` and `none` stand where a key is not needed
# What people give to servers that take any key; it stands in texts for other reasons.
PLACEHOLDERS = {"not-needed", "no-key", "no-key-required", "sk-no-key-required", "lm-studio"}
PART = 8  # letters and digits in a row by which a part of a secret is known

_ENVIRONMENT = re.compile(r"(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|AUTH)$", re.I)
_SETTING = re.compile(
    r"(?:^|[_-])(?:api_?key|(?:access|auth|hf|api)_?token|secret|passw(?:or)?d|authorization)$|^token$",
    re.I,
)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>\\]+", re.I)
_SECRET_OF_QUERY = re.compile(r"key|token|secret|pass|pwd|sig|auth|cred|code", re.I)
# What looks like a key, whoever it belongs to: in a path of a URL, in an endpoint's words.
_KEY = (
    r"(?-i:sk-(?:(?=[\w-]*[\dA-Z])[\w-]{8,}|[\w-]{16,})|(?:hf|gsk)_[A-Za-z0-9]{20,}|(?:xai|nvapi)-[\w-]{20,}|"
    r"gh[a-z]_[A-Za-z0-9]{20,}|AIza[\w-]{30,})"
)
_KEY_IN_PATH = re.compile(
    rf"{_KEY}|.*(?=[a-z0-9]*\d)(?=[a-z0-9]*[a-z])[a-z0-9]{{20,}}.*|"
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|.*@.*",
    re.I,
)
_BEFORE_A_KEY = {"key", "keys", "token", "apikey", "api-key", "api_key", "secret"}
_LOOKS_SECRET = re.compile(
    rf"\b{_KEY}|(?<=bearer )[\w.~+/=-]{{6,}}|(?<=basic )(?=[^\s]*[\d=])[\w+/=-]{{6,}}|"
    r"(?<=api_key=)[^\s,&]+|(?<=api-key: )\S+",
    re.I,
)


def public_url(url: str) -> str:
    """A URL without user, password, query, fragment, and what looks like a key in its path."""
    start, found, rest = url.partition("://")
    if not found:
        start, rest = "", url
    try:
        parts = urlsplit(f"http://{rest}")
        _ = parts.port  # where a password holds a slash, it begins where a port should be
    except ValueError:
        return f"{start}{found}{HIDDEN}"
    path = "/".join(HIDDEN if is_key else segment for segment, is_key in _segments(parts.path))
    return f"{start}{found}{parts.netloc.rpartition('@')[2]}{path}"


def public(value: Any) -> Any:
    """A value of JSON as it may be written down: settings, results, model arguments.

    Settings that are named like a secret, URLs' credentials, keys of the environment and what looks
    like a key are hidden.
    """
    return _public(value, Secrets.of(*_urls_in(value)))


def hide_in_results(results: dict[str, Any] | None) -> dict[str, Any] | None:
    """The harness's results with settings as `public` has them and no key in an answer."""
    if results is None:
        return None
    secrets = Secrets.of(*_urls_in([results.get("config"), results.get("configs")]))
    for name in ("config", "configs"):
        if name in results:  # a new one: the caller's own arguments lie in it
            results[name] = _public(results[name], secrets)
    for samples in (results.get("samples") or {}).values():
        for sample in samples:
            for name in ("resps", "filtered_resps"):
                if name in sample:
                    sample[name] = _masked(sample[name], secrets)
    return results


class PublicWhenShown(dict):
    """Arguments that work as they are, and that a log line or a table shows as `public` has them."""

    def __repr__(self) -> str:
        return repr(public(dict(self)))


class Secrets:
    """Texts that are to be hidden, in whatever form they come back."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values = [v for v in sorted(values, key=len, reverse=True) if not _is_word(v)]
        exact: set[str] = set()
        self._wholes: dict[str, int] = {}  # a secret's letters and digits -> length of a part
        for form in {form for value in values for form in _forms(value)}:
            plain = _plain(form)
            if len(plain) >= 6:
                self._wholes[plain] = min(PART, max(6, len(plain) - 2))
            else:
                start, end = r"(?<!\w)" if form[0].isalnum() else "", r"(?!\w)"
                exact.add(f"{start}{re.escape(form)}{end if form[-1].isalnum() else ''}")
        longest_first = sorted(exact, key=lambda form: (-len(form), form))
        self._short = re.compile("|".join(longest_first)) if exact else None

    @classmethod
    def of(cls, *urls: str, keys: Iterable[str] = ()) -> Secrets:
        """Those of the environment, of these URLs, and these keys."""
        known = {key for key in keys if len(key) > 1}
        for url in urls:
            known |= set(_of_url(url))
        return _compiled(tuple(sorted(known | set(_of_environment()))))

    def mask(self, text: str) -> str:
        """A model's text with *** in place of each secret that stands in it as it is."""
        for value in self._values:
            text = text.replace(value, HIDDEN)
        return text

    def mask_words(self, text: str) -> str:
        """An endpoint's words without any part of a secret, and without what looks like one."""
        text = _in_public(text)
        if self._short:
            text = self._short.sub(HIDDEN, text)
        letters, places = _with_places(text)
        covered: set[int] = set()
        for whole, part in self._wholes.items():
            parts = {whole[start : start + part] for start in range(len(whole) - part + 1)}
            for start in range(len(letters) - part + 1):
                if letters[start : start + part] in parts:
                    covered.update(range(places[start], places[start + part - 1] + 1))
        return _LOOKS_SECRET.sub(HIDDEN, _without(text, covered))


@lru_cache(maxsize=64)
def _compiled(values: tuple[str, ...]) -> Secrets:
    return Secrets(values)


def _public(value: Any, secrets: Secrets) -> Any:
    if isinstance(value, dict):
        return {
            secrets.mask(key) if isinstance(key, str) else key: _public_setting(key, inner, secrets)
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_public(inner, secrets) for inner in value]
    if isinstance(value, str):
        return _LOOKS_SECRET.sub(HIDDEN, secrets.mask(_in_public(value)))
    return value


def _public_setting(name: Any, value: Any, secrets: Secrets) -> Any:
    if isinstance(value, str) and value and isinstance(name, str):
        if _SETTING.search(name):
            return HIDDEN
        if name.endswith("base_url"):
            return secrets.mask(public_url(value))
    return _public(value, secrets)


def _masked(value: Any, secrets: Secrets) -> Any:
    if isinstance(value, str):
        return secrets.mask(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_masked(inner, secrets) for inner in value)
    return value


def _urls_in(value: Any) -> list[str]:
    text = json.dumps(value, ensure_ascii=False, skipkeys=True, default=lambda other: None)
    return _URL.findall(text)


def _in_public(text: str) -> str:
    """The text with the credentials of its URLs gone; what else they ask for stays."""

    def shown(match: re.Match[str]) -> str:
        url = match[0]
        try:
            query = parse_qsl(urlsplit(url).query)
        except ValueError:
            return public_url(url)
        secret = "@" in url or any(_SECRET_OF_QUERY.search(name) for name, _ in query)
        return public_url(url) if secret else url

    return _URL.sub(shown, text)


def _segments(path: str) -> Iterator[tuple[str, bool]]:
    """The parts of a path, and whether each is a key."""
    before = ""
    for segment in path.split("/"):
        plain = unquote(segment)
        is_named = before in _BEFORE_A_KEY and plain != ""
        yield segment, is_named or bool(_KEY_IN_PATH.fullmatch(plain))
        before = plain.lower()


def _of_environment() -> Iterator[str]:
    for name, value in os.environ.items():
        is_path = value.startswith("/") and os.path.exists(value)  # such as SSL_KEY=/etc/...
        long_enough = len(value.strip()) >= SHORTEST_OF_ENVIRONMENT
        if long_enough and not is_path and _ENVIRONMENT.search(name):
            yield value.strip()


def _of_url(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError:
        return
    found = [user, password, parts.fragment]
    if user and password:
        found += [f"{user}:{password}", base64.b64encode(f"{user}:{password}".encode()).decode()]
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    # A query of one word has no name.
    found += [value or name for name, value in pairs if not value or _is_secret(name, value)]
    found += [segment for segment, is_key in _segments(parts.path) if is_key]
    yield from (unquote(text) for text in found if len(text) > 1)


def _is_secret(name: str, value: str) -> bool:
    return bool(_SECRET_OF_QUERY.search(name)) or len(value) >= SHORTEST_OF_ENVIRONMENT


def _forms(secret: str) -> Iterator[str]:
    """A secret as it may come back."""
    raw = secret.encode("utf-8", "surrogateescape")
    yield secret
    yield from (quote(raw, safe=""), quote_plus(raw), html.escape(secret), raw.hex())
    yield from (repr(secret)[1:-1], json.dumps(secret)[1:-1])
    for shift in range(3):  # base64 has three ways to write the same within something longer
        whole = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        yield whole[(shift * 8 + 5) // 6 : -1] if len(raw) > 4 else whole


def _is_word(secret: str) -> bool:
    """Whether it may well stand in a text for another reason."""
    return len(secret) < 6 or secret in PLACEHOLDERS or (secret.isalpha() and len(secret) < 16)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _with_places(text: str) -> tuple[str, list[int]]:
    """Letters and digits alone, and where each stands."""
    found = [(c, i) for i, raw in enumerate(text) for c in raw.casefold() if c.isalnum()]
    return "".join(c for c, _ in found), [i for _, i in found]


def _without(text: str, covered: set[int]) -> str:
    kept = [HIDDEN if i in covered else c for i, c in enumerate(text)]
    return re.sub(rf"(?:{re.escape(HIDDEN)})+", HIDDEN, "".join(kept))
