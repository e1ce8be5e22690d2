"""What an attack is: a program that tries to break out, and which levels claim to stop it.

It is run as a model's program would be, with a few names given to it: `planted` (where to find what
it must not), `os`, `ctypes`, `libc`, `call(name, ...)` for raw system calls and `report`, a
descriptor. It succeeds by setting `got` to something true; an exception or a killed process is a
defence that held. Of two programs the second runs after the clean-up of the first.

Sources: the man pages of the calls that are tried.
"""

from __future__ import annotations

import textwrap


class Attack:
    """One way out."""

    def __init__(self, name: str, title: str, stopped_by: str, *programs: str) -> None:
        self.name = name
        self.title = title
        self.stopped_by = stopped_by  # the levels that claim to, by their first letters
        self.programs = [textwrap.dedent(program) for program in programs]


# Of calls that only attacks do: x86_64, aarch64.
CALLS = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "io_uring_setup": (425, 425),
    "memfd_create": (319, 279),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "pidfd_open": (434, 434),
    "process_vm_readv": (310, 270),
    "shmget": (29, 194),
    "mq_open": (240, 180),
    "socket": (41, 198),
    "kill": (62, 129),
    "clone3": (435, 435),
    "userfaultfd": (323, 282),
}
