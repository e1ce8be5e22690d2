"""What programs may read: Python itself, its installed packages, shared libraries, the time zone.

>>> outermost(["/opt/python", "/opt/python/lib", "/opt/python3"])
['/opt/python', '/opt/python3']

Sources: hier(7), ld.so(8), tzset(3), sysconfig and site in Python's documentation.
"""

from __future__ import annotations

import glob
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator

# Loaders look for libraries there, on every distribution one or the other is a link.
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64")
# Debian's OpenSSL fails, rather than going without, if it may not read its configuration.
_FILES = ("/etc/localtime", "/etc/ld.so.cache", "/etc/ssl/openssl.cnf")
_ZONES = "/usr/share/zoneinfo"
_NIX = "/nix/store"  # every package of Nix is a prefix of its own
_INSTALLED_IN = (
    "site-packages",
    "dist-packages",
)  # where pip installs, unless --target says another folder

DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


def readable_paths(more: Iterable[str] = ()) -> list[str]:
    """Return the paths that programs may read, absolute and in order, without duplicates.

    The folder of an editable install is not among them: it holds more than the package.
    """
    found = dict.fromkeys(os.path.abspath(path) for path in (*_candidates(), *more) if path)
    return [path for path in found if os.path.exists(path)]


def _candidates() -> Iterator[str]:
    yield from (*_LIBRARIES, *_FILES, _ZONES)
    for prefix in (sys.base_prefix, sys.base_exec_prefix, sys.prefix):
        for name in ("lib", "lib64", "share/zoneinfo"):
            yield os.path.join(prefix, name)
        if prefix.startswith(_NIX):
            yield _NIX
    for name in ("stdlib", "platstdlib", "purelib", "platlib"):
        yield sysconfig.get_path(name)
    yield from filter(holds_packages, sys.path)


def holds_packages(folder: str) -> bool:
    """Tell whether others' packages are there: by its name or, after `pip install --target`, by numpy."""
    if os.path.basename(folder) in _INSTALLED_IN:
        return True
    # What pip leaves beside it: a folder of somebody's own that is called numpy opens nothing to programs.
    return bool(folder and glob.glob(os.path.join(glob.escape(folder), "numpy-*.dist-info")))


def outermost(paths: Iterable[str]) -> list[str]:
    """Return the real paths without those inside another one."""
    kept: list[str] = []
    for path in sorted({os.path.realpath(path) for path in paths}):
        if not any(path.startswith(above.rstrip("/") + "/") for above in kept):
            kept.append(path)
    return kept
