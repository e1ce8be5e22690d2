"""Points: what was evaluated, with all its tasks, in the order and by the names of a report.

    points = join(find_runs(paths).runs)

A point is a model (family, method, alpha, what else it was told) with a sampler. Its tasks may lie in
several files. Of a sampler it has the temperature, and those parameters that some task of the family was run
with at several values.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from hm_metrics.logs.models import BASE, INSTRUCT, Model, digest_of
from hm_metrics.logs.results import TaskRun
from hm_metrics.report.samplers import differing, order, told
from hm_metrics.report.stages import in_order, staged
from hm_models.samples.sampler import TEMPERATURE, Sampler
from hm_models.shown.escaping import one_line


@dataclasses.dataclass(frozen=True)
class ReportPoint:
    """One row of a report.

    Attributes:
        family: unique for a pair of checkpoints, or another model.
        label: within the family.
        sampler: of the task that was sampled; None if none was.
        runs: by task.
    """

    family: str
    label: str
    model: Model
    sampler: Sampler | None
    runs: dict[str, TaskRun]

    @property
    def temperature(self) -> float | None:
        return self.sampler.get(TEMPERATURE) if self.sampler else None

    @property
    def id(self) -> str:
        return f"{self.family}: {self.label}"


def join(runs: Sequence[TaskRun]) -> list[ReportPoint]:
    """The points of runs, by family in order of appearance, then sampler, method and alpha."""
    models = staged(run.model for run in runs)
    runs = [dataclasses.replace(run, model=models[run.model]) for run in runs]
    stages = ["", *in_order(model.stage for model in models.values() if model.stage)]
    families = _families(runs)
    varied = _varied(runs, families)
    samplers = {
        id(run): run.sampler and run.sampler.only(varied[families[run.model]]) for run in runs
    }
    drafts: list[tuple[Model, Sampler | None, dict[str, TaskRun], str]] = []
    of_model: dict[Model, list[TaskRun]] = defaultdict(list)
    for run in runs:
        of_model[run.model].append(run)
    for model, found in of_model.items():
        for sampler, group in _by_sampler(found, samplers).items():
            first, *more = _without_repeats(group)
            drafts.append((model, sampler, first, ""))
            drafts += [(model, sampler, extra, _folder(extra)) for extra in more]
    ranks = list(dict.fromkeys(families.values()))
    drafts.sort(
        key=lambda draft: _rank(draft[0], draft[1], ranks.index(families[draft[0]]), stages)
    )
    labels = _labels(drafts, families)
    return [
        ReportPoint(families[model], label, model, sampler, tasks)
        for (model, sampler, tasks, _), label in zip(drafts, labels, strict=True)
    ]


def _families(runs: Iterable[TaskRun]) -> dict[Model, str]:
    """Each model's family; those of one name are told apart by folders, else by their content."""
    names: dict[Model, str] = {run.model: run.model.family for run in runs}
    for longer in (_with_folders, lambda m: f"{m.family} ({digest_of(m.identity)})"):
        identities = defaultdict(set)
        for model, name in names.items():
            identities[name].add(model.identity)
        names = {
            model: longer(model) if len(identities[name]) > 1 else name
            for model, name in names.items()
        }
    return names


def _with_folders(model: Model) -> str:
    """Of a model that is no merge: with the kind of model that the harness knows it by."""
    if model.stage is not None:
        return model.family
    if not model.base:
        kind = model.identity.partition(" ")[0]
        return f"{model.family} ({kind})" if kind else model.family
    shown = ["/".join(PurePath(name).parts[-2:]) for name in (model.base, model.instruct)]
    return " → ".join(one_line(name) for name in shown)


def _varied(runs: Sequence[TaskRun], families: dict[Model, str]) -> dict[str, set[str]]:
    """By family, the parameters that one task was run with at several values; the temperature always."""
    asked: dict[tuple[str, str], set[Sampler]] = defaultdict(set)
    for run in runs:
        if run.sampler is not None:
            asked[families[run.model], run.task].add(run.sampler)
    found: dict[str, set[str]] = {family: {TEMPERATURE} for family in families.values()}
    for (family, _), samplers in asked.items():
        found[family].update(differing(samplers))
    return found


