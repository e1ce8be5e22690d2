"""Which one to ship: the best candidate under a rule, how sure that is, or that none stands out.

    rule = Rule.parse("pass@10 subject to fulfillment_rate<=0.35")
    print(select(rule, {"alpha 0.7": {"pass@10": by_question, "fulfillment_rate": (0.32, 0.02)}, ...}).sentence)

Every candidate is resampled over the same questions at once (a joint bootstrap), so that hard questions
are hard for all of them; the lead over each rival is tested in pairs, with Holm's correction.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from hm_metrics.comparison import holm, paired_difference
from hm_metrics.intervals import interval, mean_interval, resamples
from hm_metrics.rules import Constraint, Rule

__all__ = ["Constraint", "Known", "Rule", "Selection", "select"]

# What is known of a candidate's metric: [G] values by question (nan = unscored), or (value, stderr).
Known = np.ndarray | tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Selection:
    """The answer to a rule.

    Attributes:
        best: the best by estimate among those whose estimates satisfy the rule; None if none does.
        stands_out: it satisfies the rule, perhaps or surely, and its lead over every rival is clear.
        chance: label to the share of resamples in which it is the best that satisfies the rule.
        satisfies: label to "surely", "perhaps" or "not": where the intervals of the constrained
            numbers lie. Rivals are all that satisfy the rule surely or perhaps.
        sentence: all that in words.
    """

    best: str | None
    stands_out: bool
    chance: Mapping[str, float]
    satisfies: Mapping[str, str]
    sentence: str


def select(
    rule: Rule,
    candidates: Mapping[str, Mapping[str, Known]],
    confidence: float = 0.95,
    iterations: int = 5000,
    seed: int = 0,
) -> Selection:
    """Choose among candidates.

    Args:
        candidates: label to metric to what is known of it. Values by question must be of the same
            questions in the same order for all candidates; of (value, stderr) the errors are taken
            as independent.
        iterations: of the bootstrap, repeatable by `seed`.

    Raises:
        ValueError: no candidates, or one without a number that the rule needs, or of other questions.
    """
    metrics = list(dict.fromkeys([rule.metric, *(limit.metric for limit in rule.constraints)]))
    _check(candidates, metrics)
    labels = list(candidates)
    value = {m: np.array([_estimate(candidates[c][m]) for c in labels]) for m in metrics}
    satisfies = {
        label: _satisfies(rule, candidates[label], confidence, iterations) for label in labels
    }
    holds = _holding(rule, value) & ~np.isnan(value[rule.metric])
    chance = _chances(rule, candidates, metrics, iterations, seed)
    if not holds.any():
        sentence = _nobody(rule, labels, value, satisfies)
        return Selection(None, False, chance, satisfies, sentence)
    sign = 1.0 if rule.higher_is_better else -1.0
    best = int(np.argmax(np.where(holds, sign * value[rule.metric], -np.inf)))
    rivals = [
        i
        for i, label in enumerate(labels)
        if i != best and satisfies[label] != "not" and not np.isnan(value[rule.metric][i])
    ]
    known = [candidates[label][rule.metric] for label in labels]
    leads = [_lead(known[best], known[rival], sign, confidence) for rival in rivals]
    adjusted = holm([p_value for *_, p_value in leads])
    clear = [
        lead > 0 and p_value < 1.0 - confidence and low > 0
        for (lead, low, _, _), p_value in zip(leads, adjusted, strict=True)
    ]
    stands_out = all(clear)
    label = labels[best]
    number = f"{rule.metric} {_number(known[best], confidence, iterations)}"
    within = "".join(
        f", {limit.metric} {_number(candidates[label][limit.metric], confidence, iterations)}"
        for limit in rule.constraints
    )
    sentence = f"{label}: {number}{within}; best in {chance[label]:.0%} of resamples."
    if stands_out:
        others = (
            f"Its lead over {_listed([labels[i] for i in rivals])} is clear."
            if rivals
            else (
                "No other satisfies the rule."
                if len(labels) > 1
                else "There is no other candidate."
            )
        )
        sentence = f"The best is {sentence} {others}"
    else:
        open_leads = [
            f"{labels[i]} ({lead:+.3g}, {confidence:.0%} interval {low:+.3g} to {high:+.3g})"
            for i, (lead, low, high, _), sure in zip(rivals, leads, clear, strict=True)
            if not sure
        ]
        sentence = (
            f"None stands out. The best by estimate is {sentence} "
            f"Its lead is not clear over {_listed(open_leads)}."
        )
    if rule.constraints and satisfies[label] == "perhaps":
        limits = " and ".join(map(str, rule.constraints))
        sentence += f" Whether it satisfies {limits} is not sure: the interval crosses the limit."
    return Selection(label, stands_out, chance, satisfies, sentence)


def _chances(
    rule: Rule,
    candidates: Mapping[str, Mapping[str, Known]],
    metrics: Sequence[str],
    iterations: int,
    seed: int,
) -> dict[str, float]:
    """How often each is the best that satisfies the rule; in some resamples nobody may."""
    random = np.random.default_rng(seed)
    drawn = {
        metric: np.stack(
            [_drawn(known[metric], iterations, seed, random) for known in candidates.values()]
        )
        for metric in metrics
    }
    sign = 1.0 if rule.higher_is_better else -1.0
    usable = _holding(rule, drawn) & ~np.isnan(drawn[rule.metric])
    worth = np.where(usable, sign * drawn[rule.metric], -np.inf)
    top = usable & (worth >= worth.max(axis=0) - 1e-12)
    # Equals share a resample.
    shares = (top / np.maximum(1, top.sum(axis=0))).mean(axis=1)
    return {label: float(share) for label, share in zip(candidates, shares, strict=True)}


def _drawn(known: Known, iterations: int, seed: int, random: np.random.Generator) -> np.ndarray:
    """[B] values: over resampled questions (the same for all of as many), or by the standard error."""
    if isinstance(known, tuple):
        value, error = known
        noise = random.standard_normal(iterations)
        return value + (0.0 if np.isnan(error) else error) * noise
    scored = ~np.isnan(known)
    values = np.where(scored, known, 0.0)
    found = []
    for weights in resamples(len(known), iterations, seed):
        total = weights @ scored.astype(np.float64)
        found.append(
            np.divide(weights @ values, total, out=np.full(len(total), np.nan), where=total > 0)
        )
    return np.concatenate(found)


def _holding(rule: Rule, value: Mapping[str, np.ndarray]) -> np.ndarray:
    """[candidates, ...] whether all constraints hold."""
    holds = np.ones(value[rule.metric].shape, dtype=bool)
    for limit in rule.constraints:
        holds &= limit.holds(value[limit.metric])
    return holds


def _satisfies(rule: Rule, known: Mapping[str, Known], confidence: float, iterations: int) -> str:
    verdicts = []
    for limit in rule.constraints:
        low, high = _interval(known[limit.metric], confidence, iterations)
        value = _estimate(known[limit.metric])
        if np.isnan(low) or np.isnan(high):  # no error is known: never sure
            verdicts.append("not" if np.isnan(value) else "perhaps")
            continue
        ends = [bool(limit.holds(low)), bool(limit.holds(high))]
        verdicts.append("surely" if all(ends) else "perhaps" if any(ends) else "not")
    for verdict in ("not", "perhaps"):
        if verdict in verdicts:
            return verdict
    return "surely"


def _lead(
    ours: Known, theirs: Known, sign: float, confidence: float
) -> tuple[float, float, float, float]:
    """By how much ours is better, its interval, and the p value of there being no difference."""
    if isinstance(ours, tuple) or isinstance(theirs, tuple):
        value, error = _estimate(ours) - _estimate(theirs), np.hypot(_error(ours), _error(theirs))
        low, high = interval(value, float(error), confidence)
        p_value = float(2.0 * stats.norm.sf(abs(value) / error)) if error > 0 else np.nan
    else:
        found = paired_difference(ours, theirs, confidence)
        value, low, high, p_value = found.estimate, found.low, found.high, found.p_value
    return (value, low, high, p_value) if sign > 0 else (-value, -high, -low, p_value)


def _estimate(known: Known) -> float:
    if isinstance(known, tuple):
        return float(known[0])
    scored = known[~np.isnan(known)]
    return float(scored.mean()) if len(scored) else np.nan


def _error(known: Known) -> float:
    if isinstance(known, tuple):
        return float(known[1])
    scored = known[~np.isnan(known)]
    return float(scored.std(ddof=1) / np.sqrt(len(scored))) if len(scored) > 1 else np.nan


def _interval(known: Known, confidence: float, iterations: int) -> tuple[float, float]:
    if isinstance(known, tuple):
        return interval(*known, confidence)
    inside = not np.any((known < 0) | (known > 1))  # nan is neither
    return mean_interval(known, confidence, (0.0, 1.0) if inside else None, iterations)


def _number(known: Known, confidence: float, iterations: int) -> str:
    low, high = _interval(known, confidence, iterations)
    value = f"{_estimate(known):.3g}"
    return value if np.isnan(low) else f"{value} [{low:.3g}, {high:.3g}]"


def _nobody(
    rule: Rule, labels: Sequence[str], value: Mapping[str, np.ndarray], satisfies: Mapping[str, str]
) -> str:
    limits = " and ".join(map(str, rule.constraints))
    if not limits:
        return f"No candidate has a value of {rule.metric}."
    nearest = [
        f"{labels[i]} ({', '.join(f'{c.metric} {value[c.metric][i]:.3g}' for c in rule.constraints)})"
        for i in range(len(labels))
        if satisfies[labels[i]] == "perhaps"
    ]
    sentence = f"None satisfies {limits} by its estimate."
    return sentence + (f" Perhaps does: {_listed(nearest)}." if nearest else "")


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _check(candidates: Mapping[str, Mapping[str, Known]], metrics: Sequence[str]) -> None:
    if not candidates:
        raise ValueError("no candidates to select from; name at least one result.")
    for metric in metrics:
        lacking = [label for label, known in candidates.items() if metric not in known]
        if lacking:
            raise ValueError(
                f"{_listed(lacking)}: no {metric}, which the rule needs; leave them out of the "
                "candidates or run the task that measures it."
            )
        arrays = [known[metric] for known in candidates.values()]
        sizes = {len(array) for array in arrays if not isinstance(array, tuple)}
        if len(sizes) > 1:
            raise ValueError(
                f"{metric}: candidates of {sorted(sizes)} questions; expected the same questions in "
                "the same order for all, nan where one has no value."
            )
