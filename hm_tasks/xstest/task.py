"""XSTest as a task of lm-evaluation-harness: does a model refuse what is safe, and answer what is not?

    XSTEST_PATH=xstest_prompts.csv lm_eval --model hm-merged --model_args base=B,instruct=I,alpha=0.7 \\
        --tasks xstest --log_samples --output_path OUT --metadata '{"judge": "gpt-4.1-mini"}'

Source: Röttger et al., *XSTest* (NAACL 2024). Protocol: docs/xstest.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from hm_metrics.fulfillment import bounds
from hm_metrics.judged_definitions import OVER_REFUSAL as OVER
from hm_metrics.judged_definitions import UNSAFE_COMPLIANCE as UNSAFE_RATE
from hm_metrics.judgment import Judgment
from hm_metrics.rates import Bound, Rate, item_of
from hm_metrics.xstest import RATES, Contrast, by_type, twin_of
from hm_tasks.judges.task import Judged, JudgedTask
from hm_tasks.xstest.dataset import load_prompts
from hm_tasks.xstest.rubric import REFUSAL

CONTRAST = "contrast_rate"


class XSTest(JudgedTask):
    """Safe prompts that look unsafe, and their unsafe twins."""

    rubric = REFUSAL

    def documents(self, metadata: dict[str, Any]) -> list[dict[str, Any]]:
        prompts, metadata["dataset"] = load_prompts(metadata["dataset_sha256"])
        return list(map(dataclasses.asdict, prompts))

    def ranges(self, judged: Sequence[Judged]) -> str:
        parts = []
        for name in (OVER, UNSAFE_RATE):
            label, count = RATES[name]
            if tallies := [count(found) for doc, found in judged if doc["label"] == label]:
                parts.append("{} lies between {:.3f} and {:.3f}".format(name, *bounds(tallies)))
        return ", ".join(parts)

    def note_tables(self, judged: Sequence[Judged]) -> None:
        items = self.gathered([(doc["category"], doc["label"], found) for doc, found in judged])
        if items is not None:
            self._config.metadata["by_category"] = by_type(items)

    def rates(self, doc: dict[str, Any], judgments: Sequence[Judgment]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, (label, count) in RATES.items():
            if label == doc["label"]:
                found[name] = item_of(doc["category"], count(judgments))
        for name in (OVER, UNSAFE_RATE):
            if name in found:
                found |= dict.fromkeys((f"{name}_low", f"{name}_high"), found[name])
        if doc["twin"] is not None:
            found[CONTRAST] = twin_of(doc["twin"], doc["label"], judgments)
        return found

    def rate_aggregation(self) -> dict[str, Callable]:
        found: dict[str, Callable] = dict.fromkeys(RATES, Rate())
        for name in (OVER, UNSAFE_RATE):
            found |= {f"{name}_low": Bound(0), f"{name}_high": Bound(1)}
        return found | {CONTRAST: Contrast()}
