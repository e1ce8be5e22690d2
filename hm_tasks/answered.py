"""The requests of this project's tasks: what a model tells of samples, what their answers are, both styles.

    request.answer(0)      # behind the thought; None where the sample ends within one
    request.take_apart()   # its samples are the answers of its calls, where one call makes several

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
from hm_tasks.verbalized import Call, Stated, Verbalized


@dataclasses.dataclass
class ToldRequest(Instance, TaskRequest):
    """A request that keeps what the model tells of its samples.

    Attributes:
        style: `chat` or `completion`, as it was asked last.
        target: the right answer, for logs.
        keeps_thoughts: whether a sample of which nothing is noted still has the thought that its prompt
            began, see `keeps_thoughts`.
        noted: the answers that the model has told, by sample; None for a thought without one.
        reused: by call, whether it was kept from an earlier run.
        cut_prompts: to how many samples the prompt was cut.
        token_sums: the uncertainty at the tokens of each call of which the model has told it.
        tokens: of each call of which the model has told it.
        verbalized: how a call makes several samples; None where it is one.
        calls: what became of them, once they are taken apart.
        unread: the samples that their calls did not give.
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
    tokens: dict[int, int] = dataclasses.field(default_factory=dict)
    verbalized: Verbalized | None = None
    calls: list[Call] = dataclasses.field(default_factory=list)
    unread: set[int] = dataclasses.field(default_factory=set)
    on_sample: Callable[[Any, str, str | None], None] | None = dataclasses.field(
        default=None, repr=False, compare=False
    )

    @abc.abstractmethod
    def of_the_problem(self) -> list[str]:
        """What in the prompt is this question's; the rest is the same for all."""

    def take_sample(self, index: int, sample: Sample) -> None:
        self.reused[index] = sample.reused
        self.cut_prompts += is_cut(sample.facts) * self.share(index)
        if "answer" in sample.facts:
            self.noted[index] = answer_in(sample.text, sample.facts)
        if sums := TokenSums.from_facts(sample.facts):
            self.token_sums[index] = sums
        if "tokens" in sample.facts:
            self.tokens[index] = sample.facts["tokens"]
        if self.on_sample is None:
            return
        answer = self.answer(index, sample.text)
        if self.verbalized is None:
            self.on_sample(self, sample.text, answer)
        else:
            for one in self._stated(answer)[: self.share(index)]:
                self.on_sample(self, one.text, one.text)

    @property
    def begun(self) -> str:
        """What of a call's first answer stands in the prompt."""
        return ""

    def share(self, call: int) -> int:
        """How many samples a call makes."""
        return 1 if self.verbalized is None else self.verbalized.share(call)

    def _stated(self, answer: str | None) -> list[Stated]:
        """The answers of a call; none of one that ends within a thought."""
        assert self.verbalized is not None
        return [] if answer is None else self.verbalized.split(self.begun + answer)

    def take_apart(self) -> None:
        """Let `resps` be the samples, once all calls are there; nothing to do where a call is one.

        A sample that its call did not give is an empty text, and noted in `unread`.
        """
        if self.verbalized is None:
            return
        samples: list[str] = []
        noted: dict[int, str | None] = {}
        for call, text in enumerate(self.resps):
            answer, share = self.answer(call, text), self.share(call)
            stated = self._stated(answer)
            given, surplus = stated[:share], max(len(stated) - share, 0)
            self.calls.append(Call(text, [one.probability for one in given], surplus))
            for place in range(share):
                if is_read := place < len(given):
                    samples.append(given[place].text)
                else:
                    self.unread.add(len(samples))
                    samples.append("")
                missing = None if answer is None else ""
                noted[len(samples) - 1] = samples[-1] if is_read else missing
        self.resps[:], self.noted = samples, noted

    @property
    def said(self) -> list[str]:
        """The texts of the samples, but for those that no call gave."""
        return [text for index, text in enumerate(self.resps) if index not in self.unread]

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
