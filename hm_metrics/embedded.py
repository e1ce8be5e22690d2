"""Samples of questions as vectors, each different text embedded once, summed by question.

found = embed_questions([["x + y", "y + x"], ["print(1)"]], make_embedder("minilm"))
local_of_each(found.sums)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from hm_metrics.diversity import QuestionSums, question_sums
from hm_models.embedders import Embedder
from hm_models.embedders.vectors import embed


@dataclasses.dataclass(frozen=True)
class EmbeddedQuestions:
    """Of those K questions of which a sample has a vector.

    Attributes:
        known: [K] their positions among the questions that were asked for.
        vectors: K times [n, d] unit rows, n being the question's samples that have one.
        sums: their sums; None if K is 0.
        dimensions: d; 0 if K is 0.
    """

    known: list[int]
    vectors: list[np.ndarray]
    sums: QuestionSums | None
    dimensions: int


def embed_questions(questions: Sequence[Sequence[str]], embedder: Embedder) -> EmbeddedQuestions:
    """Embed the samples of all questions in one step; blank ones have no vector.

    Raises:
        hm_models.embedders.Unusable: there is no vector for some text now; libraries have their own errors.
    """
    found = embed([text for texts in questions for text in texts], embedder)
    rows = [found.rows(texts) for texts in questions]
    rows = [row[row >= 0] for row in rows]
    known = [position for position, row in enumerate(rows) if len(row)]
    vectors = [found.vectors[rows[position]] for position in known]
    groups = np.repeat(np.arange(len(known)), [len(part) for part in vectors])
    sums = question_sums(np.concatenate(vectors), groups) if known else None
    return EmbeddedQuestions(known, vectors, sums, found.vectors.shape[1])
