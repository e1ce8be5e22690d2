"""What the benchmarks with a judge share as tasks: all answers are judged in one step when they are there.

What the judge says is kept, so that a run that failed goes on where it was. A task brings its rubric, its
documents (`question_id`, `category`, `request`) and its rates.
"""

from __future__ import annotations

import abc
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

from hm_metrics.definitions import GLOBAL, LOCAL, SCORED, UNFINISHED
from hm_metrics.judgment import REASONS, RULE, SPENT, TIE, Judgment, reasons, spent
from hm_metrics.measures import LEFT_OUT
from hm_tasks.judges.judging import judge_all
from hm_tasks.judges.keyword import UNFAITHFUL
from hm_tasks.judges.panel import Votes, agreements, judges_of, majority
from hm_tasks.judges.request import BareRequest, BareTask
from hm_tasks.judges.rubric import Rubric
from hm_tasks.judges.unscored import fail_if_unscored
from hm_tasks.own_scoring import of_all_processes
from hm_tasks.sampled import Sampled

UNFAITHFUL_FILTER = "unfaithful"  # in place of SCORED, beside every number of the results
COUNTS = (
    *("generated", "reused", "empty_answers", "truncated_prompts", "equal_samples", "unscored"),
    *(f"unscored_{reason}" for reason in (*REASONS, TIE)),
    *SPENT,
)
Judged = tuple[dict[str, Any], list[Judgment]]  # a document, and the judgments on its answers
T = TypeVar("T")


class JudgedTask(BareTask):
    """A benchmark whose answers a judge scores by `rubric`."""

    ID = "question_id"
    rubric: ClassVar[Rubric]

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        metadata = self._config.metadata
        self._judges = judges_of(metadata, self.rubric)
        self._is_keyword = any(judge.is_keyword for judge in self._judges.values())
        self.filter_name = UNFAITHFUL_FILTER if self._is_keyword else SCORED
        self._docs = self.documents(metadata)
        metadata["judging"] = self._identity()
        if self._is_keyword:
            metadata["judging"]["warning"] = UNFAITHFUL
        metadata["by_category"] = {}  # until answers are judged, see `note_tables`

    @abc.abstractmethod
    def documents(self, metadata: dict[str, Any]) -> list[dict[str, Any]]:
        """The benchmark's documents; what is known of the data set goes to `metadata["dataset"]`."""

    @abc.abstractmethod
    def ranges(self, judged: Sequence[Judged]) -> str:
        """Where the rates lie whatever the unscored answers are, in words."""

    @abc.abstractmethod
    def note_tables(self, judged: Sequence[Judged]) -> None:
        """Note what stands beside the results, over the requests of all processes (`gathered`)."""

    @abc.abstractmethod
    def rates(self, doc: dict[str, Any], judgments: Sequence[Judgment]) -> dict[str, Any]:
        """A document's item for each rate that it counts in."""

    @abc.abstractmethod
    def rate_aggregation(self) -> dict[str, Callable]:
        """From the items of each rate to its value."""

    def apply_filters(self) -> list[BareRequest]:
        """Judge every answer of the run in one step.

        Raises:
            UnscoredError: more answers than `max_unscored` have no score; everything is kept.
        """
        requests = self._instances or []
        pairs = [(r.doc["request"], answer) for r in requests for answer in r.answers()]
        by_judge = {name: judge_all(pairs, judge) for name, judge in self._judges.items()}
        votes = [
            dict(zip(by_judge, each, strict=True)) for each in zip(*by_judge.values(), strict=True)
        ]
        judgments = iter(map(majority, votes))
        found = {id(r): [next(judgments) for _ in r.resps] for r in requests}
        judged = [(r.doc, found[id(r)]) for r in requests]
        fail_if_unscored(
            [(r.doc, r.arguments[0], r.resps, found[id(r)]) for r in requests],
            self._max_unscored,
            str(self.task_name),
            self.ranges(judged),
            again=""
            if len(self._judges) > 1
            else f"--judge {next(iter(self._judges.values())).judge}",
        )
        for request in requests:
            request.filtered_resps[self.filter_name] = [j.record() for j in found[id(request)]]
        self.note_tables(judged)
        if len(self._judges) > 1:
            self._note_judges(requests, votes)
        self.note_samples(requests)
        return requests

    def _identity(self) -> dict[str, Any]:
        """Of one judge its own; of several their names, and a hash of all that they are asked."""
        each = [judge.identity() for judge in self._judges.values()]
        if len(each) == 1:
            return each[0]
        self._config.metadata["judges_asked"] = each
        prompts = json.dumps([[one["judge"], one["prompt_sha256"]] for one in each])
        return {
            "judge": f"majority of {', '.join(self._judges)}",
            "prompt_sha256": hashlib.sha256(prompts.encode()).hexdigest(),
        }

    def _note_judges(self, requests: Sequence[BareRequest], votes: Sequence[Votes]) -> None:
        """Note each judge's rates and how they agree, over the answers of all processes."""
        of_answer = iter(votes)
        every = self.gathered([(r.doc, [next(of_answer) for _ in r.resps]) for r in requests])
        if every is None:
            return
        aggregate = self.rate_aggregation()
        rates = {}
        for name in self._judges:
            items = defaultdict(list)
            for doc, answers in every:
                for rate, item in self.rates(doc, [votes[name] for votes in answers]).items():
                    items[rate].append(item)
            rates[name] = {rate: aggregate[rate](found) for rate, found in items.items()}
        self._config.metadata["judges_found"] = {
            "rates": rates,
            "agreement": agreements([v for _, own in every for v in own], self.rubric.names),
        }

    def gathered(self, items: list[T]) -> list[T] | None:
        """The items of all processes; None in a process that does not write the results."""
        parts = of_all_processes(self._model, items)
        return None if parts is None else [item for part in parts for item in part]

    def numbers(self) -> list[str]:
        return ["n_samples", "generated", "reused", "empty_answers", "unscored"]

    def headline(self) -> list[str]:
        return [*self.rate_aggregation(), LOCAL, GLOBAL]

    def process_results(self, doc: dict[str, Any], results: list[list[dict]]) -> dict[str, Any]:
        judgments = [Judgment(**record) for record in results[0]]
        why = reasons(judgments)
        sampled = self._sampled.get(doc[self.ID], Sampled())
        metrics: dict[str, Any] = {
            **self.rates(doc, judgments),
            **self._diversity.metrics(str(doc[self.ID]), [], sampled.tokens),
            **sampled.counts(len(judgments)),
            "empty_answers": sum(j.by == RULE and j.score is not None for j in judgments),
            "unscored": sum(why.values()),
        }
        metrics.pop(UNFINISHED, None)  # of the unscored these are one reason
        if len(judgments) == 1:  # one answer has no other to be like
            metrics.pop(LEFT_OUT, None)
        if self._is_keyword:
            return metrics
        metrics |= {f"unscored_{reason}": why[reason] for reason in REASONS}
        if len(self._judges) > 1:
            metrics[f"unscored_{TIE}"] = why[TIE]
        return metrics | spent(judgments)

    def aggregation(self) -> dict[str, Callable]:
        measured = self.rate_aggregation() | self._diversity.aggregation()
        return measured | {"n_samples": min} | dict.fromkeys(COUNTS, sum)
