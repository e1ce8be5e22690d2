"""Look after the samples that are kept: what there is, what a run would reuse, export, remove.

    hm-cache list
    hm-cache plan --model_args base=B,instruct=I,alpha=0.7 --tasks mbppplus_passk
    hm-cache export FINGERPRINT > samples.jsonl
    hm-cache remove FINGERPRINT

FINGERPRINT is the beginning of one, as `list` shows it. Without --file it is the file under HM_CACHE; a
run with `lm_eval --use_cache PATH` keeps its samples in PATH_rank0.db.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hm_models.commands.command_line import CommandLine
from hm_models.errors import UsageError, did_you_mean
from hm_models.shown.screen import say

if TYPE_CHECKING:
    from hm_models.samples.store import Holding, SampleStore

USUAL = {"merge_method": "linear", "merge_dtype": "float32", "merge_seed": 0, "extrapolate": False}


def find(store: SampleStore, beginning: str) -> str:
    """The one stored model whose fingerprint begins so."""
    known = {holding.fingerprint for holding in store.holdings()}
    fitting = [fingerprint for fingerprint in known if fingerprint.startswith(beginning)]
    if len(fitting) != 1:
        raise UsageError(
            f"{beginning!r} is the beginning of {len(fitting)} stored models' fingerprints; "
            "`hm-cache list` shows them."
        )
    return fitting[0]


def describe(holding: Holding) -> str:
    """base, instruct and alpha, or all models of a recipe, and what else is not as usual."""
    model = holding.description
    if "models" in model:
        shown = ["+".join(Path(one["model"]).name for one in model["models"])]
    else:
        shown = [Path(model["base"]).name, Path(model["instruct"]).name, f"alpha={model['alpha']}"]
    for name, value in {**model, **model.get("arguments", {})}.items():
        named = name in ("models", "base", "instruct", "alpha", "arguments")
        if not named and value not in (None, {}, USUAL.get(name)):
            shown.append(f"{name}={value}")
    return " ".join(shown)


def show(store: SampleStore) -> None:
    """One line for each model and task."""
    holdings = store.holdings()
    say(f"{'model':<14}{'task':<24}{'answers':>9}{'text':>11}  {'last':<17}what it is")
    for holding in holdings:
        last = time.strftime("%Y-%m-%d %H:%M", time.localtime(holding.last))
        size = f"{holding.size / 1e6:.1f} MB"
        say(
            f"{holding.fingerprint[:12]:<14}{holding.task:<24}{holding.answers:>9}{size:>11}  "
            f"{last:<17}{describe(holding)}"
        )
    on_disk = store.path.stat().st_size / 1e6
    say(f"{sum(h.answers for h in holdings)} answers, {on_disk:.1f} MB in {store.path}")


def plan(asked: argparse.Namespace) -> None:
    """How much of a run is there already; the requests are built as the harness builds them."""
    from lm_eval.tasks import TaskManager
    from lm_eval.utils import simple_parse_args_string

    from hm_models.merged import HindsightMerged
    from hm_models.plugin.contracts import MeetsModel

    model_args = simple_parse_args_string(asked.model_args)
    try:
        metadata = model_args | json.loads(asked.metadata or "{}")
    except (TypeError, ValueError):
        raise UsageError(f"--metadata {asked.metadata}: expected a mapping as JSON.") from None
    manager, tasks = TaskManager(metadata=metadata), asked.tasks.split(",")
    for unknown in set(tasks) - set(manager.all_tasks):
        hint = did_you_mean(unknown, manager.all_tasks)
        raise UsageError(f"--tasks: {unknown} is no task.{hint} `lm_eval ls tasks` shows all.")
    lm = HindsightMerged(**model_args)
    if asked.file:
        lm.keep_samples_in(asked.file)
    for name, task in manager.load(tasks)["tasks"].items():
        if asked.gen_kwargs:
            given = simple_parse_args_string(asked.gen_kwargs)
            task.set_config(key="generation_kwargs", value=given, update=True)
        if isinstance(task, MeetsModel):
            task.meet(lm)
        task.build_all_requests(limit=asked.limit)
        requests = [r for r in task.instances for _ in range(r.repeats)]
        known = lm.known(requests)
        left = len(requests) - known
        say(f"{name}: {known} of {len(requests)} answers are kept, {left} to generate")


def run(asked: argparse.Namespace) -> int:
    from hm_models.files.places import samples_file
    from hm_models.samples.store import SampleStore

    if asked.action == "plan":
        plan(asked)
        return 0
    file = asked.file or samples_file()
    if not file.exists():
        raise UsageError(f"{file} does not exist: no samples are kept there.")
    with SampleStore(file) as store:
        if asked.action == "list":
            show(store)
        elif asked.action == "export":
            for row in store.rows_of(find(store, asked.fingerprint)):
                say(json.dumps(row))
        else:
            removed = store.remove(find(store, asked.fingerprint))
            if not asked.quiet:
                say(f"removed {removed} answers")
    return 0


def main() -> int:
    command = CommandLine("hm-cache", __doc__)
    command.add_argument("--file", type=Path, help="the file of samples (the one under HM_CACHE)")
    actions = command.add_subparsers(
        dest="action", required=True, parser_class=argparse.ArgumentParser
    )
    actions.add_parser("list", help="what is kept, by model and task")
    planned = actions.add_parser("plan", help="how much a run would reuse")
    planned.add_argument("--model_args", required=True, help="as for lm_eval --model hm-merged")
    planned.add_argument("--tasks", required=True)
    for name in ("gen_kwargs", "metadata"):
        planned.add_argument(f"--{name}", help="as for lm_eval")
    planned.add_argument("--limit", type=int, help="as for lm_eval")
    for name, what in (
        ("export", "print a model's samples as JSON lines"),
        ("remove", "remove them"),
    ):
        actions.add_parser(name, help=what).add_argument("fingerprint")
    return command.main(run)


if __name__ == "__main__":
    sys.exit(main())
