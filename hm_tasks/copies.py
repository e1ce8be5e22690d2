"""n samples that are n copies of one: refused where it can be known, and said where it turns out.

A model that is asked n times with one seed, or without drawing, says one thing n times; pass@k is then
pass@1, and every similarity is 1.

>>> count(["a", "b", "a"])
1
>>> warning([["a", "b"], ["c", "c"]])
''
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hm_models.plugin.contracts import DrawsModels
from hm_models.samples.key import is_sampled
from hm_models.settings import ProtocolError

# Parameters of sampling that leave the likeliest token alone.
NO_CHOICE = {"top_k": 1, "min_p": 1}


def refuse(task: str, n_samples: int, gen_kwargs: Mapping[str, Any], model: Any) -> None:
    """Refuse sampling parameters that make n samples equal.

    Args:
        model: the harness's; None where it is not known. One that `DrawsModels` may draw
            otherwise than by its tokens.

    Raises:
        ProtocolError: they do; the message says how to mend it.
    """
    if n_samples == 1:
        return
    why = mend = ""
    if "seed" in gen_kwargs:
        why = f"have one seed for all (seed={gen_kwargs['seed']})"
        mend = (
            "Leave it out: sampling_seed=... of hm-merged's --model_args, and seed=... of the "
            "harness's models, say where seeds begin."
        )
    elif not _draws(gen_kwargs) and not _draws_models(model):
        names = ("do_sample", "temperature", *NO_CHOICE)
        given = {key: gen_kwargs[key] for key in names if key in gen_kwargs}
        why = f"draw nothing ({', '.join(f'{k}={v}' for k, v in given.items()) or 'greedy'})"
        mend = (
            'Ask once (--metadata \'{"n_samples": 1, "k": [1]}\'), or give a temperature above 0 and '
            "do_sample=true, and neither top_k=1 nor min_p=1."
        )
    if why:
        raise ProtocolError(
            f"{task} asks for {n_samples} samples of each question, but its sampling parameters "
            f"(--gen_kwargs) {why}: all {n_samples} would be copies, and pass@k would be pass@1. {mend}"
        )


def _draws_models(model: Any) -> bool:
    return isinstance(model, DrawsModels) and model.draws_when_greedy


def _draws(gen_kwargs: Mapping[str, Any]) -> bool:
    no_choice = any(gen_kwargs.get(name) == value for name, value in NO_CHOICE.items())
    return is_sampled(gen_kwargs) and not no_choice


def count(samples: Sequence[str]) -> int:
    """How many samples of a question repeat the text of another one."""
    return len(samples) - len(set(samples))


def warning(questions: Sequence[Sequence[str]]) -> str:
    """What to say of a run whose samples are copies throughout; empty where they are not."""
    several = [samples for samples in questions if len(samples) > 1]
    if not several or any(len(set(samples)) > 1 for samples in several):
        return ""
    return (
        f"all samples of a question have one and the same text, in each of {len(several)} questions: "
        "what the model or its endpoint gave are copies, so that pass@k is pass@1 and similarities "
        "are 1. Look for a fixed seed, a cache of answers, or a temperature that is not passed on."
    )
