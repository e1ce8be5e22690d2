"""What asking a chat model will take and has taken, in tokens: one line each.

>>> estimate(tokens_in=9000, tokens_out=500)
'about 9000 tokens in and 500 out. (An estimate.)'
>>> str(Spending(tokens_in=9120, tokens_out=480))
'9120 tokens in, 480 out'
"""

from __future__ import annotations

import dataclasses
import sys

from hm_models.endpoints.chat import Chat

CHARACTERS = 4  # of English in a token, for estimates


def estimate(tokens_in: int, tokens_out: int) -> str:
    """What so many tokens take, as far as one can say before."""
    return f"about {tokens_in} tokens in and {tokens_out} out. (An estimate.)"


@dataclasses.dataclass
class Spending:
    """The tokens of one run, failed tries included.

    Attributes:
        uncounted: answers whose tokens the endpoint did not count; the others' are all there is.
    """

    tokens_in: int = 0
    tokens_out: int = 0
    uncounted: int = 0

    def add(self, chat: Chat) -> None:
        self.tokens_in += chat.tokens_in
        self.tokens_out += chat.tokens_out
        self.uncounted += chat.uncounted

    def __str__(self) -> str:
        text = f"{self.tokens_in} tokens in, {self.tokens_out} out"
        return f"{text}, and {self.uncounted} answers without counts" if self.uncounted else text


def tell(line: str) -> None:
    """Say a line beside the progress bar: what costs money must be seen, and logs may hide INFO."""
    from tqdm import tqdm

    tqdm.write(line, file=sys.stderr)
