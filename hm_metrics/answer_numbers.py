"""What the graded samples of one question come to: the numbers of a task that wraps another.

    >>> right, wrong = Graded("18", {"acc": 1.0}, 0), Graded("17", {"acc": 0.0}, 1)
    >>> numbers_of([right, wrong, dataclasses.replace(right, same_as=0)], "acc", Asked([1], [1.0]))
    {'pass@1': 0.666..., 'maj@1': 0.666..., 'g_pass@1_1.0': 0.666..., 'avg@n': 0.666...}

The task that graded them and whoever reads its log ask here, so that both have the same numbers. Of
metrics that are not 0 or 1 for every sample of a run, `avg@n` and `best@n` alone mean something.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from hm_metrics.g_pass import g_pass_at_k
from hm_metrics.graded import Graded
from hm_metrics.majority import maj_at_k
from hm_metrics.pass_at_k import pass_at_k
from hm_metrics.verdict import UNSCORED


@dataclasses.dataclass(frozen=True)
class Asked:
    """Which numbers are asked for: the k of pass@k, maj@k and g_pass@k, and the latter's thresholds."""

    ks: Sequence[int]
    thresholds: Sequence[float]


def scored(grades: Sequence[Graded]) -> list[Graded]:
    """Those with a grade; what broke down is left out, never wrong."""
    return [graded for graded in grades if graded.status != UNSCORED]


def is_binary(scores: Collection[float]) -> bool:
    """Whether scores are those of a metric that is 0 or 1 for one sample."""
    return set(scores) <= {0.0, 1.0}


def numbers_of(
    grades: Sequence[Graded], metric: str, asked: Asked, binary: bool = True
) -> dict[str, float]:
    """A metric's numbers of one question, by bare names; a k above the scored samples has none.

    Args:
        grades: of the question's n samples.
        metric: of the wrapped task.
        binary: whether it is 0 or 1 for every sample of the run.
    """
    known = scored(grades)
    scores = [graded.scores[metric] for graded in known]
    n = len(known)
    found: dict[str, float] = {}
    if not n:
        return found
    if binary:
        c = sum(score == 1.0 for score in scores)
        classes = [graded.same_as for graded in known]
        ks = [k for k in asked.ks if k <= n]
        found |= {f"pass@{k}": pass_at_k(n, c, k) for k in ks}
        found |= {f"maj@{k}": maj_at_k(classes, scores, k) for k in ks}
        found |= {g_pass(k, t): g_pass_at_k(n, c, k, t) for k in ks for t in asked.thresholds}
    found["avg@n"] = sum(scores) / n
    if not binary:
        found["best@n"] = max(scores)
    return found


def names(asked: Asked, binary: bool) -> list[str]:
    """The names of `numbers_of`, in its order."""
    if not binary:
        return ["avg@n", "best@n"]
    at_k = [f"{prefix}@{k}" for prefix in ("pass", "maj") for k in asked.ks]
    return [*at_k, *(g_pass(k, t) for k in asked.ks for t in asked.thresholds), "avg@n"]


def g_pass(k: int, threshold: float) -> str:
    """The name of G-Pass@k at a threshold.

    >>> g_pass(10, 0.5)
    'g_pass@10_0.5'
    """
    return f"g_pass@{k}_{threshold}"


def distinct_answers(grades: Sequence[Graded]) -> int:
    """How many different answers the question's samples have."""
    return len({graded.same_as for graded in grades} - {None})
