"""Where the plugin keeps what it makes: `HM_CACHE`, else the platform's user cache folder.

    >>> cache_file("embeddings", "vectors.sqlite").parts[-2:]
    ('embeddings', 'vectors.sqlite')
    >>> with kept_in(Path("place")):       # what the disk says becomes a `CacheError` with the remedy
    ...     raise OSError("no room")
    Traceback (most recent call last):
    hm_models.files.places.CacheError: Nothing can be kept in place: no room. See that it can be written, \
that the disk has room, and that no other program holds it.

Merged checkpoints, samples, verdicts, judgments, rewrites and embeddings all lie below it, and what is
wrong with the place is said here alone.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from platformdirs import user_cache_path

from hm_models.errors import UsageError

_HOLDS = "It keeps merged checkpoints, samples, verdicts, judgments and embeddings between runs"


class CacheError(UsageError, ValueError):
    """Nothing can be kept where it should be; the message says why, and how to mend it."""


def cache_folder(*parts: str) -> Path:
    """Return (and create) a folder below the plugin's cache.

    Raises:
        CacheError: it cannot be made, or nothing can be written into it.
    """
    folder = _root().joinpath(*parts)
    with kept_in(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):  # a read-only file system refuses root as well
            raise PermissionError(f"{folder} cannot be written")
    return folder


def cache_file(*parts: str) -> Path:
    """A file below the plugin's cache, in a folder that is there.

    Raises:
        CacheError: as for `cache_folder`.
    """
    return cache_folder(*parts[:-1]) / parts[-1]


def samples_file() -> Path:
    """Where samples are kept unless `--use_cache` names another file."""
    return cache_file("samples.sqlite")


@contextlib.contextmanager
def kept_in(place: Path) -> Iterator[None]:
    """Errors of the disk and of SQLite, while something is kept there, become a CacheError."""
    try:
        yield
    except CacheError:
        raise
    except (OSError, sqlite3.OperationalError) as error:
        raise cannot_keep(place, error) from error


def cannot_keep(place: Path, error: Exception) -> CacheError:
    """Why nothing can be kept there, and how to mend it."""
    return CacheError(f"Nothing can be kept in {place}: {error}. {_remedy(place)}")


def _root() -> Path:
    given = os.environ.get("HM_CACHE")
    try:
        root = Path(given).expanduser() if given else user_cache_path("hindsight-merging")
    except RuntimeError:
        root = Path("~")
    if root.parts[:1] == ("~",):
        raise CacheError(
            f"{f'HM_CACHE={given}' if given else 'The cache folder'} is below a home folder that there "
            f"is not. {_HOLDS}. Set HM_CACHE to a folder that can be written."
        )
    return root


def _remedy(place: Path) -> str:
    try:
        is_ours = place.is_relative_to(_root())
    except CacheError:
        is_ours = False
    if not is_ours:
        return "See that it can be written, that the disk has room, and that no other program holds it."
    given = os.environ.get("HM_CACHE")
    name = f"HM_CACHE={given}" if given else f"The cache folder {_root()}"
    return (
        f"{name} must be a folder that can be written, on a disk with room. {_HOLDS}. "
        f"Set HM_CACHE to {'another' if given else 'such a'} folder."
    )
