"""What a curation says of itself: summary.json, and the card of its training sets.

>>> verify = {"output": "verified.jsonl", "records": 3, "left_out": {"wrong": 1}, "settings": {}}
>>> print(table({"steps": {"verify": verify}}))
verify             3  verified.jsonl
                   1  - wrong
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import platform
import re
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from hm_tasks.curation.candidate import ANSWERS, JUDGED, KINDS, Candidate
from hm_tasks.curation.export.card import HOLDS, Card
from hm_tasks.curation.export.licences import licence_of_model, licence_of_problem
from hm_tasks.curation.provenance import Wrapped
from hm_tasks.curation.steps import OUTPUTS, Done, Workplace

PACKAGES = ("hindsight-merging", "lm_eval", "evalplus", "datasets", "numpy")
NAME = 100  # letters of a set's name
RECORDS = "records"  # among a step's facts: how many it wrote


def summary_of(place: Workplace) -> dict[str, Any]:
    """The steps that are done, in order, each with its settings and counts."""
    done = {step: found for step in OUTPUTS if (found := place.done(step))}
    return {
        "steps": {
            step: {"output": OUTPUTS[step], **found.facts, "left_out": found.counts}
            | {"settings": found.settings, "sha256": found.sha256}
            for step, found in done.items()
        },
        "versions": {"python": platform.python_version()} | versions_of(*PACKAGES),
    }


@dataclasses.dataclass
class Origins:
    """What records are made of, noted as they pass by, so that nobody reads them again for it.

    Attributes:
        sets: name of a set of problems to one of its problems.
        models, alphas, samplings: in order of appearance; a sampling as JSON.
        inner: what answers tell of the tasks that grade them, each as JSON.
        judged: what answers tell of the judges that labelled them, each as JSON.
        kinds: of records.
    """

    sets: dict[str, str] = dataclasses.field(default_factory=dict)
    models: dict[str, None] = dataclasses.field(default_factory=dict)
    alphas: dict[float | str, None] = dataclasses.field(default_factory=dict)
    samplings: dict[str, None] = dataclasses.field(default_factory=dict)
    inner: dict[str, None] = dataclasses.field(default_factory=dict)
    judged: dict[str, None] = dataclasses.field(default_factory=dict)
    kinds: set[str] = dataclasses.field(default_factory=set)

    @property
    def graders(self) -> list[Wrapped]:
        """Who grades the answers among them."""
        return [Wrapped(**json.loads(told)) for told in self.inner]

    @property
    def judges(self) -> list[dict[str, Any]]:
        """Who labelled the answers among them, as the records tell it (`provenance.Labelling.told`)."""
        return [json.loads(told) for told in self.judged]

    @property
    def answered(self) -> list[str]:
        """The tasks and benchmarks whose questions answers are to."""
        names = [*(one.task for one in self.graders), *(one["benchmark"] for one in self.judges)]
        return list(dict.fromkeys(names))

    def noted(self, records: Iterable[Candidate]) -> Iterator[Candidate]:
        """The same records."""
        for record in records:
            told = record.provenance
            self.sets.setdefault(told["problems"], record.problem)
            pair = (told["base"], told["instruct"]) if "base" in told else (told.get("model"),)
            names = told.get("models", pair)
            self.models |= dict.fromkeys(str(name) for name in names if name)
            if "alpha" in told:
                alpha = told["alpha"]
                self.alphas[alpha if isinstance(alpha, (int, float)) else str(alpha)] = None
            self.samplings[json.dumps(told.get("sampling"), sort_keys=True)] = None
            self.kinds.add(record.kind)
            if record.kind == ANSWERS:
                self.inner[json.dumps(told["inner"], sort_keys=True)] = None
            elif record.kind == JUDGED:
                self.judged[json.dumps(told["judged"], sort_keys=True)] = None
            yield record

    def card(self, done: dict[str, Done]) -> Card:
        """The card of the sets that are made of these records, after these steps."""
        sets: dict[str, str] = {}
        for of, problem in self.sets.items():
            sets.setdefault(of.removesuffix(".jsonl"), problem)
        holds = [kind for kind in KINDS if kind in self.kinds]
        name = "-".join([*sets, *(f"alpha{alpha}" for alpha in self.alphas)])
        return Card(
            name=re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("._-")[:NAME] or "samples",
            models=tuple(self.models),
            alphas=tuple(self.alphas),
            counts={
                step: {RECORDS: found.facts[RECORDS]} | found.counts for step, found in done.items()
            },
            licences={model: licence_of_model(model) for model in self.models}
            | {of: licence_of_problem(problem) for of, problem in sets.items()},
            protocol={
                "sampling": [json.loads(sampling) for sampling in self.samplings],
                **{step: found.settings for step, found in done.items()},
                **({HOLDS: holds} if self.answered else {}),
            },
        )


def table(summary: dict[str, Any]) -> str:
    """The summary as people read it."""
    lines = []
    for step, found in summary["steps"].items():
        lines.append(f"{step:<12}{found.get(RECORDS, ''):>8}  {found['output']}")
        for told in found["settings"].get("portfolio", []):
            shown = ", ".join(f"{samples} x {row}" for row, samples in told["split"].items())
            lines.append(f"{'':12}{'split':>8}: {shown} ({told['family']}, {told['task']})")
        kinds = found.get("statuses", {}) | {f"- {k}": n for k, n in found["left_out"].items()}
        lines += [f"{'':12}{count:>8}  {kind}" for kind, count in kinds.items()]
        for choice in ("chosen", "random"):
            if choice in found:
                shown = ", ".join(f"{name} {value}" for name, value in found[choice].items())
                lines.append(f"{'':12}{choice:>8}: {shown}")
    return "\n".join(lines)


def versions_of(*packages: str) -> dict[str, str]:
    """Of those that are installed."""
    found = {}
    for package in packages:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
