"""The day that chat templates with a calendar are told, so that tomorrow's prompts are today's.

day_told(None, store, template)      # of the template's first prompt, kept beside the samples
day_told(date(2026, 11, 28), store, template)
"""

from __future__ import annotations

import datetime
import hashlib
import logging

from hm_models.errors import RecipeError
from hm_models.samples.store import SampleStore

logger = logging.getLogger(__name__)


def parse_day(value: object) -> datetime.date | None:
    """`chat_date` of the model's arguments. Raises RecipeError for what is no day."""
    if value is None:
        return None
    try:
        day = datetime.datetime.strptime(str(value), "%Y-%m-%d").date()
    except ValueError:
        raise RecipeError(
            f"chat_date={value!r}: expected a day as YYYY-MM-DD, for example chat_date=2026-11-28."
        ) from None
    return day


def day_told(given: datetime.date | None, store: SampleStore, template: str) -> datetime.date:
    """The day for prompts of a chat template: as given, else that of its first prompt in this store.

    Both models of a pair, every alpha and every time zone thereby have one day, and the log says which.
    """
    today = datetime.date.today()
    if given is not None:
        return given
    digest = hashlib.sha256(template.encode("utf-8", "surrogatepass")).hexdigest()
    day = datetime.date.fromisoformat(store.first_day(digest, today.isoformat()))
    logger.warning(
        "hm-merged: the chat template asks for the date. Its prompts say %s, the day of the first of "
        "them in %s, on every day, so that samples can be used again (chat_date=YYYY-MM-DD sets it).",
        *(day, store.path),
    )
    return day