def _by_sampler(
    runs: list[TaskRun], samplers: dict[int, Sampler | None]
) -> dict[Sampler | None, list[TaskRun]]:
    """Runs of a model that belong together; all do where each task has one sampler alone."""
    of_task: dict[str, set[Sampler | None]] = defaultdict(set)
    for run in runs:
        of_task[run.task].add(samplers[id(run)])
    known = [sampler for run in runs if (sampler := samplers[id(run)]) is not None]
    if all(len(found) == 1 for found in of_task.values()):
        drawn = [sampler for sampler in known if sampler.get(TEMPERATURE) != 0] or known
        return {drawn[0] if drawn else None: runs}
    groups: dict[Sampler | None, list[TaskRun]] = {
        sampler: [] for sampler in sorted(set(known), key=order)
    }
    for run in runs:
        beside = [s for r in runs if r.file == run.file and (s := samplers[id(r)]) is not None]
        fallback = beside[0] if beside else next(iter(groups))
        groups[samplers[id(run)] or fallback].append(run)
    return {sampler: found for sampler, found in groups.items() if found}


def _without_repeats(runs: list[TaskRun]) -> list[dict[str, TaskRun]]:
    """Each task's run of most questions, the latest of those; and a dict for each folder with more."""
    first: dict[str, TaskRun] = {}
    for run in sorted(runs, key=lambda run: (run.facts["questions"] or 0, run.date)):
        first[run.task] = run
    more: dict[PurePath, dict[str, TaskRun]] = defaultdict(dict)
    for run in runs:
        if first[run.task] is not run:
            more[run.file.parent][run.task] = run
    return [first, *more.values()]


def _folder(tasks: dict[str, TaskRun]) -> str:
    return "/".join(next(iter(tasks.values())).file.parent.parts[-2:])


def _rank(model: Model, sampler: Sampler | None, family: int, stages: Sequence[str]) -> tuple:
    number = model.number
    return (
        family,
        order(sampler),
        stages.index(model.stage) if model.stage else len(stages) if model.stage == "" else 0,
        _place(model),
        "" if model.is_base_or_instruct else model.method,
        2.0 if number is None else number,
        model.alpha,
        model.arguments,
    )


def _place(model: Model) -> int:
    """Below the base, the base, merges, the instruct model, beyond it."""
    number = model.number
    if number is None or BASE < number < INSTRUCT:
        return 2
    return {BASE: 1, INSTRUCT: 3}.get(number, 0 if number < BASE else 4)


def _labels(
    drafts: Sequence[tuple[Model, Sampler | None, dict[str, TaskRun], str]],
    families: dict[Model, str],
) -> list[str]:
    """Unique within a family; what differs between its models is named, and the folder at last."""
    methods, samplers = defaultdict(set), defaultdict(set)
    arguments: dict[str, list[dict[str, str]]] = defaultdict(list)
    for model, sampler, _, _ in drafts:
        if not model.is_base_or_instruct:
            methods[families[model]].add(model.method)
        samplers[families[model]].add(sampler or Sampler())
        arguments[families[model]].append(dict(model.arguments))
    labels: list[str] = []
    taken: set[tuple[str, str]] = set()
    for model, sampler, _, folder in drafts:
        family = families[model]
        parts = [model.label, *_differing(dict(model.arguments), arguments[family])]
        if len(parts) > 1 and not model.method:  # its arguments say more than "as it is"
            del parts[0]
        if model.stage:
            parts.insert(0, model.stage)
        if len(methods[family]) > 1 and not model.is_base_or_instruct and model.method not in parts:
            parts.append(model.method)
        parts += told(sampler, differing(samplers[family]))
        label = ", ".join(parts) + (f" in {folder}" if folder else "")
        number = 2
        while (family, label) in taken:
            label = f"{label.removesuffix(f' ({number - 1})')} ({number})"
            number += 1
        taken.add((family, label))
        labels.append(label)
    return labels


def _differing(ours: dict[str, str], every: Sequence[dict[str, str]]) -> list[str]:
    """Those arguments that are not the same in all, as `peft=adapterA`."""
    return [
        f"{name}={value}"
        for name, value in ours.items()
        if any(other.get(name) != value for other in every)
    ]
