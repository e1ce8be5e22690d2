"""What a training set is made of, as data and as the README.md of its folder.

>>> card = Card("mbpp-0.7", models=("org/base", "org/instruct"), alphas=(0.7,))
>>> card.licence()
'unknown'
>>> card.markdown("One conversation a line.", rows=1000, left_out={}).splitlines()[0]
'# mbpp-0.7'
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from hm_models.shown.escaping import code_span, markdown_text, one_line
from hm_tasks.curation.candidate import ANSWERS, JUDGED, PROGRAMS
from hm_tasks.curation.provenance import NOVELTY_BENCH, SORRY_BENCH, XSTEST

LONGEST = 1000  # letters of a name
NOT_KNOWN = "not known"  # how a licence begins that nobody could tell
HOLDS = "holds"  # in the protocol of a set with answers: which of _KINDS there are

# Of conversations, what the user's turn and what the assistant's is.
_KINDS = {
    PROGRAMS: (
        "conversations about programming problems: the user's turn "
        "states a problem, the assistant's is a model's sample: a program, after a thought where "
        "the sample has one."
    ),
    ANSWERS: (
        "conversations about questions of the harness's tasks: the user's turn is a question as its "
        "task asks it, the assistant's is a model's answer, as it was, that the task's own scoring "
        "found right."
    ),
    JUDGED: (
        "conversations about prompts of benchmarks with a judge: the user's turn is a prompt as it was "
        "asked, the assistant's is a model's answer, as it was, that the judge's label says to be right."
    ),
}
# What a correct answer is, of each benchmark with a judge.
_RIGHT = {
    SORRY_BENCH: "a refusal",
    XSTEST: "a full compliance with a safe prompt and a full refusal of an unsafe one",
    NOVELTY_BENCH: "the first answer of each class of answers to a prompt",
}
PRIVATE = (
    "\n\n**Not to be passed on.** The licence of SORRY-Bench forbids it for its requests, which are in this "
    "set."
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LICENCE_ID = re.compile(r"[a-z0-9][a-z0-9.+-]*")  # as the hub writes them
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))


class CardError(ValueError):
    """A card that cannot be written."""


@dataclasses.dataclass(frozen=True)
class Card:
    """Where a training set is from and what was done to it.

    Attributes:
        name: of the set: letters, digits, `.`, `_`, `-`.
        models: hub names or folders of the models that were sampled, base and instruct where merged.
        alphas: weights of the instruct model, numbers or gradients as they were given.
        counts: step of curation -> what was counted there -> how many.
        licences: model or benchmark -> its licence (`hm_tasks.curation.export.licences`).
        protocol: settings of sampling and of curation, as JSON can hold them; with HOLDS, where a set
            holds not only programs.
    """

    name: str
    models: tuple[str, ...] = ()
    alphas: tuple[float | str, ...] = ()
    counts: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)
    licences: Mapping[str, str] = dataclasses.field(default_factory=dict)
    protocol: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise CardError(
                f"{self.name!r} cannot name a training set: expected letters, digits, '.', '_' and "
                "'-', beginning with a letter or a digit, such as `mbpp-0.7`."
            )

    def licence(self) -> str:
        """The set's licence as the hub writes it: the one that all parts have, `other` or `unknown`."""
        licences = set(self.licences.values())
        if not licences or any(licence.startswith(NOT_KNOWN) for licence in licences):
            return "unknown"
        only = licences.pop()
        return "other" if licences or not _LICENCE_ID.fullmatch(only) else only

    def facts(self, rows: int, left_out: Mapping[str, int]) -> dict[str, Any]:
        """The card as plain data."""
        return {
            "models": [one_line(model, LONGEST) for model in self.models],
            "alphas": [one_line(a, LONGEST) if isinstance(a, str) else a for a in self.alphas],
            "rows": rows,
            "left_out": dict(sorted(left_out.items())),
            "counts": {
                step: {one_line(kind, LONGEST): number for kind, number in sorted(kinds.items())}
                for step, kinds in self.counts.items()
            },
            "licences": {
                one_line(of, LONGEST): one_line(text, LONGEST) for of, text in self.licences.items()
            },
            "protocol": json.loads(json.dumps(self.protocol, sort_keys=True)),
        }

    def header(self, rows: int, left_out: Mapping[str, int], data_files: str) -> str:
        """The YAML header that the Hugging Face hub and `datasets` read."""
        licence = self.licence()
        size = next((name for limit, name in _SIZES if rows < limit), "n>1M")
        header: dict[str, Any] = {"pretty_name": self.name, "license": licence}
        if licence == "other":
            header |= {"license_name": "several", "license_link": "README.md"}
        code = ["code"] if PROGRAMS in self._holds else []
        header |= {
            "task_categories": ["text-generation"],
            "tags": [*code, "synthetic", "hindsight-merging"],
            "size_categories": [size],
            "configs": [
                {
                    "config_name": "default",
                    "data_files": [{"split": "train", "path": data_files}],
                }
            ],
            "hindsight_merging": self.facts(rows, left_out),
        }
        return f"---\n{yaml.safe_dump(header, sort_keys=False, width=100)}---\n\n"

    def markdown(self, form: str, rows: int, left_out: Mapping[str, int]) -> str:
        """The card as people read it.

        Args:
            form: one paragraph that says which files there are and what a row of them holds.
            left_out: reason -> records that were selected and could not be exported.
        """
        facts = self.facts(rows, left_out)
        sections = [
            f"# {self.name}\n\n{rows} {' Also '.join(_KINDS[kind] for kind in self._holds)} "
            f"Synthetic text, written by models.\n\n{form}",
            *self._graded_by(),
            *self._checked_by(),
            "## Models\n\n"
            + _listed({code_span(model): "" for model in self.models})
            + "\n\nalpha (weight of the instruct model): "
            + (", ".join(markdown_text(str(alpha)) for alpha in self.alphas) or NOT_KNOWN),
            "## Licences\n\nOf what the set is made from. Which of them bind the set is for its user "
            "to judge.\n\n"
            + _listed({code_span(of): markdown_text(text) for of, text in self.licences.items()}),
            "## Counts\n\n"
            + "\n".join(
                f"- {step}: "
                + ", ".join(f"{markdown_text(kind)} {number}" for kind, number in kinds.items())
                for step, kinds in (
                    facts["counts"] | {"export": {"rows": rows} | facts["left_out"]}
                ).items()
            ),
            "## Protocol\n\n```json\n"
            + json.dumps(facts["protocol"], indent=2, sort_keys=True)
            + "\n```",
        ]
        return "\n\n".join(sections) + "\n"

    @property
    def _holds(self) -> list[str]:
        return self.protocol.get(HOLDS, [PROGRAMS])

    def _graded_by(self) -> list[str]:
        """The section on who found answers correct; none where there are only programs."""
        graders = self.protocol.get("verify", {}).get("answers", [])
        if not graders:
            return []
        tasks = list(dict.fromkeys(one["task"] for one in graders))
        lines = [
            f"- {code_span(one['task'])}, version {markdown_text(str(one['version']))}: a correct answer "
            f"has {code_span(one['metric'])} of at least {one['least_score']:g}, as filter "
            f"{code_span(one['filter'])} reads it"
            for one in graders
        ]
        return [
            "## Graded by\n\nEach answer was graded anew, by the scoring of the task whose question "
            "it answers.\n\n" + "\n".join(lines) + _contaminated("questions", tasks)
        ]

    def _checked_by(self) -> list[str]:
        """The section on whose labels found answers correct; none where no judge labelled any."""
        told = self.protocol.get("verify", {})
        judges = told.get("judged", [])
        if not judges:
            return []
        lines = []
        for one in judges:
            rated = f", ratings by {code_span(one['rated_by'])}" if one["rated_by"] else ""
            least = f" Least rating: {told['least_score']:g}." if rated else ""
            lines.append(
                f"- {code_span(one['benchmark'])}: checked by {code_span(one['by'])}{rated}, as the log "
                f"says; not asked again. Correct is {_RIGHT[one['benchmark']]}.{least}"
            )
        names = list(dict.fromkeys(one["benchmark"] for one in judges))
        return [
            "## Checked by\n\n"
            + "\n".join(lines)
            + _contaminated("prompts", names)
            + (PRIVATE if SORRY_BENCH in names else "")
        ]


def _listed(entries: Mapping[str, str]) -> str:
    return (
        "\n".join(f"- {name}: {text}" if text else f"- {name}" for name, text in entries.items())
        or NOT_KNOWN
    )


def _contaminated(what: str, names: Iterable[str]) -> str:
    return (
        f"\n\nThe {what} are those of {', '.join(map(code_span, names))}: the set is contaminated by them "
        "as a whole. Do not measure on them what was trained on it."
    )
