"""What is asked of an inner task: how it is sampled, by which of its filters and metrics it is scored."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.task import ConfigurableTask

from hm_models.samples.generation import checked
from hm_models.samples.key import is_sampled
from hm_models.samples.sampler import VERBALIZED
from hm_models.settings import ProtocolError
from hm_tasks.any_passk.inner_scoring import chains_of
from hm_tasks.verbalized import Verbalized

logger = logging.getLogger(__name__)

# What makes a greedy task one that is sampled: the paper's.
SAMPLING = {"do_sample": True, "temperature": 0.7, "top_p": 0.95}


def sampling_of(task: ConfigurableTask) -> tuple[dict[str, Any], bool]:
    """The task's generation settings, sampled; and whether it was greedy by itself."""
    own = dict(task.config.generation_kwargs or {})
    if is_sampled(checked(own)):
        return own, False
    return {k: v for k, v in own.items() if k not in SAMPLING} | SAMPLING, True


def refuse_begun(task: ConfigurableTask, call: Verbalized | None, wrapper: str) -> None:
    """Refuse to ask a task for several answers that begins the answer itself.

    Raises:
        ProtocolError: it does.
    """
    if call is not None and task.config.gen_prefix:
        raise ProtocolError(
            f"{wrapper}: {VERBALIZED}={call.answers}: {task.config.task} begins the answer (gen_prefix), "
            "which then is one. Leave it out, or wrap a task without gen_prefix."
        )


def asked_in_calls(
    task: ConfigurableTask, call: Verbalized, gen_kwargs: Mapping[str, Any], wrapper: str
) -> tuple[Verbalized, dict[str, Any]]:
    """The same with the task's stop strings, and a call's sampling parameters; the task is told of it.

    Raises:
        ProtocolError: nothing says how long an answer may be.
    """
    told = {**(task.config.metadata or {}), VERBALIZED: call.answers}
    task.set_config("metadata", told)  # by which the harness tells apart the requests that it keeps
    return call.stopped_by(gen_kwargs), call.generation(gen_kwargs, wrapper)


def filters_of(
    task: ConfigurableTask, asked: Sequence[str] | None, wrapper: str
) -> tuple[str, ...]:
    """The filters that are asked for, of those that the task has; None asks for all.

    Args:
        wrapper: the name of the task that wraps it, for errors.

    Raises:
        ProtocolError: it has none of that name.
    """
    return _chosen(asked, list(chains_of(task)), "filters", wrapper)


def metrics_of(
    task: ConfigurableTask, asked: Sequence[str] | None, wrapper: str
) -> tuple[str, ...]:
    """The metrics likewise. Those of which less is better are left out, and named.

    The best of n samples is their largest, and an answer that could not be graded within the limits has 0.
    """
    better = task.higher_is_better()
    known = [metric for metric in task.aggregation() if better.get(metric) is not False]
    if less := [metric for metric in task.aggregation() if metric not in known]:
        logger.warning("%s: less is better of %s, which is left out.", wrapper, ", ".join(less))
    return _chosen(asked, known, "metrics", wrapper)


def _chosen(
    asked: Sequence[str] | None, known: Sequence[str], what: str, wrapper: str
) -> tuple[str, ...]:
    if unknown := [name for name in asked or () if name not in known]:
        raise ProtocolError(
            f"{wrapper}: {what}={unknown[0]!r}: the inner task has {', '.join(known) or 'none'}."
        )
    if not known:
        raise ProtocolError(f"{wrapper}: the inner task has no {what} of which more is better.")
    return tuple(asked or known)
