"""What scoring found, kept between runs under HM_CACHE, keyed by what shaped it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
from importlib.metadata import version

from hm_metrics.verdict import STATUSES, Verdict
from hm_models.files.places import cache_file
from hm_models.files.store import Store
from hm_tasks.sandbox.isolation.limits import Limits
from hm_tasks.sandbox.problem import Problem

# A part of each key; it changes with the rules or the encoding, so that old entries are not found.
VERSION = 3


class VerdictStore(Store):
    """Bytes by key, in the file of verdicts and expected outputs."""

    def __init__(self) -> None:
        super().__init__(cache_file("scoring", "found.sqlite"))

    def verdict(self, problem: Problem, program: str, level: str) -> Verdict | None:
        """What was found at this level of isolation, of a program of a data set that has a hash."""
        kept = self.get(_key(problem, program, level)) if problem.dataset else None
        if kept is None:
            return None
        try:
            base, plus, reason, behaviour = json.loads(kept)
        except (ValueError, TypeError, RecursionError):  # somebody else has put it there
            return None
        if not all(type(one) is str for one in (base, plus, reason, behaviour)):
            return None
        if not {base, plus} <= set(STATUSES):
            return None
        return Verdict(program, base, plus, reason, behaviour)

    def keep(self, problem: Problem, verdict: Verdict, level: str) -> None:
        """Keep what `verdict` gives from now on; what broke down is no verdict, and is tried again."""
        if problem.dataset and verdict.program.strip() and verdict.is_scored:
            _, *row = dataclasses.astuple(verdict)
            self.put(_key(problem, verdict.program, level), json.dumps(row).encode())


def key_of(*parts: object) -> str:
    """A key over everything that shaped an entry; parts are plain JSON values."""
    # Oracles, guards and half of the sanitizer are evalplus's own code.
    return hashlib.sha256(json.dumps([VERSION, version("evalplus"), *parts]).encode()).hexdigest()


def _key(problem: Problem, program: str, level: str) -> str:
    # A limit that is no more: without it what was kept under 0.2.0 would not be found.
    limits = dataclasses.asdict(Limits()) | {"output_bytes": 1 << 20}
    python = platform.python_version()
    return key_of("verdict", problem.dataset, problem.task_id, program, level, limits, python)
