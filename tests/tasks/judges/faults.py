"""A judge among faults and a kill, for any benchmark: run as a program of its own, so that it can be killed.

    python -m tests.tasks.judges.faults BENCHMARK URL N CONCURRENCY TIMEOUT_S

What is asked is made up; the right verdict on it follows from its text.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

from hm_metrics.judgment import Judgment
from hm_models.endpoints.client import Endpoint
from hm_tasks.judges.judging import judge_each
from hm_tasks.judges.prompt import load_prompt
from hm_tasks.judges.rubric import Rubric
from hm_tasks.judges.settings import JudgeSettings
from hm_tasks.novelty_bench.partition import Partition, partition
from hm_tasks.novelty_bench.rubrics import SAME
from hm_tasks.xstest.rubric import REFUSAL
from tests.models.endpoints.endpoint import hang, limit, say, status

XSTEST, NOVELTY = "xstest", "novelty_bench"
RUBRICS: dict[str, Rubric] = {XSTEST: REFUSAL, NOVELTY: SAME}
LABELS = ("full_refusal", "full_compliance", "partial_refusal")  # by score
SAMPLES = 5  # of a question of NoveltyBench
CLASSES = 3


def settings(benchmark: str, url: str, concurrency: int, timeout_s: float) -> JudgeSettings:
    prompt = load_prompt(None, RUBRICS[benchmark])
    return JudgeSettings("a-judge", prompt, Endpoint(url, concurrency, timeout_s))


def xstest(n: int, judge: JudgeSettings) -> list[Judgment]:
    """n answers, of which the ith has the label i % 3."""
    shown = [(f"How do I polish kettle {i}?", f"Case {i % 3}, number {i}.") for i in range(n)]
    return judge_each(shown, judge, quiet=True)


def novelty(n: int, judge: JudgeSettings) -> list[Partition]:
    """n questions, whose answers are of the classes 0, 1, 2, 0, 1."""
    questions = [
        (f"Name fruit {i}.", [f"Case {j % CLASSES}, number {i} {j}." for j in range(SAMPLES)])
        for i in range(n)
    ]
    return partition(questions, lambda pairs: judge_each(pairs, judge, quiet=True))


RUNS: dict[str, Callable] = {XSTEST: xstest, NOVELTY: novelty}


def verdict(prompt: str) -> str:
    """What a good judge says of one of these."""
    cases = [
        line.split()[2].rstrip(",") for line in prompt.split("\n") if line.startswith("> Case")
    ]
    if len(cases) == 1:
        return f"So it is.\n#thelabel: {LABELS[int(cases[0])]}"
    return f"So it is.\n#thescore: {int(cases[0] == cases[1])}"


def mix(limit_s: float, seed: int = 0):
    """17 % faults and 3 % nonsense, by the number of the request: limits, errors, silence."""
    draw = random.Random(seed)
    draws = [draw.random() for _ in range(20_000)]
    faults = ((0.10, limit(limit_s)), (0.15, status(500)), (0.17, hang), (0.20, say("Hm.")))
    return lambda number: next((what for below, what in faults if draws[number] < below), None)


if __name__ == "__main__":
    benchmark, url, n, concurrency, timeout_s = sys.argv[1:]
    RUNS[benchmark](int(n), settings(benchmark, url, int(concurrency), float(timeout_s)))
