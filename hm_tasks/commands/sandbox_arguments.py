"""Where a command runs programs: the same three arguments for each, and the refusal where nothing isolates.

add_sandbox(command)
place = place_of(command.parse_args())
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from hm_models.errors import UsageError

if TYPE_CHECKING:
    from hm_tasks.sandbox.executors import Place


def add_sandbox(command: argparse.ArgumentParser) -> None:
    """`--isolation`, `--executor`, `--confirm_run_unsafe_code`."""
    command.add_argument(
        "--isolation", default="auto", help="auto, strong, landlock or rlimit (auto)"
    )
    command.add_argument(
        "--executor", default="local", help="where programs run: local, ray (local)"
    )
    command.add_argument(
        "--confirm_run_unsafe_code", action="store_true", help="where no sandbox holds"
    )


def place_of(asked: argparse.Namespace) -> Place:
    """Prove what isolation holds there.

    Raises:
        UsageError: it is not to be had, or nothing isolates and nobody has confirmed that.
    """
    from hm_tasks.sandbox.executors import choose_place

    place = choose_place(asked.executor, asked.isolation)
    if place.level == "rlimit" and not asked.confirm_run_unsafe_code:
        raise UsageError(
            "no sandbox holds here: add --confirm_run_unsafe_code to run programs anyway"
        )
    return place
