"""Which one to ship: the best candidate under a rule, how sure that is, or that none stands out.

    >>> rule = Rule.parse("pass@10 subject to fulfillment_rate<=0.35")
    >>> known = {"pass@10": np.array([0.0, 1.0] * 20), "fulfillment_rate": (0.32, 0.01)}
    >>> select(rule, {"alpha 0.7": known}, iterations=500).sentence
    'The best is alpha 0.7: pass@10 0.5 [0.346, 0.654], fulfillment_rate 0.32 [0.3, 0.34]; ...'

Every candidate is resampled over the same questions at once (a joint bootstrap), so that hard questions
are hard for all of them; the lead over each rival is tested in pairs, with Holm's correction.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from hm_metrics.comparison import Difference, holm
from hm_metrics.estimates import Estimate, as_text, estimate, interval_of, lead, resampled
from hm_metrics.intervals import CONFIDENCE, ITERATIONS, ROUNDING
from hm_metrics.rules import Rule


@dataclasses.dataclass(frozen=True)
class Selection:
    """The answer to a rule.

    Attributes:
        best: the best by estimate among those whose estimates satisfy the rule; None if none does.
        stands_out: it surely satisfies the rule, and its lead over every rival is clear.
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
    candidates: Mapping[str, Mapping[str, Estimate]],
    iterations: int = ITERATIONS,
) -> Selection:
    """Choose among candidates.

    Args:
        candidates: label to metric to what is known of it. Values by question must be of the same
            questions in the same order for all candidates; of (value, stderr) the errors are taken
            as independent.
        iterations: of the bootstrap, which is repeatable.

    Raises:
        ValueError: no candidates, or one without a number that the rule needs, or of other questions.
    """
    metrics = list(dict.fromkeys([rule.metric, *(limit.metric for limit in rule.constraints)]))
    _check(candidates, metrics)
    labels = list(candidates)
    value = {m: np.array([estimate(candidates[c][m]) for c in labels]) for m in metrics}
    satisfies = {label: _satisfies(rule, candidates[label], iterations) for label in labels}
    holds = _holding(rule, value) & ~np.isnan(value[rule.metric])
    chance = _chances(rule, candidates, metrics, iterations)
    if not holds.any():
        sentence = _nobody(rule, labels, value, satisfies)
        return Selection(None, False, chance, satisfies, sentence)
    worth = value[rule.metric] if rule.higher_is_better else -value[rule.metric]
    best = labels[int(np.argmax(np.where(holds, worth, -np.inf)))]
    leads = {
        rival: lead(
            candidates[best][rule.metric], candidates[rival][rule.metric], rule.higher_is_better
        )
        for rival, own in zip(labels, worth, strict=True)
        if rival != best and satisfies[rival] != "not" and not np.isnan(own)
    }
    adjusted = dict(zip(leads, holm([found.p_value for found in leads.values()]), strict=True))
    open_ = {
        rival: found
        for rival, found in leads.items()
        if not (found.low > 0 and adjusted[rival] < 1.0 - CONFIDENCE)
    }
    stands_out = not open_ and satisfies[best] == "surely"
    numbers = ", ".join(
        f"{metric} {as_text(candidates[best][metric], iterations)}" for metric in metrics
    )
    words = [
        "The best is" if stands_out else "None stands out. The best by estimate is",
        f"{best}: {numbers}; best in {chance[best]:.0%} of resamples.",
        _about_leads(leads, open_, len(labels)),
        _about_limits(rule, satisfies[best]),
    ]
    sentence = " ".join(word for word in words if word)
    return Selection(best, stands_out, chance, satisfies, sentence)


def _about_leads(
    leads: Mapping[str, Difference], open_: Mapping[str, Difference], count: int
) -> str:
    if not leads:
        return "No other satisfies the rule." if count > 1 else "There is no other candidate."
    if not open_:
        return f"Its lead over {_listed(list(leads))} is clear."
    rivals = [
        f"{rival} ({lead.estimate:+.3g}, {CONFIDENCE:.0%} interval {lead.low:+.3g} to {lead.high:+.3g})"
        for rival, lead in open_.items()
    ]
    return f"Its lead is not clear over {_listed(rivals)}."


def _about_limits(rule: Rule, satisfies: str) -> str:
    if satisfies == "surely":
        return ""
    limits = " and ".join(map(str, rule.constraints))
    return f"Whether it satisfies {limits} is not sure: the interval crosses the limit."


def _chances(
    rule: Rule,
    candidates: Mapping[str, Mapping[str, Estimate]],
    metrics: Sequence[str],
    iterations: int,
) -> dict[str, float]:
    """How often each is the best that satisfies the rule; in some resamples nobody may."""
    random = np.random.default_rng(0)
    values = {
        metric: np.stack(
            [resampled(known[metric], iterations, random) for known in candidates.values()]
        )
        for metric in metrics
    }
    usable = _holding(rule, values) & ~np.isnan(values[rule.metric])
    worth = values[rule.metric] if rule.higher_is_better else -values[rule.metric]
    worth = np.where(usable, worth, -np.inf)
    top = usable & (worth >= worth.max(axis=0) - ROUNDING)
    # Equals share a resample.
    shares = (top / np.maximum(1, top.sum(axis=0))).mean(axis=1)
    return {label: float(share) for label, share in zip(candidates, shares, strict=True)}


def _holding(rule: Rule, value: Mapping[str, np.ndarray]) -> np.ndarray:
    """[candidates, ...] whether all constraints hold."""
    holds = np.ones(value[rule.metric].shape, dtype=bool)
    for limit in rule.constraints:
        holds &= limit.holds(value[limit.metric])
    return holds


def _satisfies(rule: Rule, known: Mapping[str, Estimate], iterations: int) -> str:
    verdicts = []
    for limit in rule.constraints:
        low, high = interval_of(known[limit.metric], iterations)
        value = estimate(known[limit.metric])
        if np.isnan(low) or np.isnan(high):  # no error is known: never sure
            verdicts.append("not" if np.isnan(value) else "perhaps")
            continue
        holds = [bool(limit.holds(low)), bool(limit.holds(high))]
        verdicts.append("surely" if all(holds) else "perhaps" if any(holds) else "not")
    return next((verdict for verdict in ("not", "perhaps") if verdict in verdicts), "surely")


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


def _check(candidates: Mapping[str, Mapping[str, Estimate]], metrics: Sequence[str]) -> None:
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
