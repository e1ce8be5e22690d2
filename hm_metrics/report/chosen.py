"""Which merge a folder of results points to: the row that a rule chooses, and how it was made.

chosen = choose_merge(Path("runs/sweep"), "pass@10 subject to fulfillment_rate<=0.35")
chosen.recipe(), chosen.stands_out
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hm_metrics.logs.results import find_runs
from hm_metrics.report.choice import choose
from hm_metrics.report.leaderboard import BoardColumn, columns_of
from hm_metrics.report.points import join
from hm_metrics.report.rows import Row, make_rows
from hm_models.errors import UsageError
from hm_models.files.text_files import MALFORMED
from hm_models.merge.recipe import MergeRecipe
from hm_models.prompts.chat_templates import GivenTemplate


class NoMerge(UsageError, ValueError):
    """Results that point to no merge that could be written."""


@dataclasses.dataclass(frozen=True)
class Chosen:
    """The best row by estimate, with those that were measured beside it.

    Attributes:
        rule: as it was given.
        rows: of its family.
        stands_out: whether it surely satisfies the rule, and leads every rival clearly.
        words: the rule's answer, in sentences.
        notes: what could not be used, or has no vectors.
    """

    rule: str
    row: Row
    rows: Sequence[Row]
    columns: Sequence[BoardColumn]
    stands_out: bool
    words: Sequence[str]
    notes: Sequence[str]

    @property
    def record(self) -> dict[str, Any]:
        """What the run noted of its merge."""
        run = next(iter(self.row.point.runs.values()))
        return run.run["merge"]

    def recipe(self, **given: str) -> MergeRecipe:
        """The merge that was measured.

        Args:
            given: where a side lies now (`base`, `instruct`, and their revisions).

        Raises:
            NoMerge: what was noted is no recipe, or the files are not those that were measured.
            CheckpointError: a side cannot be opened.
        """
        known = {field.name for field in dataclasses.fields(MergeRecipe)} - {"notes"}
        noted = {name: value for name, value in self.record.items() if name in known}
        for side in ("base", "instruct"):
            if side in given:
                noted[f"{side}_revision"] = None
        try:
            recipe = MergeRecipe(**noted | given)
        except UsageError:
            raise
        except MALFORMED as error:
            raise NoMerge(
                f"{self.row.point.id}: what its results note of the merge is no recipe "
                f"({type(error).__name__}: {error})."
            ) from None
        for side in ("base", "instruct"):
            checkpoint = getattr(recipe, f"{side}_checkpoint")
            if checkpoint.identity() != self.record.get(f"{side}_identity"):
                raise NoMerge(
                    f"{checkpoint.name} is not what was measured as the {side} of {self.row.point.id}: "
                    "its files have another content. Measure it again, name where the measured one "
                    f"lies with --{side}, or merge it without numbers (--base, --instruct, --alpha)."
                )
        return recipe

    def chat_template(self) -> str | None:
        """The text of the chat template that was given to the run; None where none was.

        Raises:
            NoMerge: it is not what it was, or cannot be found.
        """
        run = next(iter(self.row.point.runs.values())).run
        noted = run.get("chat_template")
        if not isinstance(noted, dict):
            return None
        given = GivenTemplate.of(str(noted.get("name")))
        if given is None or given.sha256 != noted.get("sha256"):
            raise NoMerge(
                f"{self.row.point.id} was measured with chat_template={noted.get('name')}, which has "
                "another content now. Name the one that was used with --chat_template."
            )
        return given.text


def choose_merge(folder: Path, rule: str, quiet: bool = False) -> Chosen:
    """Read a folder of results and choose.

    Raises:
        NoMerge: no results, several families, no row that satisfies the rule, or one that is no merge.
        ChoiceError: the rule cannot be read, or names an unknown number.
    """
    found = find_runs([folder])
    made = make_rows(join(found.runs), quiet=quiet)
    notes = [*found.problems, *made.problems, *made.unscored]
    if not made.rows:
        raise NoMerge("\n".join(notes) or f"{folder} holds no results.")
    columns = columns_of(made.rows)
    choices = choose(rule, made.rows, columns)
    if len(choices) > 1:
        raise NoMerge(
            f"{folder} has results of {len(choices)} models or pairs "
            f"({', '.join(choice.family for choice in choices)}). Name the folder of one pair."
        )
    (choice,) = choices
    if choice.row is None or choice.selection is None:
        raise NoMerge(" ".join(choice.sentences))
    row = choice.row
    if not row.point.model.base:
        how = " A merge of a file is written with --recipe FILE." if row.point.model.method else ""
        raise NoMerge(f"{row.point.id} is no merge of a pair, so there is nothing to write.{how}")
    return Chosen(
        rule=rule,
        row=choice.row,
        rows=made.rows,
        columns=columns,
        stands_out=choice.selection.stands_out,
        words=choice.sentences,
        notes=notes,
    )
