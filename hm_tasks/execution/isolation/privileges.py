"""Root becomes an ordinary user of its own; everybody gives up capabilities.

The kernel does not count root's processes (RLIMIT_NPROC), and root owns the files outside. Under a
user that nobody else is, both are as they should be.

Sources: capabilities(7), setresuid(2), getrlimit(2), prctl(2).
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from hm_tasks.execution.isolation import kernel

# Far above what distributions and systemd give out (up to 2^16, containers up to 2^30).
_OWN_USERS = 2_000_000_000
# In a container that maps few users: the overflow user, then shared with the other runners.
_NOBODY = 65534


def lower(must_read: Iterable[str], own: str | None = None) -> bool:
    """Give up all privileges for good; return whether the user is now one of this process alone.

    Args:
        must_read: root keeps the right to read everything (CAP_DAC_READ_SEARCH; what may be read is
            for mounts and Landlock to say), or stays root without capabilities, if the new user
            could not read these.
        own: a folder that the new user shall own.
    """
    keep = None
    alone = False
    if os.geteuid() == 0 and kernel.has_capability(6) and kernel.has_capability(7):  # SETGID, SETUID
        user = next((u for u in (_OWN_USERS + os.getpid(), _NOBODY) if _exists(u)), 0)
        readable = _readable_as(user, must_read)
        if user and (readable or kernel.has_capability(kernel.CAP_DAC_READ_SEARCH)):
            keep = None if readable else kernel.CAP_DAC_READ_SEARCH
            alone = user != _NOBODY
            _become(user, own)
    kernel.drop_capabilities(keep)
    # A change of user clears it. Not dumpable: /proc/PID/mem and ptrace are closed to equals.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    return alone


def _exists(user: int) -> bool:
    # A user namespace knows only the users that are mapped into it.
    try:
        os.seteuid(user)
    except OSError:
        return False
    os.seteuid(0)
    return True


def _readable_as(user: int, paths: Iterable[str]) -> bool:
    os.seteuid(user)
    try:
        return all(os.access(path, os.R_OK, effective_ids=True) for path in paths)
    finally:
        os.seteuid(0)


def _become(user: int, own: str | None) -> None:
    if own:
        os.chown(own, user, user)
    kernel.prctl(kernel.PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    kernel.prctl(kernel.PR_SET_KEEPCAPS, 0)
