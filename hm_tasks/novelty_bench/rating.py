"""The rating in a judge's answer: a whole number from 1 to 10.

    >>> read_rating("Of some use.\\n#therating: 7"), read_rating("8/10"), read_rating("#therating: 11")
    (7, 8, None)

Contract: the last line `#therating: N` of the judge's own words counts; without one, a number that stands
alone on the first or the last line.
"""

from __future__ import annotations

import re

from hm_tasks.judges.words import own_lines

_MARK = re.compile(r"#[ \t]*therating\b[ \t*_`]*[:：=]?", re.IGNORECASE)
_RATING = re.compile(
    r"[\s*_`~\"'“”\[({$]*(?P<value>\d{1,3})(?:\.0+)?(?:\s*/\s*10)?[\s*_`~\"'“”\])}$.]*"
)


def read_rating(text: str, rating_only: bool = False) -> int | None:
    """The rating in a judge's answer; None where there is none to read.

    Args:
        rating_only: the judge was asked for the number alone; it makes no difference here.
    """
    own = own_lines(text)
    marked = [place for place, line in enumerate(own) if _MARK.search(line)]
    if marked:
        *_, words = _MARK.split(own[marked[-1]])
        if not words.strip(" \t*_`") and marked[-1] + 1 < len(own):
            words = own[marked[-1] + 1]
        return _rating(words)
    alone = {found for line in (own[:1] + own[-1:]) if (found := _rating(line)) is not None}
    return alone.pop() if len(alone) == 1 else None


def _rating(words: str) -> int | None:
    found = _RATING.fullmatch(words)
    return int(found["value"]) if found and 1 <= int(found["value"]) <= 10 else None
