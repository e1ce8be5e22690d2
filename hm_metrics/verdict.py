"""What the check of a program says, as it is logged and read back.

>>> str(Verdict("def f(): ...", PASS, FAIL, "extra test 3 of 9 failed").record())
'{"program": "def f(): ...", "base_status": "pass", "plus_status": "fail", "reason": "extra test 3 ...'
"""

from __future__ import annotations

import dataclasses
import json

PASS, FAIL, TIMEOUT, UNSCORED = STATUSES = ("pass", "fail", "timeout", "unscored")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One sample's program and what became of it.

    `base_status` (the original tests) and `plus_status` (the extra tests alone) are one of PASS,
    FAIL, TIMEOUT, UNSCORED; `reason` says in words why a sample did not pass.

    `behaviour` is a digest (16 hex digits) of what the program did: its outputs on the inputs, kind by
    kind of tests and in order, and how it ended. Two programs of a problem with one behaviour gave
    equal outputs (what counts as equal: `hm_tasks.sandbox.judging.behaviour`) and ended alike: all inputs
    done, the wrong output, an exception by its type's name, or out of time. It is empty where
    nothing ran: no program, or unscored. It does not say
    - what a failing program would do beyond its first failing input, where its run ends: programs
      with one wrong output in common may differ there;
    - how far a program came in tests in which it ran out of time (or ended its own process), or what
      it gave there: with the machine's load that would change;
    - anything that outlasts a run in programs that draw random numbers or look at the clock.
    """

    program: str
    base_status: str
    plus_status: str
    reason: str = ""
    behaviour: str = ""

    @property
    def is_scored(self) -> bool:
        """Whether there is a verdict on both kinds of tests."""
        return UNSCORED not in (self.base_status, self.plus_status)

    def record(self) -> VerdictRecord:
        """The verdict as it is logged."""
        return VerdictRecord(self)


class JsonRecord(dict):
    """A dict whose text is JSON, as the harness writes filtered responses to files by `str`."""

    def __str__(self) -> str:
        return json.dumps(self, ensure_ascii=False)


class VerdictRecord(JsonRecord):
    """A verdict's fields, and the verdict itself, for whoever counts."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(dataclasses.asdict(verdict))
        self.verdict = verdict
