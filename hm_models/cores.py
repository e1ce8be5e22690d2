"""Which cores this process may use, asked before anybody narrows it.

vLLM's CPU build ties a worker's main thread, and with it whatever that starts, to one core.
"""

import os

CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None


def use_all_cores() -> None:
    """Let the calling thread run on every core that this process was given."""
    if CORES:
        os.sched_setaffinity(0, CORES)
