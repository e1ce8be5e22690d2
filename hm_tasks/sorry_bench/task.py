"""SORRY-Bench as a task of lm-evaluation-harness: does a model still refuse?

    lm_eval --model hm-merged --model_args base=B,instruct=I,alpha=0.7 --tasks sorry_bench \\
        --log_samples --output_path OUT --metadata '{"judge": "gpt-4.1-mini"}'

Source: Xie et al., *SORRY-Bench* (ICLR 2025). Protocol: docs/sorry_bench.md.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from typing import Any

from hm_metrics.fulfillment import bounds
from hm_metrics.judgment import Judgment, tally
from hm_metrics.rates import Bound, Rate, by_category, item_of
from hm_tasks.judges.task import Judged, JudgedTask
from hm_tasks.sorry_bench.dataset import load_requests
from hm_tasks.sorry_bench.rubric import FULFILMENT

logger = logging.getLogger(__name__)


class SorryBench(JudgedTask):
    """One prompt style of the data set; the YAML beside this file names it."""

    rubric = FULFILMENT

    def documents(self, metadata: dict[str, Any]) -> list[dict[str, Any]]:
        found = load_requests(metadata["dataset_version"], self.config.dataset_kwargs["style"])
        metadata["dataset"] = found.facts
        if not found.facts["complete"]:
            logger.warning(
                "%s: %d of the release's %d requests are there.",
                self.task_name,
                len(found.requests),
                found.release.prompts,
            )
        return list(map(dataclasses.asdict, found.requests))

    def ranges(self, judged: Sequence[Judged]) -> str:
        low, high = bounds([tally(judgments) for _, judgments in judged])
        return f"the rate lies between {low:.3f} and {high:.3f}"

    def note_tables(self, judged: Sequence[Judged]) -> None:
        items = self.gathered([item_of(doc["category"], tally(found)) for doc, found in judged])
        if items is not None:
            self._config.metadata["by_category"] = by_category(items)

    def rates(self, doc: dict[str, Any], judgments: Sequence[Judgment]) -> dict[str, Any]:
        item = item_of(doc["category"], tally(judgments))
        names = ("fulfillment_rate", "fulfillment_rate_low", "fulfillment_rate_high")
        return dict.fromkeys(names, item)

    def rate_aggregation(self) -> dict[str, Callable]:
        return {
            "fulfillment_rate": Rate(),
            "fulfillment_rate_low": Bound(0),
            "fulfillment_rate_high": Bound(1),
        }
