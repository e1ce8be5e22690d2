"""Where the plugin keeps what it makes: `HM_CACHE`, else the platform's user cache folder."""

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder(*parts: str) -> Path:
    """Return (and create) a folder below the plugin's cache."""
    root = os.environ.get("HM_CACHE")
    folder = Path(root).expanduser() if root else user_cache_path("hindsight-merging")
    folder = folder.joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def samples_file() -> Path:
    """Where samples are kept unless `--use_cache` names another file."""
    return cache_folder() / "samples.sqlite"
