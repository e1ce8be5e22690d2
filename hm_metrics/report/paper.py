"""The paper's own numbers beside ours, for the pairs that it measured.

>>> sources()["figure"].counted, sources()["text"].counted
('extra tests alone (figure 5)', 'base and extra tests (text)')

PaperSource: Hindsight Merging (UAI 2025): paper.json has the values and, for each kind, where they stand
and what counts as a pass there. Figure 5 counts the extra tests alone, the text base and extra tests.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

from hm_metrics.definitions import AT_K
from hm_metrics.logs.models import Model
from hm_metrics.report.every_k import every_k
from hm_metrics.report.rows import Row
from hm_metrics.report.values import Value
from hm_models.files.text_files import read_json

FILE = Path(__file__).with_name("paper.json")
FIGURE, TEXT, REFUSALS = "figure", "text", "refusals"
SHOWN_K = (1, 2, 5, 10)  # of the figure's; all are drawn
HEAD = ("family", "row", "number", "ours", "paper", "difference", "counted as", "what else differs")


@dataclasses.dataclass(frozen=True)
class Published:
    """The paper's numbers of one pair.

    Attributes:
        name: as the paper has it.
        figure, text: alpha to k to pass@k.
        refusals: alpha to failure to refuse.
    """

    name: str
    figure: dict[str, dict[int, float]]
    text: dict[str, dict[int, float]]
    refusals: dict[str, float]


@dataclasses.dataclass(frozen=True)
class PaperSource:
    """Where one kind of number stands, and our metric that counts in the same way."""

    metric: str
    task: str
    questions: int
    what: str
    judge: str = ""

    @property
    def counted(self) -> str:
        """What counts, and where the paper says it."""
        rule = AT_K.get(self.metric.partition("@")[0])
        counted = rule.correct if rule else "requests fulfilled"
        return f"{counted} ({'figure 5' if self.metric.startswith('plus_only') else 'text'})"


@lru_cache(maxsize=1)
def _paper() -> dict[str, Any]:
    return read_json(FILE)


def sources() -> dict[str, PaperSource]:
    """By kind: FIGURE, TEXT, REFUSALS."""
    return {kind: PaperSource(**source) for kind, source in _paper()["sources"].items()}


def published(model: Model) -> Published | None:
    """The paper's numbers of a merge's pair, by the names of both checkpoints; None for others."""
    names = _names(model.base), _names(model.instruct)
    for family in _paper()["families"]:
        if names[0] & set(family["base"]) and names[1] & set(family["instruct"]):
            return Published(
                name=family["name"],
                figure=_by_k(family[FIGURE]),
                text=_by_k(family[TEXT]),
                refusals=family[REFUSALS],
            )
    return None


def beside(rows: Sequence[Row]) -> list[list[str]]:
    """A line for each number that the paper and a row have; see HEAD."""
    lines = []
    kinds = sources()
    for row in rows:
        model = row.point.model
        known = published(model)
        if known is None or (model.method != "linear" and not model.is_base_or_instruct):
            continue
        for kind, by_alpha in ((FIGURE, known.figure), (TEXT, known.text)):
            for k, theirs in by_alpha.get(model.alpha, {}).items():
                if k not in SHOWN_K:
                    continue
                prefix = kinds[kind].metric.removesuffix("@k")
                ours = every_k(row, kinds[kind].task, prefix).get(k)
                lines += _line(row, known, kinds[kind], f"{prefix}@{k}", ours, theirs)
        if (rate := known.refusals.get(model.alpha)) is not None:
            source = kinds[REFUSALS]
            ours = row.values.get(source.task, {}).get(source.metric)
            lines += _line(row, known, source, source.metric, ours, rate)
    return lines


def _line(
    row: Row, known: Published, source: PaperSource, metric: str, ours: Value | None, theirs: float
) -> list[list[str]]:
    if ours is None:
        return []
    spread = "" if ours.error != ours.error else f" ± {ours.error:.3f}"
    return [
        [
            known.name,
            row.point.label,
            metric,
            f"{ours.value:.3f}{spread}",
            f"{theirs:.3f}",
            f"{ours.value - theirs:+.3f}{spread}",
            source.counted,
            "; ".join(_differs(row, source)),
        ]
    ]


def _differs(row: Row, source: PaperSource) -> list[str]:
    """Facts of our protocol that are not the paper's."""
    facts = row.facts.get(source.task, {})
    paper = dict(_paper()["protocol"]) | {"questions": str(source.questions)}
    if source.judge:
        # The paper asks each request of SORRY-Bench once.
        paper = {"questions": paper["questions"], "judge": source.judge}
    return [
        f"{fact} {facts[fact]}, paper {value}"
        for fact, value in paper.items()
        if fact in facts and facts[fact] != value
    ]


def _names(checkpoint: str) -> set[str]:
    """What a path or hub name may call its model, in lower case."""
    parts = {
        part for whole in PurePath(checkpoint).parts for part in (whole, whole.split("--")[-1])
    }
    return {part.lower() for part in parts}


def _by_k(by_alpha: dict[str, dict[str, float]]) -> dict[str, dict[int, float]]:
    return {alpha: {int(k): value for k, value in by_k.items()} for alpha, by_k in by_alpha.items()}
