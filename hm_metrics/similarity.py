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

    >>> print(samples_of(references=[], predictions=[["x + y", "y + x"]]))
    2 samples
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from functools import lru_cache

from hm_metrics.aggregations import UNSCORED, Pairs
from hm_metrics.diversity import (
    OverQuestions,
    QuestionSums,
    all_pairs_over_questions,
    global_over_questions,
    local_over_questions,
)
from hm_metrics.embedded import embed_questions
from hm_models.embedders import make_embedder, why_unusable

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


def samples_in_one_list(
    references: Sequence,
    predictions: Sequence[str],
    embedder: str = DEFAULT_EMBEDDER,
    embedder_base_url: str | None = None,
) -> list[Samples]:
    """`samples_of` for harnesses from 0.5 on, which keep one value of each question."""
    return [samples_of(references, [list(predictions)], embedder, embedder_base_url)]


@lru_cache(maxsize=8)  # two metrics and their errors ask for the same; a dead server is asked once
def _sums(items: tuple[Samples, ...]) -> QuestionSums | str:
    """Sums of the questions' vectors, or why there are none."""
    if all(len(item.texts) < 2 for item in items):
        return _unscored(ONE_SAMPLE)
    try:
        embedder = make_embedder(items[0].embedder, items[0].base_url)
        found = embed_questions([item.texts for item in items], embedder)
    except Exception as error:  # whatever a library raises must not cost the run its results
        return _unscored(why_unusable(error))
    if found.sums is None:
        return _unscored(NO_PAIR)
    if left_out := len(items) - int((found.sums.counts > 1).sum()):
        logger.warning(
            "%d of %d questions have fewer than two samples that can be embedded; the local "
            "similarity leaves them out.",
            left_out,
            len(items),
        )
    return found.sums


def _unscored(reason: str) -> str:
    logger.warning("A similarity is unscored: %s", reason)
    return f"{UNSCORED}: {reason}"


def _aggregation(measure: OverQuestions) -> Pairs:
    return Pairs(measure, lambda items: _sums(tuple(items)), f"{UNSCORED}: {NO_PAIR}")


local_similarity = _aggregation(local_over_questions)
global_similarity = _aggregation(global_over_questions)
global_similarity_all_pairs = _aggregation(all_pairs_over_questions)
