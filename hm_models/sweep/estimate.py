"""What a sweep would take: samples, bytes on the disk, seconds; unknown where nothing is known.

    estimate(tasks, Rate.of(manifest.records.values()))

The rates come from the points that are done in the sweep's folder.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from hm_models.sweep.manifest import Manifest
from hm_models.sweep.preflight import TaskSize

# A sample of MBPP+ by a 135M model: 750 bytes in samples_*.jsonl, about as many where samples are kept.
BYTES_A_SAMPLE = 1500


@dataclasses.dataclass(frozen=True)
class Rate:
    """How fast earlier points went; None is unknown.

    Attributes:
        tokens_a_second: while it generates, all of an engine's requests together.
        tokens_a_sample: mean length.
        loading: seconds for an engine to start, or to change its alpha, on average a point.
        bytes_a_sample: in the files of results and samples.
    """

    tokens_a_second: float | None = None
    tokens_a_sample: float | None = None
    loading: float = 0.0
    bytes_a_sample: float | None = None

    @classmethod
    def of(cls, manifest: Manifest, tokens_a_second: float | None = None) -> Rate:
        """The rates of a folder's finished points; a given speed wins over a measured one."""
        done = {n: r.outcome for n, r in manifest.records.items() if r.state == "done"}
        made = [outcome for outcome in done.values() if outcome.samples and outcome.tokens]
        samples = sum(outcome.samples for outcome in made)
        tokens = sum(outcome.tokens for outcome in made)
        seconds = sum(outcome.generating for outcome in made)
        size = sum(
            file.stat().st_size
            for label, outcome in done.items()
            if outcome in made
            for name in outcome.files
            if (file := manifest.folder / label / Path(name)).is_file()
        )
        return cls(
            tokens_a_second or (tokens / seconds if seconds else None),
            tokens / samples if samples else None,
            sum(outcome.loading for outcome in made) / len(made) if made else 0.0,
            # As much again where samples are kept.
            2 * size / samples if samples else None,
        )


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Of one point. `at_most`: the time is for answers of full length, as their mean is unknown."""

    samples: int | None = None
    bytes: float | None = None
    seconds: float | None = None
    at_most: bool = False


def estimate(tasks: Iterable[TaskSize], rate: Rate) -> Estimate:
    """What one point takes that has none of its samples yet; scoring is not in it."""
    tasks = list(tasks)
    sampled = [task for task in tasks if task.answers is not None]
    if len(sampled) < len(tasks) or not tasks:
        return Estimate()
    samples = sum(task.answers or 0 for task in sampled)
    size = samples * (rate.bytes_a_sample or BYTES_A_SAMPLE)
    tokens: float | None = None
    if rate.tokens_a_sample is not None:
        tokens = samples * rate.tokens_a_sample
    elif all(task.max_tokens for task in sampled):
        tokens = sum((task.answers or 0) * (task.max_tokens or 0) for task in sampled)
    if tokens is None or rate.tokens_a_second is None:
        return Estimate(samples, size)
    seconds = rate.loading + tokens / rate.tokens_a_second
    return Estimate(samples, size, seconds, at_most=rate.tokens_a_sample is None)


def duration(seconds: float | None) -> str:
    """`45 s`, `12 min`, `3 h 20 min`, `unknown`."""
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def size(number: float | None) -> str:
    """`1.2 MB`, `unknown`."""
    if number is None:
        return "unknown"
    for power, unit in ((1e3, "kB"), (1e6, "MB")):
        if number < 1000 * power:
            return f"{number / power:.1f} {unit}"
    return f"{number / 1e9:.1f} GB"
