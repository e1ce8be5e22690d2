"""The commands as setup.cfg declares them, in this process or by their modules: none needs installing."""

import configparser
import contextlib
import importlib
import io
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).parents[1]
Done = subprocess.CompletedProcess[str]
HARNESS = dict.fromkeys(("lm_eval", "lm-eval"), "lm_eval.__main__:cli_evaluate")


def declared(group: str = "console_scripts") -> dict[str, str]:
    """Of each entry point of a group its `module:function`."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options.entry_points"][group].strip().splitlines()
    return {
        name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)
    }


def command(name: str, *arguments: object) -> list[str]:
    """What runs a command, for `subprocess`."""
    module = declared()[name].partition(":")[0]
    return [sys.executable, "-m", module, *map(str, arguments)]


def run(name: str, *arguments: object, **environment: str) -> Done:
    """Run a command, or the harness's, to its end in this process, with what it said; its libraries are
    imported once.
    """
    module, _, function = (HARNESS | declared())[name].partition(":")
    words = [name, *map(str, arguments)]
    with _own_process(words, environment) as (out, err):
        try:
            code = getattr(importlib.import_module(module), function)()
        except SystemExit as end:
            code = end.code
        except Exception:
            traceback.print_exc()
            code = 1
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    return Done(words, code or 0, out.getvalue(), err.getvalue())


def run_apart(name: str, *arguments: object, **environment: str) -> Done:
    """The same in a process of its own, where what it imports or how it ends is the claim."""
    return subprocess.run(
        command(name, *arguments),
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )


@contextlib.contextmanager
def _own_process(
    words: list[str], environment: dict[str, str]
) -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Arguments, environment, streams and logging as a new process has them; all is undone after."""
    root = logging.getLogger()
    ours = [logging.getLogger(floor) for floor in ("hm_models", "hm_metrics", "hm_tasks")]
    before = root.handlers, root.level, [logger.level for logger in ours]
    root.handlers = []
    with (
        mock.patch.object(sys, "argv", words),
        mock.patch.dict(os.environ, environment),
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        try:
            yield out, err
        finally:
            root.handlers, level, levels = before
            root.setLevel(level)
            for logger, one in zip(ours, levels, strict=True):
                logger.setLevel(one)
