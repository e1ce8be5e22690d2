"""The requests of this project's tasks: what a model tells of samples, what their answers are, both styles.

    request.answer(0)      # behind the thought; None where the sample ends within one

Where the model has noted the answer (`hm-merged` does), that counts; else it is found in the text.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from lm_eval.api.instance import Instance

from hm_metrics.entropy import TokenSums
from hm_models.prompts.rendered import ApplyChatTemplate
from hm_models.samples.request import Sample, TaskRequest, TokenMeasure
from hm_models.samples.thoughts import answer_in, answer_of, begun_by
from hm_models.samples.truncation import is_cut


@dataclasses.dataclass
class ToldRequest(Instance, TaskRequest):
    """A request that keeps what the model tells of its samples.

    Attributes:
        style: `chat` or `completion`, as it was asked last.
        target: the right answer, for logs.
        keeps_thoughts: whether a sample of which nothing is noted still has the thought that its prompt
            began, see `keeps_thoughts`.
        noted: the answers that the model has told, by sample; None for a thought without one.
        reused: by sample, whether it was kept from an earlier run.
        cut_prompts: to how many samples the prompt was cut.
        token_sums: the uncertainty at the tokens of each sample of which the model has told it.
        on_sample: called with the request, the text and the answer of each sample as the model tells of it.
    """

    style: str = "completion"
    target: Any = None
    measure_tokens: type[TokenMeasure] | None = None
    keeps_thoughts: bool = False
    noted: dict[int, str | None] = dataclasses.field(default_factory=dict)
    reused: dict[int, bool] = dataclasses.field(default_factory=dict)
    cut_prompts: int = 0
    token_sums: dict[int, TokenSums] = dataclasses.field(default_factory=dict)
    on_sample: Callable[[Any, str, str | None], None] | None = dataclasses.field(
        default=None, repr=False, compare=False
    )

    @abc.abstractmethod
    def of_the_problem(self) -> list[str]:
        """What in the prompt is this question's; the rest is the same for all."""

    def take_sample(self, index: int, sample: Sample) -> None:
        self.reused[index] = sample.reused
        self.cut_prompts += is_cut(sample.facts)
        if "answer" in sample.facts:
            self.noted[index] = answer_in(sample.text, sample.facts)
        if sums := TokenSums.from_facts(sample.facts):
            self.token_sums[index] = sums
        if self.on_sample is not None:
            self.on_sample(self, sample.text, self.answer(index, sample.text))

    def answer(self, index: int, text: str) -> str | None:
        """The answer in a sample's text; None where it ends within a thought."""
        if index in self.noted:
            return self.noted[index]
        begun = begun_by(self.arguments[0]) if self.keeps_thoughts else None
        return answer_of(text, begun)

    def answers(self) -> list[str | None]:
        """Those of all samples, in order."""
        return [self.answer(index, text) for index, text in enumerate(self.resps)]


@dataclasses.dataclass
class AnsweredRequest(ToldRequest):
    """A question in either prompt style; it begins as a completion and may be turned into a chat.

    Attributes:
        system: the harness's `--system_instruction`.
        generation_kwargs: as the task has them.
    """

    system: str | None = None
    generation_kwargs: dict[str, Any] = dataclasses.field(default_factory=dict)

    @abc.abstractmethod
    def chat_prompt(self, apply_chat_template: ApplyChatTemplate, whose: str) -> Any:
        """The question as a chat: a text, or turns of a model that takes these; `whose` for errors."""

    @abc.abstractmethod
    def completion_prompt(self) -> str:
        """The question for a model that continues it."""

    def generation_arguments(self, prompt: Any) -> dict[str, Any]:
        """The sampling parameters that go with a prompt in the present style."""
        return self.generation_kwargs

    def use_prompt_style(
        self,
        style: str,
        apply_chat_template: Callable[..., Any] | None,
        whose: str = "The model's chat template",
    ) -> None:
        if style == "chat":
            assert apply_chat_template is not None, "chat style needs the model's chat template"
            prompt = self.chat_prompt(apply_chat_template, whose)
        else:
            prompt = self.completion_prompt()
        self.style = style
        self.arguments = (prompt, self.generation_arguments(prompt))


def keeps_thoughts(metadata: Mapping[str, Any]) -> bool:
    """Whether the harness's model leaves thoughts in its texts, by the arguments that tasks are told.

    With `think_end_token` it takes them out, and a text without markers is an answer.
    """
    told = "pretrained" in metadata or "model" in metadata
    return told and not metadata.get("think_end_token")
