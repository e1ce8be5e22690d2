"""The tasks of this plugin stand behind those of the harness and before the user's own.

Harness: 0.4.13 and 0.5.0.dev1.
Unnecessary: once installed packages can name their tasks; proposed, not merged
(github.com/EleutherAI/lm-evaluation-harness/pull/4015).
"""

from __future__ import annotations

import functools
import inspect
from importlib.util import find_spec
from typing import Any


def change(module: Any) -> None:
    """Let each `TaskManager` look into `hm_tasks`, too."""
    # Located, not imported: the task index reads only YAML.
    spec = find_spec("hm_tasks")
    if spec is None or spec.submodule_search_locations is None:
        return  # hm_models alone
    folder = spec.submodule_search_locations[0]
    manager = module.TaskManager
    plain = manager.__init__
    signature = inspect.signature(plain)

    @functools.wraps(plain)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        asked = bound.arguments
        include_path = asked["include_path"]
        if asked["include_defaults"]:
            given = include_path or []
            given = given if isinstance(given, (list, tuple)) else [given]
            # In front of the user's folders: the harness lets later folders win.
            asked["include_path"] = [folder, *given]
        plain(*bound.args, **bound.kwargs)
        self.include_path = include_path

    manager.__init__ = __init__
