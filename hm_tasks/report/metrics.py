"""Names of numbers: `pass@10` is pass@k by the first of the counting rules, with k = 10.

at_k("plus_only_pass@5")      # ("plus_only_pass", 5)
"""

from __future__ import annotations

import re

from hm_tasks.code_passk.task import CORRECT

# Up to a million: results may name any k, and nobody draws more samples.
_AT_K = re.compile(rf"({'|'.join(CORRECT)})@([1-9][0-9]{{0,5}})", re.ASCII)


def at_k(metric: str) -> tuple[str, int] | None:
    """The counting rule and k of a pass@k; None for other numbers."""
    found = _AT_K.fullmatch(metric)
    return (found[1], int(found[2])) if found else None
