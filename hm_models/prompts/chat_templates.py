"""`chat_template=`: a chat template for checkpoints that have none, from a file or by a known name.

    >>> GivenTemplate.of("vicuna").name
    'vicuna'

Known names are the `.jinja` files beside this module:

    vicuna   Vicuna v1.1 to v1.5, by FastChat's separators (fastchat/conversation.py, `vicuna_v1.1`): a
             system sentence, `USER: ... ASSISTANT: ...`, the end-of-text token after each answer. FastChat's
             tokenizer puts the beginning-of-text token first, and so does the template.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from hm_models.errors import RecipeError
from hm_models.files.text_files import TextFileError, read_text

SUFFIX = ".jinja"
KNOWN = {file.stem: file for file in sorted(Path(__file__).parent.glob(f"*{SUFFIX}"))}
NO_TEMPLATE = (
    "has no chat template, which prompts in chat style need (prompt_style=chat, or auto at alpha > 0). Give "
    f"one: chat_template=FILE, or a known name ({', '.join(KNOWN)}); or name a tokenizer that has one "
    "(tokenizer=); or ask without: prompt_style=completion."
)


@dataclasses.dataclass(frozen=True)
class GivenTemplate:
    """A chat template that the user gave: its name (or file), and its text."""

    name: str
    text: str

    @classmethod
    def of(cls, given: str | None) -> GivenTemplate | None:
        """The template of a file, or of a known name; None where none is given.

        Raises:
            RecipeError: neither a known name nor a file that can be read and parsed.
        """
        if given is None:
            return None
        file = KNOWN.get(str(given)) or Path(str(given)).expanduser()
        try:
            text = read_text(file)
        except (OSError, TextFileError, ValueError) as error:
            raise RecipeError(
                f"chat_template={given!r} is neither a file that can be read nor a known name "
                f"({', '.join(KNOWN)}): {error}"
            ) from None
        _check(given, text)
        return cls(str(given), text)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def to_dict(self) -> dict[str, str]:
        """What results say of it."""
        return {"name": self.name, "sha256": self.sha256}


def _check(given: object, text: str) -> None:
    """Raise RecipeError for what Jinja cannot parse, before anything is loaded."""
    from jinja2 import TemplateError
    from transformers.utils.chat_template_utils import _compile_jinja_template

    try:
        _compile_jinja_template(text)
    except TemplateError as error:
        raise RecipeError(f"chat_template={given!r} is no Jinja template: {error}.") from None
    if not text.strip():
        raise RecipeError(f"chat_template={given!r} is empty.")
