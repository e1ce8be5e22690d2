"""A YAML in anybody's folder may include a protocol of this project by its name: `include: _any_passk_yaml`.

Harness: 0.4.13 and 0.5.0.dev1, which look beside the YAML alone.
Unnecessary: once `include` finds files of installed packages.
"""

from __future__ import annotations

import functools
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def change(module: Any) -> None:
    """Look into the folders of `hm_tasks` for what is not where it is named, in `load_yaml`."""
    plain = module.load_yaml

    @functools.wraps(plain)
    def load_yaml(path: Any, **given: Any) -> Any:
        return plain(_ours(Path(path)) or path, **given)

    module.load_yaml = load_yaml


def _ours(path: Path) -> Path | None:
    """This project's file of that name, where there is none at the path."""
    name = path.name
    if not (name.startswith("_") and name.endswith("_yaml")) or path.exists():
        return None
    spec = find_spec("hm_tasks")
    folders = spec.submodule_search_locations if spec else None
    return next(Path(folders[0]).glob(f"*/{name}"), None) if folders else None
