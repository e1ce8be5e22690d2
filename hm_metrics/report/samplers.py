"""Samplers beside one another: what differs, in what order, and in short.

>>> hot, narrow = Sampler.of({"temperature": 1.2}), Sampler.of({"temperature": 1.2, "min_p": 0.1})
>>> differing([hot, narrow]), told(narrow, ["min_p"])
(['min_p'], ['min_p=0.1'])
"""

from __future__ import annotations

from collections.abc import Collection

from hm_models.samples.sampler import TEMPERATURE, Sampler, short


def differing(samplers: Collection[Sampler]) -> list[str]:
    """The parameters that are not the same in all."""
    names = dict.fromkeys(name for sampler in samplers for name, _ in sampler.parameters)
    return [name for name in names if len({sampler.get(name) for sampler in samplers}) > 1]


def told(sampler: Sampler | None, names: Collection[str]) -> list[str]:
    """These parameters of a sampler in short: `T=1.2`, `min_p=0.1`; what it does not name is left out."""
    shown = sampler.only(names).parameters if sampler else ()
    return [f"{'T' if name == TEMPERATURE else name}={short(value)}" for name, value in shown]


def order(sampler: Sampler | None) -> tuple[float, str]:
    """By temperature, then by what else there is."""
    temperature = sampler.get(TEMPERATURE) if sampler else None
    return -1.0 if temperature is None else temperature, str(sampler or "")


def is_colder(sampler: Sampler, than: Sampler) -> bool:
    """Whether its temperature is lower, and nothing else differs."""
    return differing([sampler, than]) == [TEMPERATURE] and order(sampler) < order(than)
