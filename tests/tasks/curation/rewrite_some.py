"""Rewrite n made-up samples at an endpoint; a program of its own, so that it can be killed.

python -m tests.tasks.curation.rewrite_some URL N CONCURRENCY TIMEOUT_S OUT
"""

import json
import re
import sys
from collections import Counter
from pathlib import Path

from hm_models.endpoints.client import Endpoint
from hm_tasks.curation.candidate import Candidate
from hm_tasks.curation.rewrite import rewrite
from hm_tasks.curation.rewriting_settings import RewriteSettings
from hm_tasks.traces.markers import join


def samples(n: int, first: int = 0) -> list[Candidate]:
    """Samples number first ... first + n - 1, each with a program of its own."""
    return [
        Candidate(
            id=f"{number:016x}",
            problem=f"Demo/{number // 4}",
            statement=f"Add {number} to x.",
            entry_point="add",
            text=f"I add {number}.\n```python\n{program(number)}\n```\nDone.",
            program=program(number),
            provenance={"source": "made up", "line": number},
        )
        for number in range(first, first + n)
    ]


def program(number: int) -> str:
    return f'def add(x):\n    """Sum."""\n    return x + {number}  # number {number}'


def number_of(question: str) -> int:
    """Which sample a question is about."""
    found = re.search(r"^> Add (\d+) to x", question, re.M)
    assert found, question
    return int(found[1])


def good(question: str) -> str:
    """What a good rewriter says: a thought, and the program of the question."""
    copied = re.search(
        r"^===== program \w+ =====\n(.*)\n===== end of program", question, re.M | re.S
    )
    assert copied, question
    return join(f"To x I add {number_of(question)}.", copied[1])


def settings(url: str, limit: int | None = None, **how) -> RewriteSettings:
    return RewriteSettings("a-rewriter", endpoint=Endpoint(url, **how), limit=limit)


if __name__ == "__main__":
    url, n, concurrency, timeout_s, out = sys.argv[1:]
    chosen = settings(url, concurrency=int(concurrency), timeout_s=float(timeout_s))
    counts: Counter[str] = Counter()
    lines = [record.line() for record in rewrite(samples(int(n)), chosen, counts)]
    Path(out).write_text("\n".join([*lines, json.dumps(counts, sort_keys=True)]) + "\n")
