"""Requests know who made their prompt of what, so that it can be asked in turns, or stays as rendered.

Harness: 0.4.13 and 0.5.0.dev1, whose requests hold the prompt as one text (`hm_models.prompts.conversation`).
Unnecessary: once a request holds the turns of its prompt.
"""

from __future__ import annotations

import functools
from typing import Any


def change(module: Any) -> None:
    """Note it when `Task.build_all_requests` has built them."""
    task = module.Task
    plain = task.build_all_requests

    @functools.wraps(plain)
    def build_all_requests(self: Any, **given: Any) -> Any:
        built = plain(self, **given)
        from hm_models.prompts.conversation import note_origin

        rendered = bool(given.get("apply_chat_template"))
        note_origin(self, given.get("system_instruction"), rendered)
        return built

    task.build_all_requests = build_all_requests
