"""The process in which `evalplus.evaluate` runs a program, as far as a program can tell.

evalplus 0.3.1 runs programs in forks of a process that has imported all of `evalplus.evaluate`, and
takes functions away in the fork alone. So what that process had loaded works (`import pandas`), and
what has to be loaded without those functions may not. It has called its way to a certain depth,
which counts against a program's recursion. Both are the same here, for every program. evalplus itself
holds answers (its oracles, its generators' examples), so that its files are hidden from programs, and
nothing of it stays loaded but its guards. What differs: docs/scoring.md.

    sources = Sources.of("evalplus")                # once, in the runner, before it isolates itself
    guards = load(own_folder, sources)              # once, isolated
    at_depth(FRAMES, execute, run)                  # in each fork of it
"""

from __future__ import annotations

import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import itertools
import multiprocessing.util
import os
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hm_tasks.sandbox.inside import semaphore

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


class Sources(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """A package's modules as they are read from disk now, to be imported when it is hidden."""

    def __init__(self, files: dict[str, Path]) -> None:
        self._files = files
        self._content = {name: file.read_bytes() for name, file in files.items()}

    @classmethod
    def of(cls, package: str) -> Sources:
        """All modules of an installed package, which is not imported for it."""
        spec: Any = importlib.util.find_spec(package)
        root = Path(spec.submodule_search_locations[0])
        files = {}
        for file in root.rglob("*.py"):
            parts = file.relative_to(root.parent).with_suffix("").parts
            files[".".join(parts[:-1] if file.name == "__init__.py" else parts)] = file
        return cls(files)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in self._files:
            return None
        is_package = self._files[name].name == "__init__.py"
        return importlib.machinery.ModuleSpec(name, self, is_package=is_package)

    def exec_module(self, module: types.ModuleType) -> None:
        name = module.__name__
        exec(
            compile(self._content[name], self._files[name], "exec", dont_inherit=True), vars(module)
        )


def load(own_folder: str, sources: Sources) -> Any:
    """Import what that process has imported; returns evalplus's guards (its `eval/utils.py`).

    Args:
        own_folder: the entry of `sys.path` that was made for this project's own packages.
        sources: of evalplus.
    """
    sys.meta_path.insert(0, sources)
    sys.path[0] = os.path.dirname(sys.executable)  # the working folder's modules are nobody's
    sys.path.remove(own_folder)
    importlib.import_module("evalplus.evaluate")
    for name in LOADED:
        importlib.import_module(name)
    semaphore.use_own()
    tempfile.gettempdir()  # found before the guards, without which it is not
    guards = importlib.import_module("evalplus.eval.utils")
    sys.meta_path.remove(sources)
    _forget("evalplus")
    gc.collect()
    return guards


def hide_own_modules() -> None:
    """Take this project's modules from the list of what is loaded: a program's imports are its own."""
    for package in ("hm_tasks", "hm_models"):
        _forget(package)


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]


def _main() -> None:
    """In place of evalplus's, from which all of evalplus could be reached."""


def look_alike(dataset: str) -> None:
    """Let this process, a fork that is to run a program, look like evalplus's."""
    script = os.path.join(os.path.dirname(sys.executable), COMMAND)
    sys.argv = [script, "--dataset", dataset, "--samples", "samples.jsonl"]
    main: Any = types.ModuleType("__main__")
    main.__file__, main.sys, main.main = script, sys, _main
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
