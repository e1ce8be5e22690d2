"""What one program may use, and the environment that it sees.

>>> "HF_TOKEN" in clean_environment("/scratch"), clean_environment("/scratch")["HOME"]
(False, '/scratch')

Sources: setrlimit(2); evalplus 0.3.1 (`evalplus/eval/utils.py`), whose 4 GiB of address space, data
and stack are kept so that verdicts stay the same.
"""

from __future__ import annotations

import os
import resource  # here and not in each program's process, where it takes half a millisecond
from dataclasses import dataclass
from pathlib import Path

from hm_models.errors import UsageError
from hm_tasks.sandbox.isolation.readable import holds_packages

GIB = 1 << 30
MIB = 1 << 20

HASH_SEED = "0"
# Files in the scratch folder behind standard input and output, where a program is run as a whole.
STREAMS = (".stdin", ".stdout")

# Where Python and its libraries are found, and the time zone: nothing else is passed on.
_PASSED_ON = (
    "LD_LIBRARY_PATH",
    "PYTHONHOME",
    "PYTHONPATH",
    "SYSTEMROOT",
    "TZ",
    "TZDIR",
)


class IsolationError(UsageError, RuntimeError):
    """A level of isolation cannot be had here, or no longer holds; the message says what to do."""


@dataclass(frozen=True)
class Limits:
    """What one program may use."""

    memory: int = 4 * GIB  # address space and data, as evalplus
    stack: int = 4 * GIB  # as evalplus; the main thread's only
    threads: int = 64  # ThreadPoolExecutor takes up to 32
    processes: int = 0  # that a program may start itself; evalplus has no fork either
    file_bytes: int = 16 * MIB  # one file
    scratch_bytes: int = 32 * MIB  # all files together (strong)
    scratch_files: int = 4096  # (strong)
    open_files: int = 64
    cpu_seconds: int = 600  # a backstop: the caller keeps the time on the wall

    def apply(self, tasks: int | None) -> None:
        """Set the resource limits of this process.

        Args:
            tasks: processes and threads that the user may have in all; None leaves that as it is.
        """
        wanted = {
            "AS": self.memory,
            "DATA": self.memory,
            "STACK": self.stack,
            "FSIZE": self.file_bytes,
            "NOFILE": self.open_files,
            "CPU": self.cpu_seconds,
            "CORE": 0,
            "MSGQUEUE": 0,
            "MEMLOCK": 0,
            "NPROC": tasks,
        }
        for name, value in wanted.items():
            number = getattr(resource, f"RLIMIT_{name}", None)
            if number is None or value is None:
                continue
            hard = resource.getrlimit(number)[1]
            if hard != resource.RLIM_INFINITY:
                value = min(value, hard)
            try:
                resource.setrlimit(number, (value, value))
            except (ValueError, OSError):
                # macOS refuses some: it is the weakest level there anyway. Linux never does.
                if os.uname().sysname == "Linux":
                    raise


def clean_environment(scratch: str) -> dict[str, str]:
    """Return the whole environment that programs have: no keys, tokens or home folder."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": scratch,
        "TMPDIR": scratch,
        "TMP": scratch,
        "TEMP": scratch,
        "PYTHONDONTWRITEBYTECODE": "1",
        # The order of a set of strings is the same in each process, so that a verdict is, too.
        "PYTHONHASHSEED": HASH_SEED,
        # One process a core; and each thread counts against the program's number.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def runner_environment(scratch: str) -> dict[str, str]:
    """The same for a process that has to find this project's own packages."""
    environment = clean_environment(scratch)
    found = filter(None, (own_folder(), environment.get("PYTHONPATH")))
    return environment | {"PYTHONPATH": os.pathsep.join(found)}


def own_folder() -> str:
    """The folder of this project's packages; empty where they lie among all others (`pip install .`).

    There they are found anyway, and who forgets that folder forgets numpy.
    """
    folder = str(Path(__file__).parents[3])
    return "" if holds_packages(folder) else folder
