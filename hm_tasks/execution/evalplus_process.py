"""The process in which `evalplus.evaluate` runs a program, as far as a program can tell.

evalplus 0.3.1 runs programs in forks of a process that has imported all of `evalplus.evaluate`, and
takes functions away in the fork alone. So what that process had loaded works (`import pandas`), and
what has to be loaded without those functions may not. It has called its way to a certain depth,
which counts against a program's recursion. Both are the same here, for every program. What differs:
docs/scoring.md.

    guards = load(own_folder)                       # once, in the runner
    at_depth(FRAMES, execute, run)                  # in each fork of it
"""

from __future__ import annotations

import importlib
import itertools
import multiprocessing.util
import os
import sys
import tempfile
import types
from collections.abc import Callable
from typing import Any

from hm_tasks.execution import semaphore

# The frame, counted from the bottom, that calls a program under the command `evalplus.evaluate`, and
# what that command imports, or loads on its way to a program, beside `evalplus.evaluate`.
FRAMES = 28
LOADED = (
    "concurrent.futures.process",
    "fire",
    "multiprocessing.heap",
    "multiprocessing.popen_fork",
    "multiprocessing.sharedctypes",
    "multiprocessing.synchronize",
)
COMMAND = "evalplus.evaluate"


def load(own_folder: str) -> Any:
    """Import what that process has imported; returns evalplus's guards (its `eval/utils.py`).

    Args:
        own_folder: the entry of `sys.path` that was made for this project's own packages.
    """
    sys.path[0] = os.path.dirname(sys.executable)  # the working folder's modules are nobody's
    sys.path.remove(own_folder)
    importlib.import_module("evalplus.evaluate")
    for name in LOADED:
        importlib.import_module(name)
    semaphore.use_own()
    tempfile.gettempdir()  # found before the guards, without which it is not
    return importlib.import_module("evalplus.eval.utils")


def hide_own_modules() -> None:
    """Take this project's modules from the list of what is loaded: a program's imports are its own."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "hm_tasks"]:
        del sys.modules[name]


def look_alike(dataset: str) -> None:
    """Let this process, a fork that is to run a program, look like evalplus's."""
    script = os.path.join(os.path.dirname(sys.executable), COMMAND)
    sys.argv = [script, "--dataset", dataset, "--samples", "samples.jsonl"]
    main: Any = types.ModuleType("__main__")
    main.__file__, main.sys = script, sys
    main.main = importlib.import_module("evalplus.evaluate").main
    sys.modules["__main__"] = sys.modules["__mp_main__"] = main
    # A worker of the pool, and the process that it has started.
    worker = multiprocessing.get_context("fork").Process()
    known: Any = multiprocessing.process
    known._current_process, known._process_counter = worker, itertools.count(1)
    known._current_process = multiprocessing.Process()
    multiprocessing.util._close_stdin()  # type: ignore[attr-defined]
    known._parent_process = known._ParentProcess(worker.name, os.getppid(), None)


def at_depth(number: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the function as the frame of that number, or as the next one if that many are there."""
    frame, below = sys._getframe(), 1
    while frame := frame.f_back:  # type: ignore[assignment]
        below += 1
    if below + 1 < number:
        return at_depth(number, function, *arguments)
    return function(*arguments)
