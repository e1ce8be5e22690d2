"""No key and no credentials where the harness shows the arguments of its command line.

Harness: 0.4.13 and 0.5.0.dev1, which log and print them.
Unnecessary: once the harness hides them.
"""

from __future__ import annotations

import functools
from typing import Any


def change(module: Any) -> None:
    """Give `EvaluatorConfig` dicts that are hidden when they are shown."""
    config = module.EvaluatorConfig
    plain = config.from_cli.__func__

    @functools.wraps(plain)
    def from_cli(cls: Any, namespace: Any) -> Any:
        from hm_models.shown.secrets import PublicWhenShown

        found = plain(cls, namespace)
        for name in ("model_args", "metadata"):
            if type(getattr(found, name)) is dict:
                setattr(found, name, PublicWhenShown(getattr(found, name)))
        return found

    config.from_cli = classmethod(from_cli)
