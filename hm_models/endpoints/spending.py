"""What asking a chat model will cost and has cost, in one line each.

tell(f"Asking: {estimate('gpt-4.1-mini', tokens_in=9000, tokens_out=500)}")
tell(f"Asked: {spending}.")
"""

from __future__ import annotations

import dataclasses
import sys

from hm_models.endpoints.chat import Chat
from hm_models.endpoints.prices import price_of

CHARACTERS = 4  # of English in a token, for estimates


def estimate(model: str, tokens_in: int, tokens_out: int) -> str:
    """What so many tokens take, as far as one can say before."""
    cost = "at a price that is not known"
    if price := price_of(model):
        cost = f"about ${price.dollars(tokens_in, tokens_out):.2f} by prices of {price.as_of}"
    return f"about {tokens_in} tokens in and {tokens_out} out, {cost}. (An estimate.)"


@dataclasses.dataclass
class Spending:
    """The cost line: tokens of one run, failed tries included.

    Attributes:
        uncounted: answers whose tokens the endpoint did not count; the others' are all there is.
    """

    model: str
    tokens_in: int = 0
    tokens_out: int = 0
    uncounted: int = 0

    def add(self, chat: Chat) -> None:
        self.tokens_in += chat.tokens_in
        self.tokens_out += chat.tokens_out
        self.uncounted += chat.uncounted

    def __str__(self) -> str:
        text = f"{self.tokens_in} tokens in, {self.tokens_out} out"
        if price := price_of(self.model):
            text += f", ${price.dollars(self.tokens_in, self.tokens_out):.2f}"
        return f"{text}, and {self.uncounted} answers without counts" if self.uncounted else text


def tell(line: str) -> None:
    """Say a line beside the progress bar: what costs money must be seen, and logs may hide INFO."""
    from tqdm import tqdm

    tqdm.write(line, file=sys.stderr)
