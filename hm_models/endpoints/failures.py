"""What an error of an OpenAI-compatible endpoint means: try again, never for this call, or give up.

    >>> retry_after({"retry-after": "2"})
    2.0
    >>> diagnose(asyncio.TimeoutError(), Secrets([])).what
    'no answer in time'

Source of the codes: OpenAI's guide to error codes; of Retry-After: RFC 9110, section 10.2.3.
"""

from __future__ import annotations

import asyncio
import dataclasses
import email.utils
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from hm_models.shown.secrets import Secrets

if TYPE_CHECKING:
    import httpx

# Try again; the same, but it was asked and answered; this call is refused for good; this call is given
# up for now; every call would fail alike.
RETRY, UNUSABLE, REFUSED = "retry", "unusable", "refused"
ALONE, HOPELESS = "alone", "hopeless"
_RETRIED_STATUS = {408, 409, 425, 429}  # and 5xx
# A wrong key; an unknown model or path. And 3xx: it is elsewhere.
_HOPELESS_STATUS = {401, 404, 405}
_NO_CREDIT = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_MAX_REASON = 300  # characters of what a server says


class BadAnswer(Exception):
    """Raised by a call whose answer cannot be used, where another try may bring a better one."""


class Unreadable(BadAnswer):
    """The same where it is no answer at all, whatever was asked: the next one will hardly be better."""


class Refusal(Exception):
    """An endpoint said that it will not.

    Attributes:
        status: of HTTP, or that in the body of a success.
        words: the endpoint's own.
        code, param: what its error names; empty where it does not.
        where: what it was asked for.
        response: with its headers.
    """

    def __init__(
        self, status: int, words: str, code: str, param: str, where: str, response: httpx.Response
    ) -> None:
        super().__init__(words or "without a word")
        self.status, self.words, self.code, self.param = status, words, code, param
        self.where, self.response = where, response


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why a call gave nothing.

    Attributes:
        kind: what to do about it: RETRY, UNUSABLE, REFUSED, ALONE or HOPELESS.
        what: the same for every failure of its sort, to count by (`answered 500`, `no answer in time`).
        reason: in words, for the user, without any secret.
        attempts: how often it was asked for; 0 where others had shown that it is no use.
        retry_after: seconds that the server asks to wait, where it does.
        limited: whether a rate limit was met.
    """

    kind: str
    what: str
    reason: str
    attempts: int = 0
    retry_after: float | None = None
    limited: bool = False

    @property
    def refused(self) -> bool:
        """The endpoint will never answer this call (a bad request), whatever is tried."""
        return self.kind == REFUSED

    @property
    def hopeless(self) -> bool:
        """Others met, or would meet, the same: it will answer no call."""
        return self.kind == HOPELESS


def diagnose(error: Exception, secrets: Secrets) -> Failure | None:
    """What an error means; None if it is not the endpoint's doing.

    Args:
        secrets: what must not appear in a reason, though servers repeat it.
    """
    import httpx

    words = _clean(error, secrets)
    if isinstance(error, (asyncio.TimeoutError, httpx.TimeoutException)):
        return Failure(
            RETRY, "no answer in time", "The endpoint did not answer within the time limit."
        )
    if isinstance(error, httpx.HTTPError):
        reason = (
            f"The endpoint cannot be reached or broke off its answer ({words.removesuffix('.')})."
        )
        return Failure(RETRY, "no connection", reason)
    if isinstance(error, (httpx.InvalidURL, UnicodeError)):  # a host's name that no resolver takes
        return Failure(HOPELESS, "no request", f"The request cannot be sent: {words}")
    if isinstance(error, BadAnswer):
        reason = f"The endpoint's answer cannot be used: {words}"
        kind = UNUSABLE if isinstance(error, Unreadable) else RETRY
        return Failure(kind, "unusable answer", reason)
    if not isinstance(error, Refusal):
        return None
    status, what = error.status, f"answered {error.status}"
    reason = f"The endpoint {what} to {error.where}: {words}"
    if status in _HOPELESS_STATUS or 300 <= status < 400 or error.code in _NO_CREDIT:
        return Failure(HOPELESS, what, reason)
    if status < 300:
        reason = f"The endpoint {what} to {error.where} with an error: {words}"
        return Failure(UNUSABLE, what, reason)
    if status in _RETRIED_STATUS or status >= 500:
        wait = retry_after(error.response.headers)
        return Failure(RETRY, what, reason, retry_after=wait, limited=status == 429)
    return Failure(REFUSED, what, reason)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait, from a number or a date; None if it says nothing readable."""
    for name, per_second in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / per_second
        except (KeyError, ValueError):
            continue
        return seconds if 0 <= seconds < float("inf") else None
    try:
        date = email.utils.parsedate_to_datetime(headers["retry-after"])
        return max(0.0, date.timestamp() - time.time())
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def _clean(error: BaseException, secrets: Secrets) -> str:
    """Words for one line of a terminal, whatever was sent."""
    text = secrets.mask_words((str(error) or type(error).__name__)[: 20 * _MAX_REASON])
    text = "".join(c if c.isprintable() else " " for c in text)
    text = " ".join(text.split())
    text = text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]} ..."
    return text if text.endswith((".", "!", "?")) else f"{text}."
