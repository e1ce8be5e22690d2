"""The sweeps that come along, by name: configs/ of the repository, inside the package once it is installed.

>>> "llama-3.1-8b" in shipped()
True
>>> config_file("llama-3.1-8b").name
'llama-3.1-8b.yaml'
>>> config_file("llama-3.1-9b")
Traceback (most recent call last):
hm_models.sweep.given.SweepError: llama-3.1-9b: there is no such file, and no sweep of this name comes along. \
Did you mean llama-3.1-8b? There are: ...
"""

from __future__ import annotations

from pathlib import Path

from hm_models.errors import did_you_mean
from hm_models.sweep.given import SweepError

# `setup.py` puts the folder into the package as it builds; a clone and an editable install have it beside.
_FOLDERS = (Path(__file__).parents[1] / "configs", Path(__file__).parents[2] / "configs")


def shipped() -> dict[str, Path]:
    """The file of each sweep that comes along."""
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), _FOLDERS[0])
    return {file.name.removesuffix(".yaml"): file for file in sorted(folder.glob("*.yaml"))}


def config_file(given: str) -> Path:
    """The file that is meant: one of this path, else the shipped one of this name.

    Raises:
        SweepError: there is neither; the message has all names.
    """
    file, known = Path(given), shipped()
    if file.exists() and not (file.is_dir() and given in known):
        return file
    if given in known:
        return known[given]
    hint = did_you_mean(file.name.removesuffix(".yaml"), known)
    raise SweepError(
        f"{given}: there is no such file, and no sweep of this name comes along.{hint} "
        f"There are: {', '.join(known)}. Give one of these, or a sweep's YAML by its path."
    )
