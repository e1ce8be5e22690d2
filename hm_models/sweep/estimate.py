"""What a sweep would take: samples, bytes on the disk, seconds; unknown where nothing is known.

>>> tasks = [TaskSize("t", questions=100, samples=50, max_tokens=512)]
>>> estimate(tasks, []).cells(points=2)
('10,000', '15 MB', 'unknown')
>>> done = Outcome(samples=1000, tokens=200_000, generating=50, loading=30)
>>> estimate(tasks, [done]).cells(points=2)
('10,000', '15 MB', '9 min')

How fast it goes is known from points that are done.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from hm_models.merge.shards import as_text
from hm_models.sweep.preflight import TaskSize
from hm_models.sweep.run import Outcome

# A sample of MBPP+ by a 135M model: 750 bytes in samples_*.jsonl, about as many where samples are kept.
BYTES_A_SAMPLE = 1500


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Of one point. `at_most`: the time is for answers of full length, as their mean is unknown."""

    samples: int | None = None
    seconds: float | None = None
    at_most: bool = False

    def cells(self, points: int) -> tuple[str, str, str]:
        """Samples, disk and time of so many points, as texts."""
        samples = None if self.samples is None else points * self.samples
        seconds = None if self.seconds is None else points * self.seconds
        return (
            "unknown" if samples is None else f"{samples:,}",
            "unknown" if samples is None else as_text(samples * BYTES_A_SAMPLE),
            ("at most " if self.at_most else "") + duration(seconds),
        )


def estimate(
    tasks: Iterable[TaskSize], done: Iterable[Outcome], tokens_a_second: float | None = None
) -> Estimate:
    """What one point takes that has none of its samples yet; scoring is not in it.

    Args:
        done: of points that are finished.
        tokens_a_second: of all of an engine's requests together, where it is known otherwise.
    """
    tasks, made = list(tasks), [outcome for outcome in done if outcome.samples and outcome.tokens]
    if not tasks or any(task.answers is None for task in tasks):
        return Estimate()
    samples = sum(task.answers or 0 for task in tasks)
    generating = sum(outcome.generating for outcome in made)
    all_tokens = sum(outcome.tokens for outcome in made)
    speed = tokens_a_second or (all_tokens / generating if generating else None)
    if made:
        tokens = samples * all_tokens / sum(outcome.samples for outcome in made)
    elif all(task.max_tokens for task in tasks):
        tokens = sum((task.answers or 0) * (task.max_tokens or 0) for task in tasks)
    else:
        speed = None
    if speed is None:
        return Estimate(samples)
    # For an engine to start, or to change its alpha, on average a point.
    loading = sum(outcome.loading for outcome in made) / len(made) if made else 0.0
    return Estimate(samples, loading + tokens / speed, at_most=not made)


def duration(seconds: float | None) -> str:
    """Seconds in words.

    >>> [duration(s) for s in (45, 700, 12_000, None)]
    ['45 s', '12 min', '3 h 20 min', 'unknown']
    """
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
