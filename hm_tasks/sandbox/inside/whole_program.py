"""Running a program as a whole, as `python program.py < input > output` at a shell does.

For problems without an entry point, inside the sandbox, in place of calling a function:

    run = WholeProgram(program, folder, write_output)
    run.load()
    run("3 4\\n")        # what it printed, `normalised`

Each test is a process of its own, whose working folder holds the program's file. Descriptors 0 and
1 are real files, so `input`, `sys.stdin` and its `buffer`, `open(0)`, `/dev/stdin`, `os.read`,
`os.write` and whatever else a program reads and writes by are what they are at a shell; nothing is
translated at the ends of lines. A run ends as Python ends: threads that are no daemons are waited
for, functions of `atexit` are called, what is left is collected, buffers are flushed. `SystemExit`
with 0 or nothing is a normal end, and so is `os._exit(0)`, without all that; any other exit code is
an exception.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import gc
import io
import os
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

from hm_tasks.sandbox.inside.common_imports import CODE as COMMON_IMPORTS
from hm_tasks.sandbox.isolation.limits import STREAMS

PROGRAM = "program.py"
PIECE_BYTES = 1 << 20
# Python's own, and what calls between here and the program count beside their frames (Python 3.11).
RECURSION_LIMIT, UNSEEN_CALLS = 1000, 4
# What evalplus's guards take away where they are in place of the kernel, and these programs need, or
# what they import (coverage, which numba loads where it is installed, asks for the working folder).
GIVEN_BACK = ((builtins, ("open", "exit", "quit")), (os, ("getcwd",)))


def normalised(text: str) -> str:
    """The text as it is compared: no blanks at the ends of lines, no blank lines at the end."""
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip("\n")


class WholeProgram:
    """A program that is called with its standard input, once, and returns what it prints, `normalised`.

    Made before evalplus's guards, if there are any.

    Args:
        folder: the scratch folder.
        at_exit: called with what was printed where the program ends its process by `os._exit(0)`.
        common_imports: whether the program finds what `hm_tasks.sandbox.inside.common_imports` imports.
    """

    def __init__(
        self,
        program: str,
        folder: str,
        at_exit: Callable[[str], None],
        common_imports: bool = False,
    ) -> None:
        self._common_imports = common_imports
        self._program, self._folder, self._at_exit = program, folder, at_exit
        self._given_back = [
            (module, {name: vars(module).get(name) for name in names})
            for module, names in GIVEN_BACK
        ]
        self._exit = os._exit
        atexit._clear()  # what the runner has registered is not for here

    def load(self) -> None:
        """Write the program's file and read it as Python does, a byte-order mark included.

        Raises:
            SyntaxError: it is no program.
        """
        source = self._program.encode("utf-8", "surrogatepass")
        self._file = os.path.join(self._folder, PROGRAM)
        with io.open(self._file, "wb") as file:  # noqa: UP020
            file.write(source)
        self._code = compile(source, self._file, "exec", dont_inherit=True)

    def __call__(self, given: str) -> str:
        self._begin(given)
        main: Any = types.ModuleType("__main__")
        main.__file__, main.__builtins__, main.__cached__ = self._file, builtins, None
        sys.modules["__main__"] = sys.modules["__mp_main__"] = main
        sys.argv = [PROGRAM]
        sys.path[0] = self._folder
        frame, depth = sys._getframe(), UNSEEN_CALLS
        while frame := frame.f_back:  # type: ignore[assignment]
            depth += 1
        sys.setrecursionlimit(RECURSION_LIMIT + depth)
        os._exit = self._leave  # type: ignore[assignment]
        try:
            try:
                if self._common_imports:
                    exec(COMMON_IMPORTS, vars(main))
                exec(self._code, vars(main))
            except SystemExit as end:
                if end.code not in (None, 0):
                    raise
            _wait_for_threads()
            atexit._run_exitfuncs()
            self._flush()
            sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__
            # What a program has opened on descriptor 1 writes what it holds when it is collected.
            vars(main).clear()
            gc.collect()
            self._flush()
        finally:
            os._exit = self._exit
        return self._printed()

    def _begin(self, given: str) -> None:
        for module, found in self._given_back:
            vars(module).update(found)
        self._descriptors = []
        for number, content in enumerate((given.encode(), b"")):
            place = os.path.join(self._folder, STREAMS[number])
            descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.dup2(descriptor, number)
            self._descriptors.append(descriptor)
        sys.stdin = sys.__stdin__ = _stream(0, "r", "strict")  # type: ignore[misc]
        sys.stdout = sys.__stdout__ = _stream(1, "w", "strict")  # type: ignore[misc]
        sys.stderr = sys.__stderr__ = _stream(2, "w", "backslashreplace")  # type: ignore[misc]
        self._own = sys.stdout

    def _leave(self, status: int) -> None:
        """What `os._exit` is to the program: nothing is flushed."""
        if status == 0:
            self._at_exit(self._printed())
        self._exit(0)

    def _flush(self) -> None:
        for stream in (sys.stdout, self._own):
            # Closed, detached, or replaced by something else: then Python would not flush it either.
            with contextlib.suppress(ValueError, AttributeError):
                stream.flush()

    def _printed(self) -> str:
        """What has been written to standard output."""
        os.lseek(self._descriptors[1], 0, os.SEEK_SET)
        pieces = iter(lambda: os.read(self._descriptors[1], PIECE_BYTES), b"")
        return normalised(b"".join(pieces).decode("utf8", "replace"))


def _stream(descriptor: int, mode: str, errors: str) -> Any:
    """A standard stream as Python makes it where it is no terminal."""
    raw: Any = io.FileIO(descriptor, mode, closefd=False)
    raw.name = f"<{('stdin', 'stdout', 'stderr')[descriptor]}>"
    buffer = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
    by_line = descriptor == 2
    stream: Any = io.TextIOWrapper(buffer, "utf-8", errors, newline="\n", line_buffering=by_line)
    stream.mode = mode
    return stream


def _wait_for_threads() -> None:
    while threads := [
        thread
        for thread in threading.enumerate()
        if not thread.daemon and thread is not threading.current_thread()
    ]:
        for thread in threads:
            thread.join()
