"""How diverse the samples of a pass@k task are, measured once over a whole run.

`--metadata '{"diversity": [...], "embedder": "...", "embed": "program"}'` says what is measured and how
texts become vectors; docs/diversity.md defines every measure. Without a usable embedder the
similarities are unscored; the reason is logged and stands in the results (`metadata.embedding` of the
task's config).

    >>> asked = {"diversity": ["distinct_programs", "distinct_1"], "embed": "program"}
    >>> diversity = Diversity(asked | {"embedder": "minilm", "embedder_base_url": None})
    >>> diversity.metrics("one", [Verdict("a = 1", "pass", "pass"), Verdict("b = 1", "pass", "fail")])
    {'distinct_programs': 1, 'distinct_1': 0.6666666666666666}
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from hm_metrics.aggregations import UNSCORED, Mean, Pairs, Ratio
from hm_metrics.definitions import AT_K
from hm_metrics.diversity import (
    QuestionSums,
    all_pairs_over_questions,
    global_over_questions,
    local_of_each,
)
from hm_metrics.embedded import embed_questions
from hm_metrics.entropy import TokenSums
from hm_metrics.ngrams import distinct_n
from hm_metrics.programs import canonical
from hm_metrics.vendi import vendi_score
from hm_metrics.verdict import Verdict
from hm_models.embedders import Unusable, make_embedder, why_unusable
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


def _joined(items: Sequence[NotedSums | None]) -> QuestionSums | str:
    known = [item.sums for item in items if item is not None]
    return QuestionSums.joined(known) if known else UNSCORED


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
    """Of one question's samples: [n, d] rows, and their sums."""

    rows: np.ndarray
    sums: QuestionSums

    def local(self) -> float | None:
        return float(local_of_each(self.sums)[0]) if len(self.rows) > 1 else None

    def vendi(self) -> float | None:
        return vendi_score(self.rows) if len(self.rows) > 1 else None

    def noted(self) -> NotedSums:
        return NotedSums.of(self.sums)


@dataclasses.dataclass(frozen=True)
class Programs:
    """Of one question's samples: the verdicts of those with a program, and the function asked for."""

    verdicts: list[Verdict]
    entry_point: str

    def correct(self) -> Programs:
        return Programs(list(filter(AT_K["pass"].is_correct, self.verdicts)), self.entry_point)

    def different(self) -> int:
        return len({canonical(verdict.program, self.entry_point) for verdict in self.verdicts})

    def behaviours(self) -> int:
        return len({verdict.behaviour for verdict in self.verdicts} - {""})

    def were_noted(self) -> bool:
        """Whether behaviours were: nobody noted any where programs ran and none has one."""
        return not self.verdicts or self.behaviours() > 0

    def distinct(self, n: int) -> float | None:
        share = distinct_n([verdict.program for verdict in self.verdicts], n)
        return None if np.isnan(share) else share


FROM_VECTORS = {
    "local_similarity": Measure(Vectors.local, Mean()),
    "global_similarity": Measure(Vectors.noted, Pairs(global_over_questions, _joined)),
    "global_similarity_all_pairs": Measure(Vectors.noted, Pairs(all_pairs_over_questions, _joined)),
    "vendi_score": Measure(Vectors.vendi, Mean()),
}
FROM_PROGRAMS = {
    "distinct_programs": Measure(Programs.different, Mean()),
    "distinct_correct_programs": Measure(lambda found: found.correct().different(), Mean()),
    "distinct_behaviours": Measure(
        lambda found: found.behaviours() if found.were_noted() else None, Mean()
    ),
    "distinct_correct_behaviours": Measure(
        lambda found: found.correct().behaviours() if found.were_noted() else None, Mean()
    ),
} | {f"distinct_{n}": Measure(partial(Programs.distinct, n=n), Mean()) for n in (1, 2, 3, 4)}
FROM_TOKENS = {
    "token_entropy": Measure(lambda sums: (sums.entropy, sums.tokens), Ratio()),
    "token_entropy_bound": Measure(
        lambda sums: ((sums.entropy_high - sums.entropy_low) / 2, sums.tokens), Ratio()
    ),
    "token_surprisal": Measure(lambda sums: (sums.surprisal, sums.tokens), Ratio()),
}
OF_TEXTS = FROM_VECTORS | FROM_TOKENS  # what any samples have
MEASURES = FROM_VECTORS | FROM_PROGRAMS | FROM_TOKENS
LEFT_OUT = "left_out_questions"

logger = logging.getLogger(__name__)


class DiversityError(UsageError, ValueError):
    """A setting of the measures that cannot be used; raised before any model is loaded."""


class Diversity:
    """The measures of one run: `measure` once over all questions, then `metrics` of each.

    Args:
        metadata: the task's; `embedding` is written into it, for the results.
        known: the measures that samples of the task can have; of those that are no programs OF_TEXTS.

    Raises:
        DiversityError, UnknownEmbedder: a setting that cannot be.
    """

    def __init__(self, metadata: dict[str, Any], known: Mapping[str, Measure] = MEASURES) -> None:
        asked = metadata["diversity"]
        asked = list(known) if asked == "all" else asked
        if not isinstance(asked, (list, tuple)) or any(name not in list(known) for name in asked):
            raise DiversityError(
                f"diversity={metadata['diversity']!r}: expected all, or a list out of "
                f"{', '.join(known)}."
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
            found = embed_questions(list(texts.values()), self._embedder)
            record["identity"] = self._embedder.identity()
        except Exception as error:  # whatever a library raises must not cost the run its results
            record["unscored"] = why_unusable(error)
            logger.warning("The similarities are unscored. %s", record["unscored"])
            return
        without = sum(map(len, texts.values())) - sum(map(len, found.vectors))
        record |= {"dimensions": found.dimensions, "samples_without_vector": without}
        if found.sums is not None:
            questions = list(texts)
            self._vectors = {
                questions[position]: Vectors(rows, found.sums.one(number))
                for number, (position, rows) in enumerate(
                    zip(found.known, found.vectors, strict=True)
                )
            }

    def metrics(
        self,
        question: str,
        verdicts: Sequence[Verdict] = (),
        tokens: Sequence[TokenSums] = (),
        entry_point: str = "",
    ) -> dict[str, Any]:
        """One question's value of each measure, for `aggregation`; None where it has none."""
        vectors = self._vectors.get(question)
        programs = Programs([v for v in verdicts if v.program.strip()], entry_point)
        # Whoever sampled may have noted nothing of the tokens: then there is no key at all.
        sums = TokenSums.total(tokens) if tokens else None
        values: dict[str, Any] = {}
        for name in self._measures:
            if name in FROM_VECTORS:
                values[name] = FROM_VECTORS[name].of(vectors) if vectors else None
            elif name in FROM_PROGRAMS:
                values[name] = FROM_PROGRAMS[name].of(programs)
            elif sums:
                values[name] = FROM_TOKENS[name].of(sums)
        if self._needs_vectors:
            values[LEFT_OUT] = int(vectors is None or len(vectors.rows) < 2)
        return values

    def aggregation(self) -> dict[str, Any]:
        return {name: MEASURES[name].aggregation for name in self._measures} | {LEFT_OUT: sum}
