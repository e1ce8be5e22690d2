"""SIGTERM and SIGHUP end a sweep as Ctrl-C does: engines are shut down, what is finished is kept.

    with ending_in_order():
        ...                 # Terminated is raised in the main thread, KeyboardInterrupt for Ctrl-C

An end takes no longer than `MOST_SECONDS`: then the process is killed, and its engines with it
(`hm_models.engines.owner`). A second Ctrl-C kills it at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
# For a sweep to end; for its worker processes, whose end it waits for.
MOST_SECONDS, WORKER_SECONDS = 6.0, 3.0


class Terminated(KeyboardInterrupt):
    """The process was asked to end, by this signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


@contextlib.contextmanager
def ending_in_order() -> Iterator[None]:
    """Raise Terminated in the main thread when one of the signals comes, once."""
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def end(number: int, frame: FrameType | None) -> None:
        for each in SIGNALS:  # an end that is on its way is not begun again
            signal.signal(each, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # but cut short
        kill_soon(MOST_SECONDS)
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)

    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup's: the terminal may go
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def kill_soon(seconds: float) -> None:
    """Kill this process after these seconds, should it still be there."""

    def kill() -> None:
        time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()


def leave(exit_code: int) -> NoReturn:
    """End this process now: an interpreter's own end waits for threads, and hears nobody meanwhile."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(exit_code)
