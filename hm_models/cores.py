"""Which cores this process may use, whatever its own threads are tied to.

vLLM's CPU build has OpenMP tie a worker's main thread, and with it whatever that thread starts, to one
core. The process that started the worker still knows what the user allowed.
"""

import multiprocessing
import os


def _allowed() -> set[int] | None:
    if not hasattr(os, "sched_getaffinity"):
        return None
    cores = os.sched_getaffinity(0)
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        cores |= os.sched_getaffinity(parent.pid)
    return cores


CORES = _allowed()


def use_all_cores() -> None:
    """Let the calling thread run on every core that this process was given."""
    if CORES:
        os.sched_setaffinity(0, CORES)
