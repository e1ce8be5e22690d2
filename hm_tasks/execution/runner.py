"""The sandboxed process that runs programs for a judge: `python -m hm_tasks.execution.runner`.

It confines itself once, then forks for each program, passes on what that writes, and sees to it that
nothing of it is left. It holds inputs, never expected outputs; what it says of a program is only that it
is gone. Standard input brings messages (`hm_tasks.execution.frames`), standard output takes them.
"""

from __future__ import annotations

import gc
import os
import pickle
import select
import signal
from typing import Any

from hm_tasks.execution import sandbox
from hm_tasks.execution.frames import (
    END,
    PIECE,
    PROBLEM,
    RUN,
    SETTINGS,
    STOP,
    Closed,
    read_frame,
    write_frame,
)
from hm_tasks.execution.program import Run, evalplus_guards, execute

PIECE_BYTES = 1 << 16
POLL_MS = 50  # how often a program is looked at that neither writes nor ends
