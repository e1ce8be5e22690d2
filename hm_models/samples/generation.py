"""Generation settings as tasks, YAML and `--gen_kwargs` give them, checked in one place.

    >>> checked({"until": "STOP", "temperature": 0.7})
    {'until': ['STOP'], 'temperature': 0.7}
    >>> cut_text("<think>2 + 2</think> 4;Q: more", [";"], "</think>")
    '4'

What sampling cannot honour is refused before an engine starts, with what to write instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hm_models.errors import RecipeError

# How long an answer may be; the harness takes the first of them and drops the rest.
LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_SAMPLES = (
    "This project's tasks take the number of samples from --metadata '{{\"n_samples\": {n}}}', other "
    "tasks from `repeats` in their YAML."
)
# Names that only say what is done anyway, with that value.
_HARMLESS: dict[str, Any] = {
    **dict.fromkeys(("num_beams", "num_return_sequences", "n", "best_of", "num_beam_groups"), 1),
    **dict.fromkeys(("use_beam_search", "early_stopping", "penalty_alpha"), False),
}
_REFUSED = {
    "num_beams": "samples are drawn one by one, each with its own seed, never searched with beams. "
    "Leave it out; do_sample=false, or temperature=0, takes the likeliest token at each step.",
    "num_return_sequences": "each sample is a request of its own. {samples}",
    "verbalized": "it is a setting of the task: --metadata '{{\"verbalized\": {value}}}'.",
    "max_length": "it would count the prompt, too. Write max_gen_toks={value}, which counts the "
    "answer's tokens alone.",
}
_REFUSED |= {
    **dict.fromkeys(("n", "best_of"), _REFUSED["num_return_sequences"]),
    **dict.fromkeys(
        ("num_beam_groups", "use_beam_search", "early_stopping", "penalty_alpha"),
        _REFUSED["num_beams"],
    ),
    **dict.fromkeys(
        ("stop", "stop_strings", "stop_sequences"),
        "stop strings are called until here: write until={value}.",
    ),
}


def checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with `until` as a list of texts, and without what says nothing.

    Raises:
        RecipeError: a setting that cannot be honoured; says which, and what to write instead.
    """
    kept = {}
    for name, value in settings.items():
        if name in _REFUSED and (value is None or value == _HARMLESS.get(name)):
            continue
        if name in _REFUSED:
            samples = _SAMPLES.format(n=value)
            raise RecipeError(
                f"{name}={value!r} among the sampling parameters (--gen_kwargs): "
                f"{_REFUSED[name].format(value=value, samples=samples)}"
            )
        kept[name] = value
    _check_length(kept)
    if "until" in kept:
        kept["until"] = stop_strings(kept)
    return kept


def stop_strings(settings: Mapping[str, Any]) -> list[str]:
    """The stop strings: one text or a list of texts; empty ones stop nothing and are left out.

    Raises:
        RecipeError: something else.
    """
    until = settings.get("until")
    listed = list(until) if isinstance(until, (list, tuple)) else [] if until is None else [until]
    for stop in listed:
        if not isinstance(stop, str):
            right = f'--gen_kwargs \'{{"until": ["{stop}"]}}\''
            raise RecipeError(
                f"until={until!r} among the sampling parameters (--gen_kwargs): {stop!r} is no text, "
                f"which stops nothing. Write it in quotes: {right}."
            )
    return [stop for stop in listed if stop]


def cut_text(text: str, until: Iterable[str], think_end: str | None = None) -> str:
    """What is left of a text before the first stop string, and behind the last end of a thought.

    The harness's own function takes thoughts out first in 0.4.13, and last in 0.5.0.dev1, where stop strings
    within a thought cut it.
    """
    if think_end:
        text = text.rpartition(think_end)[2].lstrip()
    for stop in filter(None, until):
        text = text.partition(stop)[0]
    return text


def _check_length(settings: Mapping[str, Any]) -> None:
    lengths = {n: settings[n] for n in LENGTHS[1:] if settings.get(n) is not None}
    if settings.get("max_gen_toks") is not None and lengths:
        name, value = next(iter(lengths.items()))
        raise RecipeError(
            f"{name}={value!r} among the sampling parameters (--gen_kwargs): the task's max_gen_toks="
            f"{settings['max_gen_toks']!r} would win. Write max_gen_toks={value}."
        )
