"""The commands as setup.cfg declares them, run by their modules: nothing of this tree needs installing."""

import configparser
import contextlib
import importlib
import io
import logging
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

from hm_models.commands.command_line import FLOORS

ROOT = Path(__file__).parents[1]


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


def run(name: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with what it said."""
    return subprocess.run(
        command(name, *arguments),
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )


def run_here(name: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same in this process, which has imported what is heavy; what is logged is pytest's to show."""
    words = [name, *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    loggers = [logging.getLogger(floor) for floor in FLOORS]
    levels = [logger.level for logger in loggers]
    main = importlib.import_module(declared()[name].partition(":")[0]).main
    with (
        mock.patch.dict(os.environ, environment),
        mock.patch.object(sys, "argv", words),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            code = main()
        except SystemExit as ended:
            code = ended.code
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())
