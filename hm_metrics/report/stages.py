"""Stages of one training run among models: bases that have one instruct model in common.

    models = staged(models)      # each as it was, or with its stage, in one family

At alpha 1 all stages are one model, which is then one row, and what the rows of each stage are compared with.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePath

from hm_metrics.logs.models import INSTRUCT, Model
from hm_models.checkpoints.stages import stage_names, stage_order
from hm_models.shown.escaping import one_line


def staged(models: Iterable[Model]) -> dict[Model, Model]:
    """Each model, and what it is among the others."""
    found = {model: model for model in models}
    of_instruct: dict[str, list[Model]] = defaultdict(list)
    for model in found:
        if model.base:
            of_instruct[model.identities[1]].append(model)
    for identity, group in of_instruct.items():
        if len({model.identities[0] for model in group}) > 1:
            found |= _stages(identity, group)
    return found


def in_order(stages: Iterable[str]) -> list[str]:
    """Stages from the earliest on."""
    return sorted(set(stages), key=stage_order)


def _stages(instruct: str, group: list[Model]) -> Mapping[Model, Model]:
    """A group of models with one instruct model, as one family."""
    bases = {m.identities[0]: m for m in group if m.number != INSTRUCT}
    names = _names(bases) if len(bases) > 1 else dict.fromkeys(bases, None)
    family = _family(list(bases.values()) or group)
    return {
        model: dataclasses.replace(
            model,
            family=family,
            identity=instruct,
            stage=names.get(model.identities[0]) if model.number != INSTRUCT else _common(names),
        )
        for model in group
    }


def _common(names: Mapping[str, str | None]) -> str | None:
    return "" if len(names) > 1 else None


def _names(bases: Mapping[str, Model]) -> dict[str, str | None]:
    """Of each base, by its identity."""
    places = {model.base for model in bases.values()}
    called = [m.base_revision if len(places) == 1 else m.base for m in bases.values()]
    try:
        found = stage_names(called)
    except ValueError:  # one path with other content: which is which, its identity tells
        found = [f"{one_line(m.base)} {identity[:8]}" for identity, m in bases.items()]
    return dict(zip(bases, map(one_line, found), strict=True))


def _family(bases: list[Model]) -> str:
    """By the folder that all stages lie in, where there is one, else by their number."""
    if len({model.family for model in bases}) == 1:
        return bases[0].family
    instruct = bases[0].family.partition(" → ")[2]
    folders = {PurePath(model.base).parent for model in bases}
    name = folders.pop().name if len(folders) == 1 else ""
    return f"{one_line(name) or f'{len(bases)} bases'} → {instruct}"
