"""The file of a benchmark that this project does not bring along: a copy of the user's, or the hub's.

XSTEST_PATH=xstest_prompts.csv lm_eval --tasks xstest ...
"""

from __future__ import annotations

import os
from pathlib import Path

from hm_models.errors import UsageError


class DatasetError(UsageError, ValueError):
    """The data of a benchmark that are missing, damaged, or not the release that they should be."""


def own_copy(variable: str, name: str) -> Path | None:
    """The file that a variable of the environment names, or that is in the folder that it names.

    Returns:
        None where the variable is not set.

    Raises:
        DatasetError: there is no such file.
    """
    if not (named := os.environ.get(variable)):
        return None
    path = Path(named).expanduser()
    path = path / name if path.is_dir() else path
    if not path.is_file():
        raise DatasetError(
            f"{variable}: {path} is missing. Point it at {name}, or at the folder that holds it."
        )
    return path


def from_hub(repository: str, name: str, mend: str) -> tuple[Path, str]:
    """The file of a data set on the hub, and what to call that in results.

    Args:
        mend: what helps where it cannot be had, in words.

    Raises:
        DatasetError: it cannot be had.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        path = Path(hf_hub_download(repository, name, repo_type="dataset"))
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        why = in_a_line(error)
        raise DatasetError(f"{name} of {repository} cannot be had ({why}). {mend}") from None
    return path, f"hub: {repository} at {path.parent.name}"


def in_a_line(error: Exception) -> str:
    """What a library says, short enough for a sentence."""
    return " ".join(str(error).split())[:200] or type(error).__name__
