"""The commands as setup.cfg declares them, run by their modules: nothing of this tree needs installing."""

import configparser
import os
import subprocess
import sys
from pathlib import Path

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
