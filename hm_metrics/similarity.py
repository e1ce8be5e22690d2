"""`local_similarity` and `global_similarity` as metrics of any `generate_until` task with `repeats`.

    repeats: 8
    filter_list:
      - name: all
        filter:
          - {function: take_first_k, k: 8}
    metric_list:
      - metric: local_similarity
        aggregation: local_similarity
        higher_is_better: false
        embedder: minilm

The metric takes a question's samples, the aggregation embeds those of all questions in one step.
Without a usable embedder the value is `unscored` with the reason. A task with `repeats` but no
`filter_list` keeps one sample a question in the harness, which is said and is unscored too.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from hm_metrics.aggregations import MAX_ITERATIONS, NOT_AVAILABLE, UNSCORED
from hm_metrics.diversity import (
    OverQuestions,
    QuestionSums,
    all_pairs_over_questions,
    global_over_questions,
    local_over_questions,
    question_sums,
    standard_error,
    value_of,
)
from hm_models.embedders import make_embedder, why_unusable
from hm_models.embedders.vectors import embed

DEFAULT_EMBEDDER = "minilm"
ONE_SAMPLE = (
    "the task keeps one sample a question. With `repeats: n`, give it a filter_list with "
    "{function: take_first_k, k: n}; without one the harness drops all but the first."
)
NO_PAIR = "no question has two samples that can be embedded."

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Samples:
    """One question's samples, and what is to embed them."""

    texts: tuple[str, ...]
    embedder: str
    base_url: str | None

    def __str__(self) -> str:
        return f"{len(self.texts)} samples"  # what logs show


def samples_of(
    references: Sequence,
    predictions: Sequence,
    embedder: str = DEFAULT_EMBEDDER,
    embedder_base_url: str | None = None,
) -> Samples:
    """The metric's value of one question: its samples, which the aggregation embeds.

    Args:
        references: not used; the harness passes them.
        predictions: the question's samples as its filter left them, in a list of length 1.
        embedder, embedder_base_url: see `hm_models.embedders`.

    Raises:
        UnknownEmbedder: the name stands for none.
    """
    make_embedder(embedder, embedder_base_url)
    (samples,) = predictions
    texts = (samples,) if isinstance(samples, str) else tuple(map(str, samples))
    return Samples(texts, embedder, embedder_base_url)


@dataclasses.dataclass(frozen=True)
class Similarity:
    """An aggregation of the harness, with its own standard error."""

    measure: OverQuestions

    def __call__(self, items: Sequence[Samples]) -> float | str:
        sums = _sums(tuple(items))
        if isinstance(sums, str):
            logger.warning("A similarity is unscored: %s", sums)
            return f"{UNSCORED}: {sums}"
        value = value_of(self.measure, sums)
        return f"{UNSCORED}: {NO_PAIR}" if np.isnan(value) else value

    def stderr(self, items: Sequence[Samples], iterations: int) -> float | str:
        sums = _sums(tuple(items))
        if isinstance(sums, str):
            return NOT_AVAILABLE
        error = standard_error(self.measure, sums, min(iterations, MAX_ITERATIONS))
        return NOT_AVAILABLE if np.isnan(error) else error


local_similarity = Similarity(local_over_questions)
global_similarity = Similarity(global_over_questions)
global_similarity_all_pairs = Similarity(all_pairs_over_questions)


@lru_cache(maxsize=8)  # two metrics and their errors ask for the same; a dead server is asked once
def _sums(items: tuple[Samples, ...]) -> QuestionSums | str:
    """Sums of the questions' vectors, or why there are none."""
    if all(len(item.texts) < 2 for item in items):
        return ONE_SAMPLE
    texts = [text for item in items for text in item.texts]
    groups = np.repeat(np.arange(len(items)), [len(item.texts) for item in items])
    try:
        found = embed(texts, make_embedder(items[0].embedder, items[0].base_url))
    except Exception as error:  # whatever a library raises must not cost the run its results
        return why_unusable(error)
    rows = found.rows(texts)
    if not (rows >= 0).any():
        return NO_PAIR
    sums = question_sums(found.vectors[rows[rows >= 0]], groups[rows >= 0])
    if left_out := len(items) - int((sums.counts > 1).sum()):
        logger.warning(
            "%d of %d questions have fewer than two samples that can be embedded; the local "
            "similarity leaves them out.",
            left_out,
            len(items),
        )
    return sums
