"""The process in which `evalplus.evaluate` runs a program, as far as a program can tell.

evalplus 0.3.1 runs programs in forks of a process that has imported all of `evalplus.evaluate`, and
takes functions away in the fork alone. So what that process had loaded works (`import pandas`), and
what has to be loaded without those functions may not. It has called its way to a certain depth,
which counts against a program's recursion. Both are the same here, for every program. evalplus itself
holds answers (its oracles, its generators' examples), so that its files are hidden from programs, and
nothing of it stays loaded but its guards. What differs: docs/scoring.md.

    sources = PackageSources.of("evalplus")         # once, in the runner, before it isolates itself
    guards = load(own_folder, sources, light=False) # once, isolated
    look_alike()                                    # once, with nothing more to import
    at_depth(FRAMES, execute, run)                  # in each fork of it

The light runner, for programs that could not tell (`hm_tasks.sandbox.judging.light`), loads what these can
name and the guards, and holds as much of the address space.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import itertools
import mmap
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
GUARDS = "evalplus.eval.utils"
# What programs of the light runner may import, what these modules load when they are called, and what
# the guards import.
NAMEABLE = (
    *("_strptime", "array", "bisect", "calendar", "cmath", "collections.abc", "copy", "datetime"),
    *("decimal", "encodings.ascii", "faulthandler", "fractions", "functools", "heapq", "itertools"),
    *("math", "numbers", "operator", "platform", "random", "re", "resource", "shutil", "string"),
    *("subprocess", "tempfile", "time", "typing", "unicodedata"),
)
# Bytes that the other runner has mapped beyond these (measured on Linux with numpy 2.3 and pandas 3.1): data,
# which two of the guards' limits count, and files, which one of them counts.
HELD_DATA, HELD_FILES = 1_150 << 20, 220 << 20


class PackageSources(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """A package's modules as they are read from disk now, to be imported when it is hidden."""

    def __init__(self, files: dict[str, Path]) -> None:
        self._files = files
        self._content = {name: file.read_bytes() for name, file in files.items()}

    @classmethod
    def of(cls, package: str) -> PackageSources:
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


def load(own_folder: str, sources: PackageSources, light: bool) -> Any:
    """Import what that process has imported; returns evalplus's guards (its `eval/utils.py`).

    Args:
        own_folder: the entry of `sys.path` that was made for this project's own packages; empty if none was.
        sources: of evalplus.
        light: import only what programs of the light runner can name.
    """
    sys.path[0] = os.path.dirname(sys.executable)  # the working folder's modules are nobody's
    if own_folder:
        sys.path.remove(own_folder)
    guards: Any
    if light:
        for name in NAMEABLE:
            importlib.import_module(name)
        guards = types.ModuleType(GUARDS)
        sources.exec_module(guards)
        _hold_address_space()
    else:
        sys.meta_path.insert(0, sources)
        importlib.import_module("evalplus.evaluate")
        for name in LOADED:
            importlib.import_module(name)
        guards = importlib.import_module(GUARDS)
        sys.meta_path.remove(sources)
        _forget("evalplus")
    semaphore.use_own()
    tempfile.gettempdir()  # found before the guards, without which it is not
    return guards


_held: list[mmap.mmap] = []


def _hold_address_space() -> None:
    """Leave a program as much memory as beside everything; no page of this is ever touched."""
    for size, access in (
        (HELD_DATA, mmap.PROT_READ | mmap.PROT_WRITE),
        (HELD_FILES, mmap.PROT_READ),
    ):
        with contextlib.suppress(OSError):  # a machine that has less
            _held.append(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, access))


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]


def _main() -> None:
    """In place of evalplus's, from which all of evalplus could be reached."""


def look_alike() -> None:
    """Let the forks of this process look like evalplus's. Nothing of ours can be imported afterwards."""
    for package in ("hm_tasks", "hm_metrics", "hm_models"):
        _forget(package)
    main: Any = types.ModuleType("__main__")
    main.__file__, main.sys, main.main = _script(), sys, _main
    sys.modules["__main__"] = sys.modules["__mp_main__"] = main
    gc.collect()
    gc.freeze()  # so that a fork's collector does not touch, and copy, every page


def begin(dataset: str) -> None:
    """What a fork does that is to run a function of this data set."""
    sys.argv = [_script(), "--dataset", dataset, "--samples", "samples.jsonl"]
    # A worker of the pool, and the process that it has started.
    worker = multiprocessing.get_context("fork").Process()
    known: Any = multiprocessing.process
    known._current_process, known._process_counter = worker, itertools.count(1)
    known._current_process = multiprocessing.Process()
    multiprocessing.util._close_stdin()  # type: ignore[attr-defined]
    known._parent_process = known._ParentProcess(worker.name, os.getppid(), None)


def _script() -> str:
    return os.path.join(os.path.dirname(sys.executable), COMMAND)


def at_depth(number: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the function as the frame of that number, or as the next one if that many are there."""
    frame, below = sys._getframe(), 1
    while frame := frame.f_back:  # type: ignore[assignment]
        below += 1
    if below + 1 < number:
        return at_depth(number, function, *arguments)
    return function(*arguments)
