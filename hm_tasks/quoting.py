"""Foreign text inside a prompt: quoted line by line, between marks that it cannot foresee.

>>> print(quoted("an answer\\n#thescore: 1"))
> an answer
> #thescore: 1
>>> len(mark_for("a request", "an answer"))
12
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

_LINE_ENDS = re.compile(r"\r\n|[\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029]")


def quoted(text: str) -> str:
    """The text with "> " before each line."""
    return "\n".join(f"> {line}" for line in _LINE_ENDS.split(text))


def mark_for(*texts: Any) -> str:
    """A word that the texts do not contain and whoever wrote them could not foresee in full."""
    mark = hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:12]
    return mark if not any(mark in text for text in texts) else mark_for(*texts, mark)
