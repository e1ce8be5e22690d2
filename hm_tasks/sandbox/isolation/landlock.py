"""Landlock: which files may be read and written, by the kernel's own rules and without privileges.

Sources: landlock(7), Documentation/userspace-api/landlock.rst, include/uapi/linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable, Iterator

from hm_tasks.sandbox.isolation import kernel
from hm_tasks.sandbox.isolation.limits import IsolationError

_VERSION = 1
_RULE_PATH_BENEATH = 1

EXECUTE = 1 << 0
_WRITE_FILE = 1 << 1
_READ_FILE = 1 << 2
_READ_DIR = 1 << 3
# From REMOVE_DIR to MAKE_SYM, without devices and sockets.
_CHANGE_DIR = 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 12
_REFER = 1 << 13
_TRUNCATE = 1 << 14
_ON_FILES = EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
# How many rights over files, from the lowest bit, each version (ABI) of Landlock knows.
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NET_TCP = 0b11  # bind and connect, from version 4 on
_SCOPES = 0b11  # abstract sockets and signals, from version 6 on

READ = _READ_FILE | _READ_DIR
WRITE = READ | _WRITE_FILE | _CHANGE_DIR | _REFER | _TRUNCATE
USE_DEVICE = _READ_FILE | _WRITE_FILE | _TRUNCATE


def version() -> int:
    """The version (ABI) of Landlock that the kernel has; raises IsolationError without any."""
    try:
        return kernel.call("landlock_create_ruleset", None, 0, _VERSION)
    except OSError as error:
        raise IsolationError(
            f"The kernel refuses Landlock ({error.strerror}): Linux 5.13 or later has it, if lsm= "
            "at boot names it and the container lets it through. Use isolation=rlimit."
        ) from error


def restrict(rules: Iterable[tuple[str, int]], *, only_execute: bool = False) -> None:
    """Allow this process, and all that it starts, only what the rules allow.

    Args:
        rules: paths with the rights over them and all below; paths that are not there are left out.
        only_execute: forbid no more than starting programs. As a domain inside another one it keeps
            this process from tracing and signalling those of the outer one.
    """
    known = version()
    handled = (1 << _RIGHTS[min(known, max(_RIGHTS))]) - 1
    scopes = _SCOPES if known >= 6 else 0
    network = _NET_TCP if known >= 4 and not only_execute else 0
    attributes = struct.pack("<QQQ", EXECUTE if only_execute else handled, network, scopes)
    size = 24 if known >= 6 else 16 if known >= 4 else 8
    ruleset = kernel.call("landlock_create_ruleset", ctypes.c_char_p(attributes), size, 0)
    try:
        for path, rights in rules:
            _add(ruleset, path, rights & handled)
        kernel.call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)


def _add(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what cannot be reached needs no permission
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _ON_FILES
        rule = struct.pack("=Qi", rights, descriptor)
        kernel.call("landlock_add_rule", ruleset, _RULE_PATH_BENEATH, ctypes.c_char_p(rule), 0)
    finally:
        os.close(descriptor)


def all_but(path: str, hidden: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Rules to read a folder without some paths in it.

    Rights only add up along a path, so the folders on the way to a hidden path are not allowed
    themselves, only what lies beside it. Their lists of names stay readable.
    """
    if os.path.islink(path):
        return
    inside = [h for h in hidden if h == path or h.startswith(path.rstrip("/") + "/")]
    if not inside:
        yield path, READ
    elif path not in inside:
        yield path, _READ_DIR
        for name in os.listdir(path):
            yield from all_but(os.path.join(path, name), inside)
