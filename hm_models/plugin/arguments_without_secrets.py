"""No key and no credentials where the harness shows its arguments, of a command line or a YAML (`--config`).

Harness: 0.4.13 and 0.5.0.dev1, which log and print them.
Unnecessary: once the harness hides them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any


def change(module: Any) -> None:
    """Give `EvaluatorConfig` dicts that are hidden when they are shown, before it shows any."""
    config = module.EvaluatorConfig
    plain, plain_configure = config.from_cli.__func__, config._configure

    @functools.wraps(plain)
    def from_cli(cls: Any, namespace: Any, *args: Any, **kwargs: Any) -> Any:
        _hide(namespace, vars(namespace))  # logged where a YAML has others
        return plain(cls, namespace, *args, **kwargs)

    @functools.wraps(plain_configure)
    def _configure(self: Any, *args: Any, **kwargs: Any) -> Any:
        configured = plain_configure(self, *args, **kwargs)
        _hide(self, (field.name for field in dataclasses.fields(self)))
        return configured

    config.from_cli, config._configure = classmethod(from_cli), _configure


def _hide(settings: Any, names: Iterable[str]) -> None:
    from hm_models.shown.secrets import PublicWhenShown

    for name in names:
        if type(value := getattr(settings, name)) is dict:
            setattr(settings, name, PublicWhenShown(value))
