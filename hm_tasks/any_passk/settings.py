"""Settings of a task that wraps another: YAML, then `--metadata`; what cannot be is refused at once.

>>> settings = Settings.of({"k": [1, 4], "n_samples": 4, "equal": "math"})
>>> settings.asked, settings.equal
(Asked(ks=[1, 4], thresholds=[0.5, 1.0]), 'math')
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from hm_metrics.answer_numbers import Asked
from hm_metrics.unscored import MOST_UNSCORED
from hm_models.settings import ProtocolError, number, whole_number
from hm_tasks.sampled import n_and_ks
from hm_tasks.verbalized import Verbalized

TEXT, MATH = EQUAL = ("text", "math")
# What any samples have; the similarities and token numbers (docs/diversity.md).
DIVERSITY = (
    *("local_similarity", "global_similarity"),
    *("token_entropy", "token_entropy_bound", "token_surprisal"),
)
DEFAULTS: Mapping[str, Any] = {
    "version": 1.0,
    "n_samples": 11,
    "k": [1, 5, 10],
    "g_pass_thresholds": [0.5, 1.0],
    "metrics": None,
    "filters": None,
    "equal": TEXT,
    # Less than the 5 on the wall after which math-verify and minerva_math give up by themselves, so that
    # what hangs them is counted. A larger number leaves it to them.
    "seconds": 3,
    "memory_mib": 1024,
    "isolation": "auto",
    "max_unscored": MOST_UNSCORED,
    "diversity": list(DIVERSITY),
    "embedder": "minilm",
    "embedder_base_url": None,
    "embed": "text",
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """How the inner task's samples are asked for and graded.

    Attributes:
        n: samples of each question.
        verbalized: how one call makes several of them; None where it makes one.
        asked: the k and the thresholds of the numbers.
        metrics, filters: of the inner task, the headline's first; None: all of them, in its order.
        equal: what makes two answers equal: their text, or math-verify.
        seconds, memory: limits of grading one sample, of computing and in bytes.
        isolation: of whoever grades (docs/sandbox.md).
        most_unscored: share of samples without a grade above which there are no numbers.
    """

    n: int
    verbalized: Verbalized | None
    asked: Asked
    metrics: tuple[str, ...] | None
    filters: tuple[str, ...] | None
    equal: str
    seconds: float
    memory: int
    isolation: str
    most_unscored: float

    @classmethod
    def of(cls, metadata: dict[str, Any]) -> Settings:
        """From a task's metadata, in which what is missing is written as it is by default.

        Raises:
            ProtocolError: a setting that cannot be.
        """
        for name, value in DEFAULTS.items():
            metadata.setdefault(name, value)
        n, ks = n_and_ks(metadata)
        if metadata["equal"] not in EQUAL:
            raise ProtocolError(f"equal={metadata['equal']!r}: expected {' or '.join(EQUAL)}.")
        if metadata["embed"] != "text":
            raise ProtocolError(
                f"embed={metadata['embed']!r}: these answers are no programs. Leave it out."
            )
        return cls(
            n,
            Verbalized.of(metadata, n),
            Asked(ks, _thresholds(metadata["g_pass_thresholds"])),
            _names(metadata, "metrics"),
            _names(metadata, "filters"),
            metadata["equal"],
            number(metadata, "seconds", above=0.0),
            whole_number(metadata, "memory_mib") << 20,
            str(metadata["isolation"]),
            number(metadata, "max_unscored", least=0.0, most=1.0),
        )

    @property
    def calls(self) -> int:
        """Of each question."""
        return self.verbalized.calls if self.verbalized else self.n


def _thresholds(given: Any) -> list[float]:
    listed = given if isinstance(given, (list, tuple)) else [given]
    right = all(
        isinstance(t, (int, float)) and not isinstance(t, bool) and 0 < t <= 1 for t in listed
    )
    if not right:
        raise ProtocolError(
            f"g_pass_thresholds={given!r}: expected shares above 0, up to 1, as [0.5, 1.0]."
        )
    return sorted({float(t) for t in listed})


def _names(metadata: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    given = metadata[name]
    if given is None:
        return None
    listed = [given] if isinstance(given, str) else given
    if (
        not isinstance(listed, Sequence)
        or not listed
        or not all(isinstance(n, str) for n in listed)
    ):
        raise ProtocolError(f'{name}={given!r}: expected names, as ["exact_match"].')
    return tuple(dict.fromkeys(listed))
