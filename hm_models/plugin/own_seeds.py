"""A seed for each sample, where the harness's own models would draw several samples with one.

The harness sends one seed with every request to an endpoint (`local-completions` and its kin). One
that honours it, as vLLM's does, gives n copies where n samples of one request are asked for. The
replicas of `vllm` with `data_parallel_size` above 1 start from one seed, too. Here the i-th sample of
each request has the model's seed plus i: the first is asked as before, as is a request that is alone.

Seeds do not differ from question to question, as the harness sends requests of one seed together.

Harness: 0.4.13 and 0.5.0.dev1.
Unnecessary: once repeats of a request are told apart
(proposed for its cache: github.com/EleutherAI/lm-evaluation-harness/pull/3715).
"""

from __future__ import annotations

import copy
import functools
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from lm_eval.api.instance import Instance

logger = logging.getLogger(__name__)


def change(module: Any) -> None:
    """Let a model class of the harness draw each sample of a request with a seed of its own."""
    if module.__name__ == "lm_eval.models.api_models":
        _give_own_seeds(module.TemplateAPI, seed_of_endpoint)
    else:
        _give_own_seeds(module.VLLM, seed_of_replicas)


def _give_own_seeds(model_class: Any, seed_of: Callable[[Any], int | None]) -> None:
    # `seed_of`: the seed that a model would draw all of them with; None where it does not.
    plain = model_class.generate_until

    @functools.wraps(plain)
    def generate_until(self: Any, requests: Sequence[Instance], *args: Any, **kwargs: Any) -> Any:
        seed = seed_of(self)
        return plain(self, requests if seed is None else apart(requests, seed), *args, **kwargs)

    model_class.generate_until = generate_until


def seed_of_endpoint(model: Any) -> int | None:
    """The seed in what a `TemplateAPI` sends; some endpoints know none."""
    turns = [{"role": "user", "type": "text", "content": ""}]  # as the harness makes them
    payload = model._create_payload(turns, generate=True, gen_kwargs={}, seed=model._seed)
    return model._seed if "seed" in payload else None


def seed_of_replicas(model: Any) -> int | None:
    """The seed that each replica of a `VLLM` begins with, where there are several."""
    return int(model.model_args["seed"]) if model.data_parallel_size > 1 else None


def apart(requests: Sequence[Instance], seed: int) -> list[Instance]:
    """The requests in their order; those that stand there several times with a seed for each time."""
    times = Counter(map(id, requests))
    seen: Counter[int] = Counter()
    found = []
    for request in requests:
        nth = seen[id(request)]
        seen[id(request)] += 1
        prompt, gen_kwargs, *rest = request.args
        # Endpoints are asked at temperature 0 unless one is given.
        if nth and float(gen_kwargs.get("temperature") or 0) > 0:
            own = gen_kwargs | {"seed": int(gen_kwargs.get("seed", seed)) + nth}
            request = copy.copy(request)
            request.arguments = (prompt, own, *rest)
        found.append(request)
    if (most := max(times.values(), default=1)) > 1:
        logger.info(
            "hm-merged: the %d samples of a request are asked with the seeds from %d on", most, seed
        )
    return found
