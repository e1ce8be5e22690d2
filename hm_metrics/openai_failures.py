"""What an error of an OpenAI-compatible endpoint means: try again, never for this call, or give up.

Source of the codes: OpenAI's guide to error codes; of Retry-After: RFC 9110, section 10.2.3.
"""

from __future__ import annotations

import asyncio
import dataclasses
import email.utils
import json
import time
from collections.abc import Mapping

# Try again; this call is refused for good; every call would fail alike.
RETRY, REFUSED, HOPELESS = "retry", "refused", "hopeless"
_RETRIED_STATUS = {408, 409, 425, 429}  # and 5xx
_HOPELESS_STATUS = {401, 404}  # a wrong key; an unknown model or path
_NO_CREDIT = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_MAX_REASON = 300  # characters of what a server says


class BadAnswer(Exception):
    """Raised by a call whose answer cannot be used, where another try may bring a better one."""


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What to do about an error.

    Attributes:
        kind: RETRY, REFUSED or HOPELESS.
        what: the same for every failure of its sort, to count by.
        reason: in words, for the user, without the key.
        retry_after: seconds that the server asks to wait, where it does.
        limited: whether a rate limit was met.
    """

    kind: str
    what: str
    reason: str
    retry_after: float | None = None
    limited: bool = False


def diagnose(error: Exception, key: str) -> Diagnosis | None:
    """The diagnosis of an error; None if it is not the endpoint's doing.

    Args:
        key: what must not appear in a reason, though servers repeat it.
    """
    import openai

    if isinstance(error, (asyncio.TimeoutError, openai.APITimeoutError)):
        return Diagnosis(
            RETRY, "no answer in time", "The endpoint did not answer within the time limit."
        )
    if isinstance(error, openai.APIConnectionError):
        why = _clean(error.__cause__ or error, key)
        return Diagnosis(
            RETRY,
            "no connection",
            f"The endpoint cannot be reached or broke off its answer ({why}).",
        )
    if isinstance(error, openai.APIStatusError):
        status, code = error.status_code, getattr(error, "code", None)
        what = f"answered {status}"
        reason = f"The endpoint {what}: {_clean(error, key)}"
        if status in _HOPELESS_STATUS or code in _NO_CREDIT:
            return Diagnosis(HOPELESS, what, reason)
        if status in _RETRIED_STATUS or status >= 500:
            wait = retry_after(error.response.headers)
            return Diagnosis(RETRY, what, reason, wait, limited=status == 429)
        return Diagnosis(REFUSED, what, reason)
    if isinstance(error, (BadAnswer, json.JSONDecodeError, openai.APIResponseValidationError)):
        return Diagnosis(
            RETRY, "unusable answer", f"The endpoint's answer cannot be used: {_clean(error, key)}"
        )
    return None


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
    except (KeyError, ValueError, TypeError):
        return None
    return max(0.0, date.timestamp() - time.time())


def _clean(error: BaseException, key: str) -> str:
    text = " ".join((str(error) or type(error).__name__).split())
    return text.replace(key, "***")[:_MAX_REASON] if key else text[:_MAX_REASON]
