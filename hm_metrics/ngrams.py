"""distinct-n: the share of n-grams that are not repeated.

Source: Li et al., "A Diversity-Promoting Objective Function for Neural Conversation Models", 2016.

    >>> distinct_n(["a b a", "a b"], 2)
    0.6666666666666666
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# Words, and every other sign by itself: also what is no valid Python has tokens.
TOKEN = re.compile(r"\w+|[^\w\s]")


def distinct_n(texts: Sequence[str], n: int) -> float:
    """Number of different n-grams over the number of all n-grams in the texts, taken together.

    Returns:
        A value in (0, 1]; nan if no text has n tokens.
    """
    total, different = 0, set()
    for text in texts:
        tokens = TOKEN.findall(text)
        grams = list(zip(*(tokens[start:] for start in range(n)), strict=False))
        total += len(grams)
        different.update(grams)
    return len(different) / total if total else float("nan")
