"""A seed for each sample that the harness's endpoint models (`local-completions` and its kin) ask for.

The harness sends one seed with every request. An endpoint that honours it, as vLLM's does, then gives
n copies where n samples of one request are asked for. Here the i-th sample of each request has the
model's seed plus i: the first is asked as before, and one request alone is asked as before.

Seeds do not differ from question to question, as the harness sends requests of one seed together.
"""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from lm_eval.api.instance import Instance

logger = logging.getLogger(__name__)


def give_own_seeds(model_class: Any) -> None:
    """Let a class of the harness's endpoint models (`TemplateAPI`) give each sample its own seed."""
    plain = model_class.generate_until

    @functools.wraps(plain)
    def generate_until(self: Any, requests: Sequence[Instance], *args: Any, **kwargs: Any) -> Any:
        seeds = sends_seeds(self)
        return plain(self, apart(requests, self._seed) if seeds else requests, *args, **kwargs)

    model_class.generate_until = generate_until


def sends_seeds(model: Any) -> bool:
    """Whether what the model sends has a seed in it; some endpoints know none."""
    turns = [{"role": "user", "content": ""}]
    payload = model._create_payload(turns, generate=True, gen_kwargs={}, seed=model._seed)
    return "seed" in payload


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
            request = Instance(request.request_type, request.doc, (prompt, own, *rest), request.idx)
        found.append(request)
    if (most := max(times.values(), default=1)) > 1:
        logger.info(
            "hm-merged: the %d samples of a request are asked with the seeds from %d on", most, seed
        )
    return found
