"""Under which licence a model is, as far as its own card says so: the `license` of its README.md's header.

>>> str(Licence("other", "llama3.1", "https://example.org/llama"))
'other (llama3.1)'

Nothing is guessed, and a card that is not there or cannot be read says nothing.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import yaml

from hm_models.files.text_files import TextFileError, read_text
from hm_models.shown.escaping import one_line

CARD = "README.md"
_HEADER = re.compile(r"\A---\r?\n(.*?)^---\s*$", re.DOTALL | re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Licence:
    """A licence by the hub's identifier, and the name and link that a card has for `other`."""

    id: str
    name: str = ""
    link: str = ""

    def __str__(self) -> str:
        return one_line(self.id + (f" ({self.name})" if self.name else ""))


def licence_of_card(card: Path) -> Licence | None:
    """The licence that a model's card states; None where it states none."""
    header = _header(card)
    told = header.get("license")
    # Words alone: what else YAML holds may be endless, by names that stand for one another.
    words = [one for one in (told if isinstance(told, list) else [told]) if isinstance(one, str)]
    if not words:
        return None
    name, link = (
        value if isinstance(value := header.get(key), str) else ""
        for key in ("license_name", "license_link")
    )
    return Licence(", ".join(words), name, link)


def cached_card(model: str, revision: str | None = None) -> Path | None:
    """The card of a model of the hub, where the hub's cache has it."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(model, CARD, revision=revision)
    except HFValidationError:  # a folder, or no name at all
        return None
    return Path(cached) if isinstance(cached, str) else None


def _header(card: Path) -> dict[str, Any]:
    try:
        found = _HEADER.match(read_text(card))
        header = yaml.safe_load(found.group(1)) if found else None
    except (yaml.YAMLError, TextFileError, OSError):
        return {}
    return header if isinstance(header, dict) else {}
