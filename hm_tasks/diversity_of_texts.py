"""How diverse answers are that are no programs: the measures of texts and tokens (docs/diversity.md).

>>> asked = {"task": "xstest", "diversity": ["distinct_programs"], "embedder": "minilm", "embed": "text"}
>>> of_texts(asked | {"embedder_base_url": None})
Traceback (most recent call last):
hm_models.settings.ProtocolError: diversity: distinct_programs is of programs, and these answers are none.
"""

from __future__ import annotations

from typing import Any

from hm_metrics.measures import FROM_PROGRAMS, Diversity
from hm_models.settings import ProtocolError


def of_texts(metadata: dict[str, Any]) -> Diversity:
    """The measures that a task's metadata asks for.

    Raises:
        ProtocolError: one is of programs.
        DiversityError, UnknownEmbedder: a setting that cannot be.
    """
    asked = metadata["diversity"]
    if isinstance(asked, list) and (programs := [name for name in asked if name in FROM_PROGRAMS]):
        raise ProtocolError(
            f"diversity: {', '.join(programs)} is of programs, and these answers are none."
        )
    return Diversity(metadata)
