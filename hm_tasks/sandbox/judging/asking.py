"""Asking a judge about many programs, so that one of them costs the others nothing.

When a judge dies, what was with it is asked again, one by one. What it dies of twice, and does not die
without, has failed by its own doing; where it dies without that, too, nothing has been found out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from hm_metrics.verdict import FAIL, UNSCORED, Verdict
from hm_tasks.sandbox.extraction import TooMuch
from hm_tasks.sandbox.judging.judge_process import JudgeDied
from hm_tasks.sandbox.problem import Problem
from hm_tasks.sandbox.wire.frames import EXTRACT, JUDGE, PROBLEM

HARMLESS = ""


class JudgeHandle(Protocol):
    """A judge, wherever it is (`hm_tasks.sandbox.judging.judge_process`)."""

    behind: bool

    def ask(self, kind: bytes, question: Any) -> Any:
        """The answer; text says why there is none, and then it holds no problem any more."""

    def stop(self) -> None: ...


def ask_for_programs(
    judge: JudgeHandle, entry_point: str, texts: Sequence[str]
) -> list[str | TooMuch] | str:
    """The program in each text, or why there are none."""
    answer = judge.ask(EXTRACT, (entry_point, list(texts)))
    if not isinstance(answer, JudgeDied) or judge.behind:
        return answer
    found: list[str | TooMuch] = []
    for text in texts:
        alone = judge.ask(EXTRACT, (entry_point, [text]))
        if isinstance(alone, JudgeDied):
            without = judge.ask(EXTRACT, (entry_point, [HARMLESS]))
            if isinstance(without, str):
                return without
            found.append(TooMuch(f"no program in the text: looking for one, {alone}"))
        elif isinstance(alone, str):
            return alone
        else:
            found += alone
    return found


def ask_for_verdicts(
    judge: JudgeHandle, problem: Problem, programs: Sequence[str], is_held: bool
) -> list[Verdict | None] | str:
    """A verdict on each program, None where it is put off; or why there are none.

    Args:
        is_held: whether the judge holds the problem.
    """
    answer = None if is_held else judge.ask(PROBLEM, problem)
    if isinstance(answer, str):
        return answer
    answer = judge.ask(JUDGE, list(programs))
    if not isinstance(answer, JudgeDied) or judge.behind:
        return answer
    return [_alone(judge, problem, program) for program in programs]


def _alone(judge: JudgeHandle, problem: Problem, program: str) -> Verdict | None:
    answer = _ask_anew(judge, problem, program)
    if not isinstance(answer, str):
        return answer[0]
    if isinstance(answer, JudgeDied):
        without = _ask_anew(judge, problem, HARMLESS)
        if not isinstance(without, str):
            return Verdict(program, FAIL, FAIL, f"of this program {answer}, twice")
    return Verdict(program, UNSCORED, UNSCORED, answer)


def _ask_anew(judge: JudgeHandle, problem: Problem, program: str) -> Any:
    answer = judge.ask(PROBLEM, problem)
    return answer if isinstance(answer, str) else judge.ask(JUDGE, [program])
