"""Two frontiers, measured: does one family of settings reach what the other does not, and how surely?

A family is a set of settings (alphas at one sampler; samplers at alpha 1). Each is a point: `across`, mostly
diversity or 1 - failure to refuse, and `up`, mostly quality; more is better on both.

- hypervolume: the area between the reference point and the steps over a family's points, in the axes' units
  (Zitzler and Thiele 1999). Its difference decides who wins.
- coverage: that area inside the smallest box around both families' points, as a share of the box. A half means
  half of all the trade-offs between the worst and the best that was seen.
- dominance: which share of the points that no other point of the two families beats is a family's.
- at equal `across`: how much higher one curve lies, by straight lines between points, on average over the
  range that both have. With pass@1 across and pass@k up it is the gain in diversity at equal quality.

Coverage (area under the curve) and dominance (share of the joint frontier) are those of BACo (Wang et al.
2025, arXiv 2511.05650) as others describe them; that paper's own formulas were not at hand, so the box and the
steps are ours.

    >>> float(hypervolume(np.array([0.5, 1.0, 0.4]), np.array([1.0, 0.5, 0.4])))
    0.75
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from hm_metrics.bootstrap import weighted_means
from hm_metrics.intervals import CONFIDENCE, interval, resamples

ITERATIONS = 2000
TAILS = ((1.0 - CONFIDENCE) / 2.0, (1.0 + CONFIDENCE) / 2.0)
PLACES = 33  # at which two curves are compared
# Resamples, of [B, P] means across and up of our points, then of theirs, to [B] values.
OfPoints = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Family:
    """Settings of one kind.

    Attributes:
        across, up: [P, H] and [P, G] values by question, nan = unscored; more is better. A point is the
            means.
    """

    name: str
    across: np.ndarray
    up: np.ndarray

    def __post_init__(self) -> None:
        for which, values in (("across", self.across), ("up", self.up)):
            if values.ndim != 2 or len(values) != len(self.up) or not len(values):
                raise ValueError(
                    f"{self.name}: {which} is {values.shape}, expected [P, questions]."
                )
            if np.isnan(values).all(axis=1).any():
                raise ValueError(f"{self.name}: a point has no scored question {which}.")


@dataclasses.dataclass(frozen=True)
class Compared:
    """One measure of two families.

    Attributes:
        ours, theirs: its values; nan where it is one number for both.
        difference, low, high: ours less theirs and its interval; nan where it has no value.
    """

    ours: float
    theirs: float
    difference: float
    low: float
    high: float

    @property
    def ahead(self) -> int:
        """1 where ours is more than chance ahead, -1 where theirs is, 0 where the interval has 0 in it."""
        return int(self.low > 0) - int(self.high < 0)


@dataclasses.dataclass(frozen=True)
class Contest:
    """Two families by every measure of this module; `hypervolume.ahead` says who wins."""

    hypervolume: Compared
    coverage: Compared
    dominance: Compared
    at_equal: Compared


def contest(
    ours: Family,
    theirs: Family,
    same_questions: bool = True,
    iterations: int = ITERATIONS,
    seed: int = 0,
) -> Contest:
    """Compare two families on the same questions.

    Args:
        same_questions: whether `across` is of the questions that `up` is of, and is resampled with them;
            else (refusals beside pass@k) the two are resampled apart.
        seed: the same gives the same.

    Raises:
        ValueError: the families are on different questions.
    """
    if ours.up.shape[1] != theirs.up.shape[1] or ours.across.shape[1] != theirs.across.shape[1]:
        raise ValueError(
            f"{ours.name} has {ours.across.shape[1]} and {ours.up.shape[1]} questions, {theirs.name} "
            f"{theirs.across.shape[1]} and {theirs.up.shape[1]}: expected the same ones for both."
        )
    if same_questions and ours.up.shape[1] != ours.across.shape[1]:
        raise ValueError("across and up have different numbers of questions: same_questions=False.")
    both = (ours, theirs)
    estimates = _points(both, [np.ones((1, f)) for f in (ours.across.shape[1], ours.up.shape[1])])
    drawn = _resampled(both, same_questions, iterations, seed)
    found = [np.concatenate(estimates[axis::2], axis=1)[0] for axis in (0, 1)]
    corner = tuple(float(values.min()) for values in found)
    box = tuple(float(values.max()) for values in found)

    def covered(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return coverage(x, y, corner, box)

    return Contest(
        hypervolume=_compared(_each(hypervolume), estimates, drawn),
        coverage=_compared(_each(covered), estimates, drawn),
        dominance=_compared(_dominances, estimates, drawn),
        at_equal=_compared(_heights, estimates, drawn),
    )


def frontier_band(
    family: Family,
    places: np.ndarray,
    same_questions: bool = True,
    iterations: int = 500,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """[N] low and high of the steps over a family's points, for a picture.

    Args:
        places: [N] where across. nan where most resamples have no point as far across.
    """
    x, y = _resampled((family, family), same_questions, iterations, seed)[:2]
    reached = np.where(x[:, :, None] >= places, y[:, :, None], -np.inf).max(axis=1)
    none = np.isinf(reached)
    lowest = float(np.nanmean(family.up, axis=1).min())  # where the steps end, in the picture
    low, high = np.quantile(np.where(none, lowest, reached), TAILS, axis=0)
    seldom = none.mean(axis=0) > 0.5
    return np.where(seldom, np.nan, low), np.where(seldom, np.nan, high)


def hypervolume(
    x: np.ndarray, y: np.ndarray, reference: tuple[float, float] = (0.0, 0.0)
) -> np.ndarray:
    """[...] area that points [..., P] dominate above the reference point; in the axes' units."""
    x, y = np.maximum(x, reference[0]) - reference[0], np.maximum(y, reference[1]) - reference[1]
    order = np.argsort(-x, axis=-1)
    x, y = np.take_along_axis(x, order, -1), np.take_along_axis(y, order, -1)
    widths = x - np.concatenate([x[..., 1:], np.zeros((*x.shape[:-1], 1))], axis=-1)
    return (widths * np.maximum.accumulate(y, axis=-1)).sum(axis=-1)


