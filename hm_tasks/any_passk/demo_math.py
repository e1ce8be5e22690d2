"""The problems of `demo_math`, which come with the package: no hub, no cache, from any folder.

Each has its `question`, its `answer` (a whole number, a decimal, or a fraction in lowest terms), the `grade`
(1: one step, 2: two, 3: larger numbers, shares and rates, 4: three steps or more), and the `working`, of which
the answer is the value.

>>> problems()["test"][0]["question"]
'Ravi has 7 pencils and finds 5 more in a drawer. How many pencils does he have now?'
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict

from hm_models.files.text_files import json_lines

FILE = Path(__file__).parent / "demo_math.jsonl"


def problems(**_: Any) -> DatasetDict:
    """The split `test`; the harness calls it with the task's metadata (`custom_dataset`)."""
    return DatasetDict(test=Dataset.from_list([line.value for line in json_lines(FILE)]))
