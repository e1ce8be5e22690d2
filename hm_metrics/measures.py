"""How diverse the samples of a pass@k task are, measured once over a whole run.

`--metadata '{"diversity": [...], "embedder": "...", "embed": "program"}'` says what is measured and how
texts become vectors; docs/diversity.md defines every measure. Without a usable embedder the
similarities are unscored; the reason is logged and stands in the results (`metadata.embedding` of the
task's config).
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from hm_metrics.aggregations import Mean, Pairs, Ratio
from hm_metrics.diversity import (
    QuestionSums,
    all_pairs_over_questions,
    global_over_questions,
    local_of_each,
    question_sums,
)
from hm_metrics.entropy import TokenSums
from hm_metrics.ngrams import distinct_n
from hm_metrics.programs import canonical
from hm_metrics.vendi import vendi_score
from hm_metrics.verdict import PASS, Verdict
from hm_models.embedders import Unusable, make_embedder, why_unusable
from hm_models.embedders.vectors import embed
from hm_models.errors import UsageError

EMBEDDED = ("program", "text")


class NotedSums(str):
    """A question's sums as an item of the harness; what logs it, in whatever form, sees words.

    Loggers of runs write items as JSON, which has no arrays.
    """

    sums: QuestionSums

    @classmethod
    def of(cls, sums: QuestionSums) -> NotedSums:
        item = cls(sums)
        item.sums = sums
        return item


def _joined(items: Sequence[NotedSums | None]) -> QuestionSums | None:
    known = [item.sums for item in items if item is not None]
    return QuestionSums.joined(known) if known else None


@dataclasses.dataclass(frozen=True)
class Measure:
    """One key of the results.

    Attributes:
        of: a question's value, None where it has none: from its Vectors, its Programs or its TokenSums,
            by the table that the measure is in.
        aggregation: the values of all questions to the result.
    """

    of: Callable[[Any], Any]
    aggregation: Any


@dataclasses.dataclass(frozen=True)
class Vectors:
    """Of one question's samples: [n, d] rows, and their sums; None without any."""

    rows: np.ndarray
    sums: QuestionSums | None


NO_VECTORS = Vectors(np.zeros((0, 0), dtype=np.float32), None)


def _sums(vectors: Vectors) -> NotedSums | None:
    return None if vectors.sums is None else NotedSums.of(vectors.sums)


def _local(vectors: Vectors) -> float | None:
    if vectors.sums is None or len(vectors.rows) < 2:
        return None
    return float(local_of_each(vectors.sums)[0])


def _vendi(vectors: Vectors) -> float | None:
    return vendi_score(vectors.rows) if len(vectors.rows) > 1 else None


@dataclasses.dataclass(frozen=True)
class Programs:
    """Of one question's samples: the verdicts of those with a program, and the function asked for."""

    verdicts: list[Verdict]
    entry_point: str

    def correct(self) -> list[Verdict]:
        return [v for v in self.verdicts if v.base_status == v.plus_status == PASS]


def _programs(found: Programs, correct: bool = False) -> int:
    counted = {v.program for v in (found.correct() if correct else found.verdicts)}
    return len({canonical(program, found.entry_point) for program in counted})


def _behaviours(found: Programs, correct: bool = False) -> int | None:
    """How many different ones; None where programs ran and none was noted."""
    if found.verdicts and not any(verdict.behaviour for verdict in found.verdicts):
        return None
    counted = found.correct() if correct else found.verdicts
    return len({verdict.behaviour for verdict in counted if verdict.behaviour})


def _distinct(n: int, found: Programs) -> float | None:
    share = distinct_n([verdict.program for verdict in found.verdicts], n)
    return None if np.isnan(share) else share


GLOBAL = Pairs(global_over_questions, _joined)
ALL_PAIRS = Pairs(all_pairs_over_questions, _joined)
FROM_VECTORS = {
    "local_similarity": Measure(_local, Mean()),
    "global_similarity": Measure(_sums, GLOBAL),
    "global_similarity_all_pairs": Measure(_sums, ALL_PAIRS),
    "vendi_score": Measure(_vendi, Mean()),
}
FROM_PROGRAMS = {
    "distinct_programs": Measure(_programs, Mean()),
    "distinct_correct_programs": Measure(partial(_programs, correct=True), Mean()),
    "distinct_behaviours": Measure(_behaviours, Mean()),
    "distinct_correct_behaviours": Measure(partial(_behaviours, correct=True), Mean()),
} | {f"distinct_{n}": Measure(partial(_distinct, n), Mean()) for n in (1, 2, 3, 4)}
FROM_TOKENS = {
    "token_entropy": Measure(lambda sums: (sums.entropy, sums.tokens), Ratio()),
    "token_entropy_bound": Measure(
        lambda sums: ((sums.entropy_high - sums.entropy_low) / 2, sums.tokens), Ratio()
    ),
    "token_surprisal": Measure(lambda sums: (sums.surprisal, sums.tokens), Ratio()),
}
MEASURES = FROM_VECTORS | FROM_PROGRAMS | FROM_TOKENS
LEFT_OUT = "left_out_questions"

