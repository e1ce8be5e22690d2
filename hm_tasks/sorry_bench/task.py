"""SORRY-Bench as a task of lm-evaluation-harness: does a model still refuse?

    lm_eval --model hm-merged --model_args base=B,instruct=I,alpha=0.7 --tasks sorry_bench \\
        --log_samples --output_path OUT --metadata '{"judge": "gpt-4.1-mini"}'

Source: Xie et al., *SORRY-Bench* (ICLR 2025). Answers are judged in one step when all are there; what
the judge says is kept, so that a run that failed goes on where it was. Protocol: docs/sorry_bench.md.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from lm_eval.config.task import TaskConfig

from hm_metrics import definitions
from hm_metrics.judgment import KEPT, REASONS, RULE, Judgment, reasons, tally
from hm_metrics.rates import Bound, Item, Rate, by_category, item_of
from hm_models.settings import whole_number
from hm_tasks import copies
from hm_tasks.sorry_bench.dataset import load_requests
from hm_tasks.sorry_bench.judging import judge_all
from hm_tasks.sorry_bench.keyword import UNFAITHFUL
from hm_tasks.sorry_bench.prompts import RefusalRequest
from hm_tasks.sorry_bench.settings import JudgeSettings
from hm_tasks.sorry_bench.unscored import fail_if_unscored
from hm_tasks.zero_shot import ZeroShotTask

# The filter's name stands beside every number in the harness's table and files.
FILTER, UNFAITHFUL_FILTER = "scored", "unfaithful"
COUNTS = (
    *("generated", "reused", "empty_answers", "truncated_prompts", "equal_samples", "unscored"),
    *(f"unscored_{reason}" for reason in REASONS),
    *("judge_calls", "judge_reused", "judge_tokens_in", "judge_tokens_out"),
)

logger = logging.getLogger(__name__)


class SorryBench(ZeroShotTask):
    """One prompt style of the data set; the YAML beside this file names it."""

    def __init__(self, config: dict[str, Any]) -> None:
        settings = {key: value for key, value in config.items() if key != "class"}
        metadata = settings["metadata"]
        self._config = TaskConfig(**settings, repeats=whole_number(metadata, "n_samples"))
        self.VERSION = metadata["version"]
        self._settings = JudgeSettings.of(metadata)
        self.filter_name = UNFAITHFUL_FILTER if self._settings.is_keyword else FILTER
        found = load_requests(metadata["dataset_version"], self.config.dataset_kwargs["style"])
        metadata["dataset"] = found.facts
        if not found.facts["complete"]:
            logger.warning(
                "%s: %d of the release's %d requests are there.",
                self.task_name,
                len(found.requests),
                found.release.prompts,
            )
        self._docs = [
            {
                "question_id": request.question_id,
                "category": found.release.label(request.category),
                "prompt_style": request.style,
                "dataset_version": found.release.version,
                "request": request.text,
            }
            for request in found.requests
        ]
        metadata["judging"] = self._settings.identity()
        if self._settings.is_keyword:
            metadata["judging"]["warning"] = UNFAITHFUL
        metadata["by_category"] = {}  # until answers are judged
        self._instances: list[RefusalRequest] | None = None
        self._counts: dict[int, Counter[str]] = {}  # of a question's samples

    def doc_to_text(self, doc: dict[str, Any]) -> str:
        return doc["request"]

    def doc_to_target(self, doc: dict[str, Any]) -> str:
        return ""  # nothing that an answer should be

    def new_request(self, **fields: Any) -> RefusalRequest:
        return RefusalRequest(**fields)

    def apply_filters(self) -> list[RefusalRequest]:
        """Judge every answer of the run in one step.

        Raises:
            UnscoredError: more answers than `max_unscored` have no score; everything is kept.
        """
        requests = self._instances or []
        pairs = [(r.doc["request"], answer) for r in requests for answer in r.answers()]
        judgments = iter(judge_all(pairs, self._settings))
        found = {id(r): [next(judgments) for _ in r.resps] for r in requests}
        fail_if_unscored(
            [(r.doc, r.arguments[0], r.resps, found[id(r)]) for r in requests],
            self._settings,
            str(self.task_name),
        )
        for request in requests:
            request.filtered_resps[self.filter_name] = [j.record() for j in found[id(request)]]
        self._note_categories([item_of(r.doc["category"], tally(found[id(r)])) for r in requests])
        self.note_samples(requests)
        for request in requests:
            self._counts[request.doc["question_id"]] = Counter(
                reused=sum(request.reused.values()),
                truncated_prompts=request.cut_prompts,
                equal_samples=copies.count(request.resps),
            )
        return requests

    def _note_categories(self, items: Sequence[Item]) -> None:
        """Note the rates by category beside the results, over the requests of all processes."""
        parts = [items] if self._model is None else self._model.gather_object(items)
        if parts is not None:  # this process writes the results
            self._config.metadata["by_category"] = by_category([i for part in parts for i in part])

    def numbers(self) -> list[str]:
        return ["n_samples", "generated", "reused", "empty_answers", "unscored"]

    def process_results(self, doc: dict[str, Any], results: list[list[dict]]) -> dict[str, Any]:
        judgments = [Judgment(**record) for record in results[0]]
        item = item_of(doc["category"], tally(judgments))
        why = reasons(judgments)
        counts = self._counts.get(doc["question_id"], Counter[str]())
        metrics: dict[str, Any] = {
            "fulfillment_rate": item,
            "fulfillment_rate_low": item,
            "fulfillment_rate_high": item,
            "n_samples": len(judgments),
            "generated": len(judgments) - counts["reused"],
            "reused": counts["reused"],
            "empty_answers": sum(j.by == RULE and j.score is not None for j in judgments),
            "truncated_prompts": counts["truncated_prompts"],
            "equal_samples": counts["equal_samples"],
            "unscored": sum(why.values()),
        }
        if self._settings.is_keyword:
            return metrics
        metrics |= {f"unscored_{reason}": why[reason] for reason in REASONS}
        return metrics | {
            "judge_calls": sum(j.calls for j in judgments),
            "judge_reused": sum(j.by == KEPT for j in judgments),
            "judge_tokens_in": sum(j.tokens_in for j in judgments),
            "judge_tokens_out": sum(j.tokens_out for j in judgments),
        }

    def aggregation(self) -> dict[str, Callable]:
        rates: dict[str, Callable] = {
            "fulfillment_rate": Rate(),
            "fulfillment_rate_low": Bound(0),
            "fulfillment_rate_high": Bound(1),
            "n_samples": min,
        }
        return rates | dict.fromkeys(COUNTS, sum)

    def higher_is_better(self) -> dict[str, bool]:
        return definitions.higher_is_better(self.aggregation())
