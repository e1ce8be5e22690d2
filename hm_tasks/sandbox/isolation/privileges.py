"""Root becomes an ordinary user of its own; everybody gives up capabilities.

The kernel does not count root's processes (RLIMIT_NPROC), and root owns the files outside. Under a
user that nobody else is, both are as they should be.

Sources: capabilities(7), setresuid(2), getrlimit(2), prctl(2).
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from hm_tasks.sandbox.isolation import kernel

# Far above what distributions and systemd give out (up to 2^16, containers up to 2^30).
_OWN_USERS = 2_000_000_000
# In a container that maps few users: the overflow user, then shared with the other runners.
_NOBODY = 65534

_TO_CHANGE = (kernel.CAP_SETGID, kernel.CAP_SETUID)
_READ_ALL = (kernel.CAP_DAC_READ_SEARCH, kernel.CAP_DAC_OVERRIDE)


def lower(
    must_read: Iterable[str], own: str | None = None, further: Iterable[int] = ()
) -> tuple[bool, list[int]]:
    """Give up all privileges for good.

    Returns whether the user is now one of this process alone, and what programs may hold.

    Args:
        must_read: if the new user could not read these, it keeps the right to read everything
            (CAP_DAC_READ_SEARCH, in containers CAP_DAC_OVERRIDE): what may be read and written is
            for mounts and Landlock to say. Without either, root stays root without capabilities.
        own: a folder that the new user shall own.
        further: capabilities that this process keeps, and its programs are to give up.
    """
    keep = None
    alone = False
    own_use = [number for number in further if kernel.has_capability(number)]
    if os.geteuid() == 0 and all(map(kernel.has_capability, _TO_CHANGE)):
        user = next((u for u in (_OWN_USERS + os.getpid(), _NOBODY) if _exists(u)), 0)
        readable = _readable_as(user, must_read)
        if not readable:
            keep = next((c for c in _READ_ALL if kernel.has_capability(c)), None)
        if user and (readable or keep is not None):
            alone = user != _NOBODY
            _become(user, own)
        else:
            keep = None
    kept = [] if keep is None else [keep]
    kernel.drop_capabilities([*kept, *own_use])
    # A change of user clears it. Not dumpable: /proc/PID/mem and ptrace are closed to equals.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    return alone, kept


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
