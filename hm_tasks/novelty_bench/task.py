"""NoveltyBench as a task of lm-evaluation-harness: how many different answers, and what are they worth?

    NOVELTY_BENCH_PATH=curated.jsonl lm_eval --model hm-merged --model_args base=B,instruct=I,alpha=0.7 \\
        --tasks novelty_bench --log_samples --output_path OUT \\
        --metadata '{"judge": "gpt-4.1-mini", "ratings_by": "judge"}'

Source: Zhang et al., *NoveltyBench* (2025). Protocol: docs/novelty_bench.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from hm_metrics import definitions
from hm_metrics.aggregations import Mean
from hm_metrics.definitions import GLOBAL, LOCAL, SCORED
from hm_metrics.judgment import API_ERROR, SPENT, Judgment, spent
from hm_metrics.novelty import distinct, utility
from hm_metrics.verdict import JsonRecord
from hm_models.embedders import why_unusable
from hm_models.settings import number
from hm_tasks.judges.request import BareRequest, BareTask
from hm_tasks.judges.unscored import fail_if_unscored
from hm_tasks.novelty_bench.dataset import load_prompts
from hm_tasks.novelty_bench.partition import Partition, partition
from hm_tasks.novelty_bench.settings import JUDGE, ByJudge, comparer_of, rater_of
from hm_tasks.sampled import Sampled

RATES = ("distinct_k", "distinct_k_low", "distinct_k_high", "utility_k")
COUNTS = (
    *("generated", "reused", "truncated_prompts", "equal_samples", "empty_answers"),
    *("unscored", "unrated", *SPENT, definitions.UNFINISHED),
)

logger = logging.getLogger(__name__)


class NoveltyBench(BareTask):
    """The curated prompts, each asked `n_samples` times."""

    ID = "task_id"

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        metadata = self._config.metadata
        self._patience = number(metadata, "patience", above=0.0, most=1.0)
        self._comparer = comparer_of(metadata)
        metadata["classes"] = self._comparer.identity()
        self._rater = rater_of(metadata)
        metadata["ratings"] = self._rater.identity() if self._rater else {"by": "none"}
        prompts, metadata["dataset"] = load_prompts(metadata["dataset_sha256"])
        self._docs = [
            {"task_id": each["id"], "category": each["category"], "request": each["prompt"]}
            for each in prompts
        ]
        self._spent: dict[str, dict[str, int]] = {}  # on a judge, by question

    def apply_filters(self) -> list[BareRequest]:
        """Make the classes of every question, and rate the first answer of each.

        Raises:
            UnscoredError: more questions than `max_unscored` are left open by the judge; all that it
                said is kept.
        """
        requests = self._instances or []
        found = self._partitions(requests)
        ratings = self._ratings(requests, found)
        for request, made, rated in zip(requests, found, ratings, strict=True):
            request.filtered_resps[SCORED] = _records(made, rated)
            self._spent[request.doc["task_id"]] = spent([*made.judgments, *rated])
        self.note_samples(requests)
        return requests

    def _partitions(self, requests: Sequence[BareRequest]) -> list[Partition]:
        questions = [(r.doc["request"], r.answers()) for r in requests]
        try:
            found = partition(questions, self._comparer.compare)
        except Exception as error:  # whatever a library raises must not cost the run its results
            why = why_unusable(error)
            self._config.metadata["classes"]["unscored"] = why
            logger.warning("There are no classes: distinct_k and utility_k are unscored. %s", why)
            return [Partition(answers, unscored="unusable") for _, answers in questions]
        if found and isinstance(self._comparer, ByJudge):  # a rank may have no question
            outcome = [
                Judgment(
                    None if made.unscored else 1, JUDGE, made.unscored, _failed(made.judgments)
                )
                for made in found
            ]
            ranges = [_range(made.classes, made.different) for made in found]
            low, high = (sum(bound) / len(found) for bound in zip(*ranges, strict=True))
            self._fail(requests, outcome, f"distinct_k lies between {low:.3f} and {high:.3f}")
        return found

    def _ratings(
        self, requests: Sequence[BareRequest], found: Sequence[Partition]
    ) -> list[list[Judgment]]:
        """The judgments on the first answer of each class, for each question; [] where none is asked."""
        if self._rater is None:
            return [[] for _ in found]
        firsts = [made.firsts() if made.classes is not None else [] for made in found]
        pairs = [
            (request.doc["request"], first)
            for request, own in zip(requests, firsts, strict=True)
            for first in own
        ]
        try:
            rated = iter(self._rater.rate(pairs))
        except Exception as error:  # whatever a library raises must not cost the run its results
            why = why_unusable(error)
            self._config.metadata["ratings"]["unscored"] = why
            logger.warning("There are no ratings: utility_k is unscored. %s", why)
            return [[] for _ in found]
        ratings = [[next(rated) for _ in own] for own in firsts]
        if not isinstance(self._rater, ByJudge):
            return ratings
        outcome = [next((j for j in own if j.score is None), Judgment(1, JUDGE)) for own in ratings]
        self._fail(requests, outcome, "utility_k is that of the others")
        return ratings

    def _fail(
        self, requests: Sequence[BareRequest], outcome: Sequence[Judgment], ranges: str
    ) -> None:
        judged = [
            (r.doc, r.arguments[0], r.resps, [judgment])
            for r, judgment in zip(requests, outcome, strict=True)
        ]
        fail_if_unscored(judged, self._max_unscored, str(self.task_name), ranges, "questions")

    def numbers(self) -> list[str]:
        return [*RATES, "n_samples", *COUNTS]

    def headline(self) -> list[str]:
        return [*RATES, LOCAL, GLOBAL]

    def process_results(self, doc: dict[str, Any], results: list[list[dict]]) -> dict[str, Any]:
        records, question = results[0], doc["task_id"]
        classes = [record["class"] for record in records]
        known = None not in classes
        low, high = _range(classes if known else None, max(r["different"] for r in records))
        sampled = self._sampled.get(question, Sampled())
        metrics = {
            "distinct_k": distinct(classes) if known else None,
            "distinct_k_low": low,
            "distinct_k_high": high,
            **self._diversity.metrics(question, [], sampled.tokens),
            **sampled.counts(len(records)),
            "empty_answers": sum(record["empty"] for record in records),
            "unscored": int(not known),
            **self._spent.get(question, {}),
        }
        if self._rater is not None:
            scores = _scores(records) if known else None
            metrics["utility_k"] = utility(classes, scores, self._patience) if scores else None
            metrics["unrated"] = int(scores is None)
        return metrics

    def aggregation(self) -> dict[str, Callable]:
        rates: dict[str, Callable] = dict.fromkeys(RATES, Mean())
        return (
            rates | self._diversity.aggregation() | {"n_samples": min} | dict.fromkeys(COUNTS, sum)
        )


def _records(made: Partition, rated: Sequence[Judgment]) -> list[JsonRecord]:
    """What is logged of each answer: its class, and the rating where it is the first of it."""
    classes: Sequence[int | None] = made.classes or [None] * len(made.answers)
    records: list[JsonRecord] = []
    seen: set[int | None] = set()
    for each, answer in zip(classes, made.answers, strict=True):
        first = each is not None and each not in seen
        seen.add(each)
        judgment = rated[each] if each is not None and first and rated else None
        records.append(
            JsonRecord(
                {
                    "class": each,
                    "rating": judgment.score if judgment else None,
                    "first": first,
                    "empty": answer is not None and not answer.strip(),
                    "different": made.different,
                    "unscored": made.unscored or (judgment.unscored if judgment else ""),
                    "words": judgment.words if judgment else "",
                }
            )
        )
    return records


def _scores(records: Sequence[dict]) -> list[int] | None:
    """The ratings of the classes, in order; None where one is lacking."""
    found = [record["rating"] for record in records if record["first"]]
    return None if None in found else found


def _range(classes: Sequence[int] | None, different: int) -> tuple[int, int]:
    """Between what the number of classes lies, of so many different answers."""
    if classes is not None:
        return distinct(classes), distinct(classes)
    return 1, max(1, different)


def _failed(judgments: Sequence[Judgment]) -> str:
    return next((j.words for j in judgments if j.unscored == API_ERROR), "")