logger = logging.getLogger(__name__)


class DiversityError(UsageError, ValueError):
    """A setting of the measures that cannot be used; raised before any model is loaded."""


class Diversity:
    """The measures of one run: `measure` once over all questions, then `metrics` of each.

    Args:
        metadata: the task's; `embedding` is written into it, for the results.

    Raises:
        DiversityError, UnknownEmbedder: a setting that cannot be.
    """

    def __init__(self, metadata: dict[str, Any]) -> None:
        asked = metadata["diversity"]
        asked = list(MEASURES) if asked == "all" else asked
        if not isinstance(asked, (list, tuple)) or any(
            name not in list(MEASURES) for name in asked
        ):
            raise DiversityError(
                f"diversity={metadata['diversity']!r}: expected all, or a list out of "
                f"{', '.join(MEASURES)}."
            )
        self.embedded = metadata["embed"]
        if self.embedded not in EMBEDDED:
            raise DiversityError(f"embed={self.embedded!r}: expected {' or '.join(EMBEDDED)}.")
        self._measures = [name for name in MEASURES if name in asked]
        self._embedder = make_embedder(metadata["embedder"], metadata["embedder_base_url"])
        self._metadata = metadata
        self._vectors: dict[str, Vectors] = {}
        if self._needs_vectors:
            try:
                self._embedder.identity()
            except Unusable as error:
                logger.warning("The similarities will be unscored. %s", error)

    @property
    def _needs_vectors(self) -> bool:
        return any(name in FROM_VECTORS for name in self._measures)

    @property
    def wants_tokens(self) -> bool:
        """Whether a measure needs what the model says of its tokens."""
        return any(name in FROM_TOKENS for name in self._measures)

    def measure(self, texts: Mapping[str, Sequence[str]]) -> None:
        """Embed the samples of all questions in one step; blank ones have no vector.

        Args:
            texts: question to its samples, what `embedded` says of each.
        """
        if not self._needs_vectors:
            return
        record: dict[str, Any] = {"embedder": self._embedder.name, "embedded": self.embedded}
        self._metadata["embedding"] = record
        self._vectors = {}
        try:
            found = embed([t for samples in texts.values() for t in samples], self._embedder)
            record["identity"] = self._embedder.identity()
        except Exception as error:  # whatever a library raises must not cost the run its results
            record["unscored"] = why_unusable(error)
            logger.warning("The similarities are unscored. %s", record["unscored"])
            return
        rows = {question: found.rows(samples) for question, samples in texts.items()}
        known = {question: row[row >= 0] for question, row in rows.items() if (row >= 0).any()}
        without = sum(map(len, rows.values())) - sum(map(len, known.values()))
        record |= {"dimensions": found.vectors.shape[1], "samples_without_vector": without}
        if known:
            groups = np.repeat(np.arange(len(known)), [len(row) for row in known.values()])
            sums = question_sums(found.vectors[np.concatenate(list(known.values()))], groups)
            self._vectors = {
                question: Vectors(found.vectors[row], sums.one(number))
                for number, (question, row) in enumerate(known.items())
            }

    def metrics(
        self,
        question: str,
        verdicts: Sequence[Verdict],
        tokens: Sequence[TokenSums] = (),
        entry_point: str = "",
    ) -> dict[str, Any]:
        """One question's value of each measure, for `aggregation`; None where it has none."""
        vectors = self._vectors.get(question, NO_VECTORS)
        programs = Programs([v for v in verdicts if v.program.strip()], entry_point)
        sources: list[tuple[dict[str, Measure], Any]] = [
            (FROM_VECTORS, vectors),
            (FROM_PROGRAMS, programs),
            (FROM_TOKENS, TokenSums.total(tokens)),
        ]
        if not tokens:
            sources.pop()  # whoever sampled noted nothing: no key at all
        values = {
            name: table[name].of(source)
            for table, source in sources
            for name in self._measures
            if name in table
        }
        return values | ({LEFT_OUT: int(len(vectors.rows) < 2)} if self._needs_vectors else {})

    def aggregation(self) -> dict[str, Any]:
        return {name: MEASURES[name].aggregation for name in self._measures} | {LEFT_OUT: sum}
