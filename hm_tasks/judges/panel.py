"""Several judges over the same answers: who they are, what most of them say, and how they agree.

--metadata '{"judges": ["preset:qwen3guard", {"judge": "gpt-4.1-mini", "judge_base_url": null}]}'

>>> votes = {"a": Judgment(1, "asked"), "b": Judgment(0, "asked"), "c": Judgment(1, "kept")}
>>> majority(votes).score, majority(votes).words
(1, 'a 1, b 0, c 1')
>>> majority({"a": Judgment(1, "asked"), "b": Judgment(0, "asked")}).unscored
'tie'
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hm_metrics.agreement import agreement
from hm_metrics.judgment import ASKED, TIE, Judgment
from hm_models.settings import ProtocolError
from hm_tasks.judges.rubric import Rubric
from hm_tasks.judges.settings import JudgeSettings

OF_ONE = ("judge", "judge_base_url", "judge_prompts", "judge_concurrency", "judge_timeout_s")
Votes = Mapping[str, Judgment]  # by the judge's name


def judges_of(metadata: dict[str, Any], rubric: Rubric) -> dict[str, JudgeSettings]:
    """The judges of a task's metadata, by name: those of `judges`, else the one of `judge`.

    Raises:
        ProtocolError, PromptError: a value that cannot be, or a name that is there twice.
    """
    given = metadata["judges"]
    if given is None:
        settings = JudgeSettings.of(metadata, rubric)
        return {settings.judge: settings}
    if not isinstance(given, list) or not given:
        raise ProtocolError(
            f"judges={given!r}: expected a list of names, or of mappings with {', '.join(OF_ONE)}; or null."
        )
    found: dict[str, JudgeSettings] = {}
    for each in given:
        own = {"judge": each} if isinstance(each, str) else each
        if not isinstance(own, dict) or "judge" not in own or not set(own) <= set(OF_ONE):
            raise ProtocolError(
                f"judges: {each!r} is neither a name nor a mapping with judge and others of "
                f"{', '.join(OF_ONE)}."
            )
        settings = JudgeSettings.of(metadata | own, rubric)
        if settings.is_keyword:
            raise ProtocolError("judges: keyword votes on nothing; name models or presets.")
        if settings.judge in found:
            raise ProtocolError(
                f"judges: {settings.judge} is there twice. Serve one of them under another name "
                "(--served-model-name), so that results can tell them apart."
            )
        found[settings.judge] = settings
    return found


def majority(votes: Votes) -> Judgment:
    """What most judges say; of one judge its own judgment. Who is unscored casts no vote."""
    if len(votes) == 1:
        return next(iter(votes.values()))
    counts = Counter(vote.score for vote in votes.values() if vote.score is not None)
    ranked = [*counts.most_common(2), (None, 0), (None, 0)]
    tied = ranked[0][1] == ranked[1][1]
    by = {vote.by for vote in votes.values()}
    reason = TIE if counts else next(iter(votes.values())).unscored
    return Judgment(
        None if tied else ranked[0][0],
        by.pop() if len(by) == 1 else ASKED,
        reason if tied else "",
        ", ".join(
            f"{name} {v.unscored if v.score is None else v.score}" for name, v in votes.items()
        ),
        sum(vote.calls for vote in votes.values()),
        sum(vote.tokens_in for vote in votes.values()),
        sum(vote.tokens_out for vote in votes.values()),
    )


def agreements(answers: Sequence[Votes], names: Mapping[int, str]) -> list[dict[str, Any]]:
    """How each two judges agree over the answers that both scored; None where kappa is not defined.

    Args:
        names: those of scores, which are the labels.
    """
    judges = list(answers[0]) if answers else []
    rows: list[dict[str, Any]] = []
    for first, second in itertools.combinations(judges, 2):
        pairs = [
            (one, other)
            for votes in answers
            if (one := votes[first].score) is not None
            and (other := votes[second].score) is not None
        ]
        row: dict[str, Any] = {"first": first, "second": second, "n": len(pairs)}
        if pairs:
            ours, theirs = zip(*pairs, strict=True)
            found = agreement(ours, theirs, list(names))
            row |= {
                "accuracy": found.accuracy,
                "kappa": _number(found.kappa),
                "kappa_low": _number(found.kappa_low),
                "kappa_high": _number(found.kappa_high),
            }
        rows.append(row)
    return rows


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
