"""`--samples` with any numbers: the log has the questions that were asked.

0.5.0.dev1 knows a question by its number in the data set, and looks that up once more among the numbers that
were asked for when it writes the log: [1, 3] is an IndexError.

Harness: 0.5.0.dev1; 0.4.13 numbers the questions that were asked for anew.
Unnecessary: once `_build_logged_samples` takes the number that a request has.
"""

from __future__ import annotations

import functools
from typing import Any

NAME = "_build_logged_samples"


def change(module: Any) -> None:
    """Tell `lm_eval.evaluator`'s function of no numbers: then it takes the request's."""
    plain = vars(module).get(NAME)
    if plain is None:
        return

    @functools.wraps(plain)
    def build(task: Any, samples: object, *args: Any, **kwargs: Any) -> Any:
        return plain(task, None, *args, **kwargs)

    setattr(module, NAME, build)
