"""A sampler: the parameters that shape how tokens are drawn, checked and named.

    >>> sampler = Sampler.of({"min_p": 0.1, "temperature": 1.2})
    >>> sampler.name, str(sampler)
    ('temperature1.2--min_p0.1', 'temperature 1.2, min_p 0.1')
    >>> Sampler.of({"top_q": 0.9})
    Traceback (most recent call last):
    hm_models.errors.RecipeError: top_q is no parameter of sampling. Did you mean top_p? Known: temperature, ...

What a sampler does not name is left to the task.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Container, Mapping
from typing import Any

from hm_models.errors import RecipeError, did_you_mean
from hm_models.samples.generation import LENGTHS

TEMPERATURE = "temperature"
TOP_N_SIGMA = "top_n_sigma"
REPETITION_PENALTY = "repetition_penalty"
VERBALIZED = "verbalized"  # of a task, not of an engine: answers that a call is asked for


@dataclasses.dataclass(frozen=True)
class Range:
    """The values of a parameter.

    Attributes:
        words: what they are, for people.
        low, high: borders, part of it unless `above_low`.
        neutral: the values that shape nothing.
    """

    words: str
    low: float
    high: float = math.inf
    above_low: bool = False
    whole: bool = False
    neutral: tuple[float, ...] = ()

    def holds(self, value: object) -> bool:
        """Whether it is one of them; true and false are no numbers."""
        kinds = (int,) if self.whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
            return False
        return self.low <= value <= self.high and not (self.above_low and value == self.low)


# In the order in which they are named.
PARAMETERS = {
    TEMPERATURE: Range("a number from 0 up; 0 draws nothing", 0),
    "top_p": Range("a number above 0, 1 at most", 0, 1, above_low=True, neutral=(1,)),
    "top_k": Range("a whole number; 0 (or -1) keeps all tokens", -1, whole=True, neutral=(0, -1)),
    "min_p": Range("a number from 0 to 1", 0, 1, neutral=(0,)),
    "typical_p": Range("a number above 0, 1 at most", 0, 1, above_low=True, neutral=(1,)),
    REPETITION_PENALTY: Range("a number above 0", 0, above_low=True, neutral=(1,)),
    TOP_N_SIGMA: Range("a number above 0", 0, above_low=True),
    VERBALIZED: Range("a whole number, 2 at least", 2, whole=True),
}
# Of these alone greedy decoding takes notice.
WHEN_GREEDY = (TEMPERATURE, REPETITION_PENALTY, VERBALIZED)
# Among sampling parameters (`--gen_kwargs`): whether tokens are drawn and when an answer ends, not how.
NOT_OF_SAMPLER = ("do_sample", "until", *LENGTHS)


def check_value(name: str, value: object) -> None:
    """Raise RecipeError for a value that a parameter of sampling cannot have."""
    if not PARAMETERS[name].holds(value):
        raise RecipeError(
            f"{name}={value!r} among the sampling parameters: expected {PARAMETERS[name].words}."
        )


@dataclasses.dataclass(frozen=True)
class Sampler:
    """Parameters of sampling; without any it is the task's own.

    Attributes:
        parameters: names and values, in the order of `PARAMETERS`.
    """

    parameters: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def logged(cls, settings: Mapping[str, Any]) -> Sampler:
        """Of a run that is done, by any model: what its sampling parameters say, but for what shapes nothing.

        >>> str(Sampler.logged({"do_sample": True, "temperature": 0.7, "top_p": 1.0, "presence_penalty": 0.5}))
        'temperature 0.7, presence_penalty 0.5'
        >>> str(Sampler.logged({"until": ["x"], "temperature": 0.7, "do_sample": False, "top_p": 0.9}))
        'temperature 0'
        """
        said = {
            name: settings[name]
            for name in (*PARAMETERS, *sorted(settings.keys() - PARAMETERS.keys()))
            if settings.get(name) is not None and name not in NOT_OF_SAMPLER
        }
        if not settings.get("do_sample", TEMPERATURE in settings) or said.get(TEMPERATURE) == 0:
            said = {
                n: value for n, value in said.items() if n in WHEN_GREEDY or n not in PARAMETERS
            }
            said = {TEMPERATURE: 0.0} | {n: v for n, v in said.items() if n != TEMPERATURE}
        elif TEMPERATURE not in settings:
            said = {TEMPERATURE: 1.0} | said  # what every backend takes
        return cls(
            tuple(
                (name, value if isinstance(value, (int, float)) else json.dumps(value, default=str))
                for name, value in said.items()
                if name not in PARAMETERS or value not in PARAMETERS[name].neutral
            )
        )

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Sampler:
        """From names and numbers.

        Raises:
            RecipeError: a name that is not known (the nearest is named), a value that it cannot have, or one
                that changes nothing, as temperature 0 draws nothing.
        """
        for name, value in given.items():
            if name not in PARAMETERS:
                raise RecipeError(
                    f"{name} is no parameter of sampling.{did_you_mean(name, PARAMETERS)} "
                    f"Known: {', '.join(PARAMETERS)}."
                )
            check_value(name, value)
        idle = [name for name in given if name not in WHEN_GREEDY]
        if idle and given.get(TEMPERATURE) == 0:
            raise RecipeError(
                f"temperature=0 draws nothing, so that {' and '.join(idle)} beside it would change nothing. "
                "Leave it out, or give a temperature above 0."
            )
        known = {name: given[name] for name in PARAMETERS if name in given}
        return cls(
            tuple(
                (name, value if PARAMETERS[name].whole else float(value))
                for name, value in known.items()
            )
        )

    def get(self, name: str) -> Any:
        """The value of a parameter; None where it is not named."""
        return dict(self.parameters).get(name)

    def only(self, names: Container[str]) -> Sampler:
        """The same with these parameters alone."""
        return Sampler(tuple((name, value) for name, value in self.parameters if name in names))

    @property
    def needs_draws(self) -> bool:
        """Whether it changes nothing of a task that is greedy by itself."""
        names = {name for name, _ in self.parameters}
        return bool(names) and not names & set(WHEN_GREEDY)

    @property
    def name(self) -> str:
        """Of a folder: `temperature0.7--top_p0.95`; empty for the task's own."""
        return "--".join(f"{name}{short(value)}" for name, value in self.parameters)

    def __str__(self) -> str:
        return ", ".join(f"{name} {short(value)}" for name, value in self.parameters)

    def gen_kwargs(self) -> dict[str, Any]:
        """As `--gen_kwargs`: with a temperature it says whether tokens are drawn.

        A task that is greedy by itself passes over a temperature, and transformers refuses one of 0.
        """
        given: dict[str, Any] = dict(self.parameters)
        given.pop(VERBALIZED, None)
        return given | ({"do_sample": given[TEMPERATURE] > 0} if TEMPERATURE in given else {})

    def metadata(self) -> dict[str, Any]:
        """As `--metadata`: what it asks of the task."""
        return dict(self.only([VERBALIZED]).parameters)


def short(value: Any) -> str:
    """As short as it is still that number; what is none, as it is.

    >>> short(0.70), short(1.0), short(0.12345678), short("x")
    ('0.7', '1', '0.12345678', 'x')
    """
    if not isinstance(value, (int, float)):
        return str(value)
    rounded = f"{value:g}"
    return rounded if float(rounded) == value else repr(value)
