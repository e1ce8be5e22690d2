"""Write a merge as a checkpoint that others can load: with its card, and the recipe for mergekit.

    hm-merge --base B --instruct I --alpha 0.7 --output_path OUT
    hm-merge --from runs/sweep --select "pass@10 subject to fulfillment_rate<=0.35" --output_path OUT
    hm-merge --recipe mergekit.yml --output_path OUT --push_to_hub ME/NAME

B and I are folders or hub names. --from takes the pair and its alpha from results: the row that --select
chooses, with its numbers in the card; where none stands out, nothing is written unless --anyway. A run
that was killed is gone on with by the same command. Exit code: 0 all is on disk (and on the hub), 1 none
stands out, or the disk or the hub refused, 2 something is wrong with what was asked. docs/hm_merge.md has
the rest.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hm_models.commands.command_line import CommandLine
from hm_models.shown.screen import say

if TYPE_CHECKING:
    from hm_metrics.report.chosen import Chosen
    from hm_models.merge.contract import Merge

# What --from takes from the results, and a recipe's file from itself.
METHOD = (
    "alpha",
    "extrapolate",
    "merge_method",
    "merge_params",
    "merge_dtype",
    "merge_seed",
    "dtype",
)
CHECKPOINTS = ("base", "instruct", "base_revision", "instruct_revision")


def run(asked: argparse.Namespace) -> int:
    from hm_models.merge.card import Evaluation
    from hm_models.merge.hub import open_repository, push
    from hm_models.merge.take_home import TakeHome, size_of
    from hm_models.prompts.chat_templates import GivenTemplate

    shard_bytes, folder = size_of(asked.max_shard_size), asked.output_path.expanduser().resolve()
    _refuse_odd(asked)
    given = GivenTemplate.of(asked.chat_template)
    template = given.text if given else None
    if asked.results is not None:
        chosen = _chosen(asked)
        if chosen is None:
            return 1
        recipe = chosen.recipe(**_given(asked, CHECKPOINTS))
        template = template or chosen.chat_template()
        # By content: the numbers are told of these very weights.
        job = TakeHome.of(recipe, folder, shard_bytes, recipe.fingerprint(), template)
    else:
        chosen = None
        job = TakeHome.of(_recipe(asked), folder, shard_bytes, chat_template=template)
    if asked.dry_run or not asked.quiet:
        for line in job.words():
            say(line, sys.stdout if asked.dry_run else sys.stderr)
    job.check_room()
    if asked.dry_run:
        return 0
    repository = open_repository(asked.push_to_hub, asked.public) if asked.push_to_hub else None
    evaluation = Evaluation()
    if chosen is not None:
        from hm_metrics.report.evaluation import evaluation_of  # matplotlib, for who draws alone

        evaluation = evaluation_of(chosen)
    job.write(evaluation, asked.quiet)
    said = [f"Wrote {job.folder}."]
    if repository is not None:
        said.append(f"Pushed to {push(job.folder, repository)}.")
    if not asked.quiet:
        say(" ".join(said))
    return 0


def _refuse_odd(asked: argparse.Namespace) -> None:
    """Raise RecipeError for flags that do not go together."""
    from hm_models.errors import RecipeError

    def refuse(flag: str, others: Sequence[str], why: str) -> None:
        if given := [f"--{name}" for name in others if getattr(asked, name) is not None]:
            raise RecipeError(f"{flag} {why}; leave {', '.join(given)} out.")

    if asked.results is None:
        for flag, value in (("--select", asked.select), ("--anyway", asked.anyway)):
            if value:
                raise RecipeError(f"{flag} chooses among results; say which with --from FOLDER.")
    elif not asked.select:
        raise RecipeError('--from needs a rule that chooses, for example --select "pass@10".')
    else:
        refuse("--from", (*METHOD, "recipe"), "takes the merge from the results")
    if asked.recipe is not None:
        refuse("--recipe", (*METHOD, *CHECKPOINTS), "says what is merged and how")
    if asked.public and not asked.push_to_hub:
        raise RecipeError("--public says who may read it on the hub; say where with --push_to_hub.")


def _given(asked: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(asked, name)) is not None}


def _recipe(asked: argparse.Namespace) -> Merge:
    from hm_models.merge.mergekit_yaml import read_recipe
    from hm_models.merge.recipe import MergeRecipe

    if asked.recipe is not None:
        return read_recipe(asked.recipe)
    given = _given(asked, (*CHECKPOINTS, *METHOD))
    given["out_dtype"] = given.pop("dtype", None)
    if given.get("merge_dtype") == "none":
        given["merge_dtype"] = None
    return MergeRecipe(**{"base": None, "instruct": None} | given)


def _chosen(asked: argparse.Namespace) -> Chosen | None:
    """What the rule chooses; None where that is not to be written, which is said."""
    from hm_metrics.report.chosen import choose_merge

    chosen = choose_merge(asked.results, asked.select, asked.quiet)
    words = [*chosen.words]
    why = ""
    if not chosen.stands_out:
        why = "None stands out"
    elif chosen.row.point.model.is_base_or_instruct:
        why = f"{chosen.row.point.label} is one of the two checkpoints itself, and no merge"
    if why and not asked.anyway:
        words.append(f"{why}: nothing was written. --anyway writes it.")
    if words and (why or not asked.quiet):
        say("\n".join(words), sys.stderr)
    return None if why and not asked.anyway else chosen


def main() -> int:
    command = CommandLine("hm-merge", __doc__)
    add = command.add_argument
    add("--base", metavar="B", help="earlier checkpoint: a folder or a hub name")
    add("--instruct", metavar="I", help="fine-tuned checkpoint or LoRA adapter")
    add(
        "--alpha", metavar="A", help="weight of the instruct model: 0.7, or as docs/merging.md says"
    )
    add("--extrapolate", action="store_const", const=True, help="take an alpha outside [0, 1]")
    for side in ("base", "instruct"):
        add(f"--{side}_revision", metavar="R", help="branch, tag or commit on the hub")
    add("--merge_method", metavar="M", help="linear (default), or a method of mergekit")
    add("--merge_params", metavar="JSON", help="the method's other parameters")
    add("--merge_dtype", metavar="T", help="of the arithmetic (float32); none: that of the inputs")
    add("--merge_seed", metavar="N", type=int, help="for methods that draw")
    add("--recipe", metavar="FILE", type=Path, help="a mergekit YAML in place of all these")
    add(
        "--from",
        dest="results",
        metavar="FOLDER",
        type=Path,
        help="results, as hm-report takes them",
    )
    add("--select", metavar="RULE", help='"pass@10 subject to fulfillment_rate<=0.35"')
    add("--anyway", action="store_true", help="write the best by estimate where none stands out")
    add("--dtype", metavar="T", help="of what is written (the instruct model's)")
    add("--chat_template", metavar="T", help="a Jinja file or a known name (the tokenizer's own)")
    add("--max_shard_size", metavar="SIZE", default="5GB", help="of a file (5GB)")
    add("--output_path", metavar="OUT", type=Path, required=True, help="folder to write")
    add("--dry-run", action="store_true", help="say size, free disk and remarks; write nothing")
    add("--push_to_hub", metavar="NAME", help="upload it too, into a private repository")
    add("--public", action="store_true", help="into a public one")
    return command.main(run)


if __name__ == "__main__":
    sys.exit(main())
