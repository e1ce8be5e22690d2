"""Asking a judge about many texts, so that one of them costs the others nothing.

When a judge dies, what was with it is asked again, one by one. What it dies of twice, and does not die
without, has failed by its own doing; where it dies without that, too, nothing has been found out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from hm_metrics.verdict import FAIL, UNSCORED, Verdict
from hm_tasks.sandbox.problem import Problem
from hm_tasks.sandbox.wire.frames import JUDGE, PROBLEM

HARMLESS = "pass"

Verdicts = list[Verdict | None]  # None: put off


class JudgeDied(str):
    """Why there is no answer: the process that was asked is gone, with what it was asked."""


class JudgeHandle(Protocol):
    """A judge, wherever it is (`hm_tasks.sandbox.judging.judge_process`)."""

    behind: bool

    def ask(self, kind: bytes, question: Any) -> Any:
        """The answer, or JudgeDied; then it holds no problem any more."""

    def stop(self) -> None: ...


def ask_for_verdicts(
    judge: JudgeHandle,
    problem: Problem,
    texts: Sequence[str],
    sanitize: bool,
    known: Sequence[Verdict] | None,
) -> Verdicts | JudgeDied:
    """A verdict on each text; JudgeDied only by a judge that stands behind a model.

    Args:
        sanitize: whether the program is to be taken out of the text first.
        known: verdicts on programs of the problem; None where the judge holds it, and knows them.
    """
    answer = None if known is None else judge.ask(PROBLEM, problem)
    if not isinstance(answer, JudgeDied):
        answer = judge.ask(JUDGE, (list(texts), sanitize, list(known or ())))
    if not isinstance(answer, JudgeDied) or judge.behind:
        return answer
    return [_alone(judge, problem, text, sanitize) for text in texts]


def _alone(judge: JudgeHandle, problem: Problem, text: str, sanitize: bool) -> Verdict | None:
    answer = _ask_anew(judge, problem, text, sanitize)
    if not isinstance(answer, JudgeDied):
        return answer[0]
    program = "" if sanitize else text
    if isinstance(_ask_anew(judge, problem, HARMLESS, False), JudgeDied):
        return Verdict(program, UNSCORED, UNSCORED, answer)
    return Verdict(program, FAIL, FAIL, f"of this program {answer}, twice")


def _ask_anew(judge: JudgeHandle, problem: Problem, text: str, sanitize: bool) -> Any:
    answer = judge.ask(PROBLEM, problem)
    return answer if isinstance(answer, JudgeDied) else judge.ask(JUDGE, ([text], sanitize, []))
