"""What of a sample is its answer: requests of this project's tasks know it, tasks read nothing else.

    request.answer(0)      # behind the thought; None where the sample ends within one

Where the model has noted it (`hm-merged` does), that counts; else it is found in the text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from lm_eval.api.instance import Instance

from hm_models.samples.thoughts import answer_in, answer_of, begun_by


@dataclasses.dataclass
class AnsweredRequest(Instance):
    """A request whose samples may hold thoughts.

    Attributes:
        noted: the answers that the model has told, by sample; None for a thought without one.
        keeps_thoughts: whether a sample of which nothing is noted still has the thought that its prompt
            began, see `keeps_thoughts`.
    """

    noted: dict[int, str | None] = dataclasses.field(default_factory=dict)
    keeps_thoughts: bool = False

    def note_answer(self, index: int, sample: Any) -> None:
        """Take what a model says of one of its samples."""
        if "answer" in sample.facts:
            self.noted[index] = answer_in(sample.text, sample.facts)

    def answer(self, index: int, text: str) -> str | None:
        """The answer in a sample's text; None where it ends within a thought."""
        if index in self.noted:
            return self.noted[index]
        begun = begun_by(self.arguments[0]) if self.keeps_thoughts else None
        return answer_of(text, begun)

    def answers(self) -> list[str | None]:
        """Those of all samples, in order."""
        return [self.answer(index, text) for index, text in enumerate(self.resps)]


def keeps_thoughts(metadata: Mapping[str, Any]) -> bool:
    """Whether the harness's model leaves thoughts in its texts, by the arguments that tasks are told.

    With `think_end_token` it takes them out, and a text without markers is an answer.
    """
    told = "pretrained" in metadata or "model" in metadata
    return told and not metadata.get("think_end_token")
