"""Running a program as a whole: standard input in, what it prints out.

For problems without an entry point, inside the sandbox, in place of calling a function:

    run = WholeProgram(program, StandardStreams())
    run("3 4\\n")        # what it printed, `normalised`

Each call runs the program as `__main__`, afresh. Descriptors 0 and 1 are real files, so `input`,
`sys.stdin` and its `buffer`, `open(0)`, `os.read`, `os.write` and whatever else a program reads and
writes by are what they are at a shell. A run ends as Python ends: threads that are no daemons are
waited for, functions of `atexit` are called, buffers are flushed. `SystemExit` with 0 or nothing is a
normal end; any other exit code is an exception. Not like a shell: all runs share one process, and with
it what a program changes in the modules that it imports; `os._exit` ends them all; a file is at most as
long as the sandbox allows.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import gc
import os
import sys
import tempfile
import threading
import types
from typing import Any

PIECE_BYTES = 1 << 20
# What evalplus's guards take away from programs, and these need; the sandbox is what confines them.
GIVEN_BACK = ("open", "exit", "quit")


def normalised(text: str) -> str:
    """The text as it is compared: no blanks at the ends of lines, no blank lines at the end."""
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip("\n")


class StandardStreams:
    """Two files in the scratch folder that become standard input and output; made before the guards."""

    def __init__(self) -> None:
        self._files = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self._descriptors = [file.fileno() for file in self._files]
        self._builtins = {name: vars(builtins).get(name) for name in GIVEN_BACK}
        atexit._clear()  # what the runner has registered is not for here

    def begin(self, given: str) -> Any:
        """Make `given` the standard input, and the standard output empty; returns `sys.stdout`."""
        vars(builtins).update(self._builtins)
        for number, (descriptor, content) in enumerate(
            zip(self._descriptors, (given.encode(), b""), strict=True)
        ):
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.dup2(descriptor, number)
        stdin = open(0, encoding="utf8", closefd=False)  # noqa: SIM115
        stdout = open(1, "w", encoding="utf8", closefd=False)  # noqa: SIM115
        sys.stdin = sys.__stdin__ = stdin  # type: ignore[misc]
        sys.stdout = sys.__stdout__ = stdout  # type: ignore[misc]
        return stdout

    def written(self) -> str:
        """What has been written to standard output."""
        os.lseek(self._descriptors[1], 0, os.SEEK_SET)
        pieces = iter(lambda: os.read(self._descriptors[1], PIECE_BYTES), b"")
        return b"".join(pieces).decode("utf8", "replace")


class WholeProgram:
    """A program that is called with its standard input, and returns what it prints, `normalised`.

    Raises:
        SyntaxError: it is none.
    """

    def __init__(self, program: str, streams: StandardStreams) -> None:
        # Without this module's own `from __future__` lines.
        self._code = compile(program, "<program>", "exec", dont_inherit=True)
        self._streams = streams

    def __call__(self, given: str) -> str:
        stdout = self._streams.begin(given)
        main = types.ModuleType("__main__")
        sys.modules["__main__"] = main
        try:
            exec(self._code, vars(main))
        except SystemExit as end:
            if end.code not in (None, 0):
                raise
        _finish()
        for stream in (sys.stdout, stdout):
            # Closed, detached, or replaced by something else: then Python would not flush it either.
            with contextlib.suppress(ValueError, AttributeError):
                stream.flush()
        sys.stdin = sys.stdout = None  # type: ignore[assignment]
        vars(main).clear()
        # A file that the program has opened on descriptor 0 or 1 writes what it holds and closes it
        # when it is collected: now, and not in the next run.
        gc.collect()
        return normalised(self._streams.written())


def _finish() -> None:
    """Wait for threads and call functions as Python does at its end."""
    while threads := [
        thread
        for thread in threading.enumerate()
        if not thread.daemon and thread is not threading.current_thread()
    ]:
        for thread in threads:
            thread.join()
    atexit._run_exitfuncs()
