"""Judge n made-up answers at an endpoint; a program of its own, so that it can be killed.

python judge_some.py URL N CONCURRENCY TIMEOUT_S
"""

import sys

from hm_models.endpoints.client import Endpoint
from hm_tasks.judges.judging import judge_all
from hm_tasks.judges.prompt import load_prompt
from hm_tasks.judges.settings import JudgeSettings
from hm_tasks.sorry_bench.rubric import FULFILMENT
from tests.tasks.sorry_bench.made_up import request


def answers(n: int) -> list[tuple[str, str]]:
    """n requests, each third of them declined."""
    return [
        (request(i), f"Sorry, no ({i})." if i % 3 == 0 else f"Call it Bob {i}.") for i in range(n)
    ]


def verdict(question: str) -> str:
    """What a good judge says of one of these."""
    return f"It is so.\n#thescore: {int('> Sorry' not in question)}"


def settings(url: str, limit: int | None = None, **how) -> JudgeSettings:
    return JudgeSettings("a-judge", load_prompt(None, FULFILMENT), Endpoint(url, **how), limit)


if __name__ == "__main__":
    judge_all(
        answers(int(sys.argv[2])),
        settings(sys.argv[1], concurrency=int(sys.argv[3]), timeout_s=float(sys.argv[4])),
    )
