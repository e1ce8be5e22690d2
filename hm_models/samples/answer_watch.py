"""An answer while it is generated: whether it is within a thought, and whether it has ended.

    >>> def decode(tokens):                          # here, a token is a letter
    ...     return "".join(map(chr, tokens))
    >>> watch = AnswerWatch(Thinking(), "Is 7 prime?", until=["\\nassert"], decode=decode)
    >>> watch.add(map(ord, "<think>Not\\nassert</think>Yes."))   # new tokens; has a stop string ended it?
    False
    >>> watch.add(map(ord, "\\nassert False"))
    True
    >>> watch.answer().facts                         # where in the text the answer stands
    {'answer': [25, 29]}

Both backends ask here, so that the same tokens give the same answer. Stop strings of a task count only
behind a thought, since within one they are spoken of. Without a thought they count from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from hm_models.samples.generation import cut_text
from hm_models.samples.store import Answer
from hm_models.samples.thinking import Thinking
from hm_models.samples.thoughts import FORM, FORM_ANSWER, begins_again, begun_by, end_of

Decode = Callable[[list[int]], str]


class AnswerWatch:
    """One answer.

    Args:
        prompt: as the model is given it; it may begin the thought.
        until: stop strings, with that of the end of a text.
        decode: tokens -> text, with special tokens.
    """

    def __init__(
        self, thinking: Thinking, prompt: str, until: Sequence[str], decode: Decode
    ) -> None:
        self._thinking, self._decode = thinking, decode
        self._until = [stop for stop in until if stop]
        texts = [*self._until, *(marker for marks in thinking.all for marker in marks)]
        # A text of c bytes ends in the last c tokens; more for a token cut in two, and what is behind.
        self._window = max((len(text.encode()) for text in texts), default=0) + 4
        self.tokens: list[int] = []
        begun = begun_by(prompt, thinking.known)
        assumed = thinking.assumed
        if assumed is not None and prompt.rstrip().endswith(assumed.end):
            assumed = None  # the prompt has ended it
        self._thought = begun or assumed
        # In the form that a task's prompt begins, the task's other stop strings end an answer.
        self._form = None if thinking.given == FORM.end else FORM
        within = begun is not None and begun == self._form
        self._count_within = [s for s in self._until if within and s not in FORM_ANSWER]
        self._is_sure = begun is not None  # that there is a thought
        self._settled = self._thought is not None  # whether it is known how the answer begins
        self._native: int | None = None  # where, in characters, the answer behind a thought begins
        self._again: int | None = None  # where, behind an answer, the present thought begins
        # The text of the tokens before `_start`; stop strings count from its character `_from` on.
        self._said, self._start, self._from = "", 0, 0

    def add(self, tokens: Iterable[int]) -> bool:
        """Take new tokens; True once a stop string has ended the answer, and what follows is left."""
        for token in tokens:
            self.tokens.append(token)
            if self._ends():
                return True
        return False

    def _ends(self) -> bool:
        if self._thought is not None:
            stops = self._count_within
            if self._look_for_end() or not stops:
                return False
        elif not self._settled and self._look_for_begin():
            return False
        else:
            stops = self._until
        tail = self._tail()
        if self._thought is None and any(marks.begin in tail for marks in self._thinking.known):
            text = self._text()
            if again := begins_again(text, self._from, self._thinking.known):
                self._again, self._thought = again
                return False
        return any(stop in tail for stop in stops)

    def _look_for_begin(self) -> bool:
        """Whether the answer begins with a thought, or what is there may become one."""
        text = self._text().lstrip()
        self._settled = bool(text)
        for marks in self._thinking.known:
            if text.startswith(marks.begin):
                self._thought, self._is_sure = marks, True
                return True
        if any(text and marks.begin.startswith(text) for marks in self._thinking.known):
            self._settled = False
        return bool(text) and not self._settled

    def _look_for_end(self, sure: bool = True) -> bool:
        assert self._thought is not None
        sequence = self._thinking.sequences.get(self._thought.end)
        if sequence is not None and self._thought != FORM:
            if tuple(self.tokens[-len(sequence) :]) != sequence:
                return False
            self._leave(len(self._text()))
            return True
        ends = (self._thought.end, *FORM_ANSWER[:1])
        if not any(end in self._tail() for end in ends) and sure:
            return False
        text = self._text()
        begin = self._from if self._again is None else self._again
        if text.startswith(self._thought.begin, begin):
            begin += len(self._thought.begin)
        if (end := end_of(self._thought, text, begin, sure)) is None:
            return False
        self._leave(end)
        return True

    def _leave(self, end: int) -> None:
        """The thought has ended at this character."""
        self._said, self._start = self._text(), len(self.tokens)
        self._from = end
        if self._thought != self._form:
            self._native = end
        self._thought = self._again = None

    def _text(self) -> str:
        return self._said + self._decode(self.tokens[self._start :])

    def _tail(self) -> str:
        """The end of the text that counts."""
        if len(self.tokens) - self._start > self._window:
            return self._decode(self.tokens[-self._window :])
        return self._text()[self._from :]

    def answer(self, last: int = 0) -> Answer | None:
        """What has been said; None where there was no thought, and the backend's own way is right.

        Args:
            last: so many tokens at the end are no text: the one that ended it.
        """
        if last:
            del self.tokens[-last:]
        if self._thought is not None and self._start <= len(self.tokens):
            self._look_for_end(sure=False)
        text, given = self._text(), self._thinking.given
        if self._thought is None:
            if self._from == 0:
                return None
            text = text[: self._from] + cut_text(text[self._from :], self._until)
            span = None if self._native is None else (self._native, len(text))
        elif self._again is not None and text[self._from : self._again].strip():
            # It began to think again and was cut off; the answer before is what there is.
            span = None if self._native is None else (self._native, self._again)
        elif not self._is_sure and self._again is None:
            return None
        elif self._thought == self._form and self._native is None:
            return Answer(cut_text(text, self._count_within))
        else:
            # Cut off within a thought. The harness takes it for an answer where it was to leave
            # thoughts out, and so do its own tasks; ours are told.
            cut = cut_text(text, self._until, given) if given else text
            return Answer(cut, {"answer": None})
        if given is None or span is None:
            return Answer(text, {} if span is None else {"answer": list(span)})
        answer = text[span[0] : span[1]].lstrip()
        return Answer(answer, {"answer": [0, len(answer)]})