def coverage(
    x: np.ndarray, y: np.ndarray, corner: tuple[float, ...], box: tuple[float, ...]
) -> np.ndarray:
    """[...] share of the box between two corners that points [..., P] dominate; nan for no area.

    >>> float(coverage(np.array([1.0]), np.array([0.5]), (0.5, 0.0), (1.0, 1.0)))
    0.5
    """
    area = (box[0] - corner[0]) * (box[1] - corner[1])
    inside = hypervolume(np.minimum(x, box[0]), np.minimum(y, box[1]), (corner[0], corner[1]))
    return inside / area if area > 0 else np.full(inside.shape, np.nan)


def unbeaten(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """[..., P] whether no other point is at least as good on both axes and better on one."""
    across, up = x[..., None, :] >= x[..., :, None], y[..., None, :] >= y[..., :, None]
    more = (x[..., None, :] > x[..., :, None]) | (y[..., None, :] > y[..., :, None])
    return np.logical_not((across & up & more).any(axis=-1))


def dominance(x: np.ndarray, y: np.ndarray, their_x: np.ndarray, their_y: np.ndarray) -> np.ndarray:
    """[...] our share of the points that no other beats, ours [..., P] and theirs [..., Q].

    >>> float(dominance(np.array([1.0, 0.5]), np.zeros(2), np.array([0.6]), np.array([0.6])))
    0.5
    """
    best = unbeaten(np.concatenate([x, their_x], -1), np.concatenate([y, their_y], -1))
    return best[..., : x.shape[-1]].sum(axis=-1) / best.sum(axis=-1)


def height(x: np.ndarray, y: np.ndarray, their_x: np.ndarray, their_y: np.ndarray) -> float:
    """How much higher our curve [P] lies than theirs [Q], on average where both are; nan if nowhere.

    >>> height(np.array([0.0, 1.0]), np.array([1.0, 2.0]), np.array([0.5, 2.0]), np.array([0.5, 2.0]))
    1.0
    """
    low, high = max(x.min(), their_x.min()), min(x.max(), their_x.max())
    if low > high:
        return float("nan")
    places = np.linspace(low, high, PLACES)
    order, their_order = np.argsort(x, kind="stable"), np.argsort(their_x, kind="stable")
    ours = np.interp(places, x[order], y[order])
    return float((ours - np.interp(places, their_x[their_order], their_y[their_order])).mean())


def _each(measure: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> OfPoints:
    """A measure of one family, of both: [B, 2]."""
    return lambda x, y, their_x, their_y: np.stack(
        [measure(x, y), measure(their_x, their_y)], axis=-1
    )


def _dominances(
    x: np.ndarray, y: np.ndarray, their_x: np.ndarray, their_y: np.ndarray
) -> np.ndarray:
    ours = dominance(x, y, their_x, their_y)
    return np.stack([ours, dominance(their_x, their_y, x, y)], axis=-1)


def _heights(x: np.ndarray, y: np.ndarray, their_x: np.ndarray, their_y: np.ndarray) -> np.ndarray:
    """[B, 1] the difference alone."""
    return np.array([[height(*four)] for four in zip(x, y, their_x, their_y, strict=True)])


def _compared(measure: OfPoints, estimates: list[np.ndarray], drawn: list[np.ndarray]) -> Compared:
    values = measure(*estimates)[0]
    resampled = measure(*drawn)
    apart = len(values) == 2
    difference = float(values[0] - values[1]) if apart else float(values[0])
    low, high = _limits(difference, resampled[:, 0] - resampled[:, 1] if apart else resampled[:, 0])
    ours, theirs = (float(values[0]), float(values[1])) if apart else (np.nan, np.nan)
    return Compared(ours, theirs, difference, low, high)


def _limits(difference: float, resampled: np.ndarray) -> tuple[float, float]:
    """The wider of the percentile and the normal interval on either side.

    nan where there is no difference, or where less than half of the resamples have one.
    """
    known = resampled[~np.isnan(resampled)]
    if np.isnan(difference) or 2 * len(known) < len(resampled) or len(known) < 2:
        return np.nan, np.nan
    low, high = np.quantile(known, TAILS)
    wide = interval(difference, float(known.std(ddof=1)))
    return min(float(low), wide[0]), max(float(high), wide[1])


def _resampled(
    families: tuple[Family, Family], same_questions: bool, iterations: int, seed: int
) -> list[np.ndarray]:
    """Four arrays [B, P], by resamples of the questions that are the same for both families."""
    numbers = (families[0].across.shape[1], families[0].up.shape[1])
    up = np.concatenate(list(resamples(numbers[1], iterations, seed)))
    across = (
        up if same_questions else np.concatenate(list(resamples(numbers[0], iterations, seed + 1)))
    )
    return _points(families, [across, up])


def _points(families: tuple[Family, Family], weights: list[np.ndarray]) -> list[np.ndarray]:
    """Our points across and up, then theirs: means by [B, questions] weights."""
    return [
        weighted_means(values, weight, float(np.nanmin(values)))  # the lowest, for want of any
        for family in families
        for values, weight in zip((family.across, family.up), weights, strict=True)
    ]
