"""What asking a chat model costs, from the table beside this file: estimates, with their date.

price_of("gpt-4.1-mini").dollars(1_000_000, 20_000)
"""

from __future__ import annotations

import dataclasses
import re
from functools import cache
from pathlib import Path
from typing import Any

from hm_models.files.text_files import read_text

TABLE = Path(__file__).with_name("model_prices.yaml")
_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")


@dataclasses.dataclass(frozen=True)
class Price:
    """US dollars for a million tokens, and when the table said so."""

    tokens_in: float
    tokens_out: float
    as_of: str

    def dollars(self, tokens_in: float, tokens_out: float) -> float:
        """Cost of so many tokens."""
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / 1e6


def price_of(model: str) -> Price | None:
    """The price of a model; None where the table does not have it."""
    table = _table()
    known = table["models"].get(_DATE.sub("", model.removeprefix("openai/")))
    return Price(float(known["in"]), float(known["out"]), str(table["as_of"])) if known else None


@cache
def _table() -> dict[str, Any]:
    import yaml

    return yaml.safe_load(read_text(TABLE))
