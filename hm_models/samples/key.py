"""Which answer is which: the key that a sample is kept under, and the seed that it is drawn with.

    >>> drawn = {"do_sample": True, "temperature": 0.7}
    >>> asked = Instance("generate_until", {}, ("w1 w2", drawn), idx=0, task_name="", doc_id=0)
    >>> first, second = jobs_of([asked, asked], ModelKey("a fingerprint", {}), sampling_seed=0)
    >>> first.key.question == second.key.question, first.key.index, second.key.index
    (True, 0, 1)
    >>> first.seed == second.seed
    False

A sample is the i-th answer of one model to one prompt under one set of sampling parameters. Its key
follows from just that, and its seed from the prompt and i: so neither depends on the order of requests,
on what else is asked, or on how many samples there are, and the samples of two alphas or temperatures
are drawn with common random numbers.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.models.utils import normalize_gen_kwargs

from hm_models.errors import RecipeError
from hm_models.merge.contract import Merge
from hm_models.samples.generation import checked
from hm_models.samples.machine import ABOUT_THE_MACHINE
from hm_models.samples.thinking import NO_THOUGHTS, Thinking

ROLLING = "loglikelihood_rolling"


@dataclasses.dataclass(frozen=True)
class ModelKey:
    """A model as the store knows it: a fingerprint, and the words that describe it to people."""

    fingerprint: str
    description: dict[str, Any]
    is_random: bool = False  # its greedy answers differ, too: which of two models writes is drawn
    thinking: Thinking = NO_THOUGHTS

    @classmethod
    def of(cls, recipe: Merge, backend: str, arguments: Mapping[str, Any]) -> ModelKey:
        """The key of a merge on a backend with these arguments."""
        shaping = {
            name: value for name, value in arguments.items() if name not in ABOUT_THE_MACHINE
        }
        parts = [recipe.fingerprint(), backend, {k: str(v) for k, v in sorted(shaping.items())}]
        return cls(
            hashlib.sha256(json.dumps(parts).encode()).hexdigest(),
            recipe.to_dict() | {"backend": backend, "arguments": parts[2]},
            recipe.schedule is not None and recipe.schedule.is_random,
        )


@dataclasses.dataclass(frozen=True)
class SampleKey:
    """The place of one answer in the store: 16 bytes for what was asked, and which sample it is."""

    question: bytes
    index: int


@dataclasses.dataclass(frozen=True)
class Job:
    """One answer that is asked for.

    Attributes:
        key: where it is kept.
        request: the harness's request; `nth` of its samples.
        prompt, gen_kwargs: what is asked, the latter as the harness gave it.
        seed: what it is drawn with; None where nothing is drawn.
    """

    key: SampleKey
    request: Instance
    nth: int
    prompt: str
    gen_kwargs: dict[str, Any]
    seed: int | None


def jobs_of(requests: Sequence[Instance], model: ModelKey, sampling_seed: int) -> list[Job]:
    """One job for each request, in order; a request that stands there n times asks for n samples.

    Two documents of a task with one and the same prompt get samples of their own. Greedy answers are
    all the same one, unless the model itself draws.

    Raises:
        RecipeError: a sampling parameter that cannot be honoured (`hm_models.samples.generation`), or a `seed`,
            which would make all samples equal.
    """
    asked = {id(request): request for request in requests}
    copies: Counter[tuple] = Counter()
    bodies: dict[int, tuple[str, bool, int]] = {}
    for request in sorted(asked.values(), key=lambda r: (r.task_name or "", r.doc_id or 0, r.idx)):
        prompt, gen_kwargs = request.args
        samples = model.is_random or is_sampled(gen_kwargs)
        if samples and "seed" in gen_kwargs:
            raise RecipeError(
                f"seed={gen_kwargs['seed']} among the sampling parameters (--gen_kwargs) would make "
                "all samples of a problem equal. Use --model_args sampling_seed=... instead."
            )
        body = _canonical([prompt, gen_kwargs])
        copy = copies[request.task_name, body] if samples else 0
        copies[request.task_name, body] += 1
        bodies[id(request)] = (body, samples, copy)
    counts: Counter[int] = Counter()
    jobs = []
    for request in requests:
        nth = counts[id(request)]
        counts[id(request)] += 1
        body, samples, copy = bodies[id(request)]
        asked_for = [sampling_seed, copy] if samples else []
        # Such answers were once cut by stop strings within a thought: those are not found again.
        kind = "thoughtful" if model.thinking.may_think(request.args[0]) else "generate_until"
        question = _digest([model.fingerprint, kind, body, *asked_for])
        index = nth if samples else 0
        seed = _seed([request.args[0], *asked_for, index]) if samples else None
        key = SampleKey(question, index)
        jobs.append(Job(key, request, nth, request.args[0], checked(request.args[1]), seed))
    return jobs


def question_of(kind: str, arguments: Sequence[Any], model: ModelKey) -> SampleKey:
    """The key of a request that has one answer, such as a log-likelihood."""
    # Harness 0.5 puts an empty context before the text of a rolling one.
    asked = list(arguments[-1:] if kind == ROLLING else arguments)
    return SampleKey(_digest([model.fingerprint, kind, _canonical(asked)]), 0)


def same_again(recipe: Merge, arguments: Mapping[str, Any]) -> str:
    """What holds if the same samples are drawn again in other company: `exact` or `up to rounding`.

    The seeds are the same. But in 16 bits a token's probability depends a little on what else is in
    its batch, unless vLLM is told to be batch-invariant.
    """
    dtype = arguments.get("dtype", "auto")
    if dtype == "auto":
        config = recipe.tokenizer_source.config
        dtype = recipe.out_dtype or config.get("dtype") or config.get("torch_dtype")
    invariant = os.environ.get("VLLM_BATCH_INVARIANT") == "1"
    return "exact" if invariant or str(dtype) in ("float32", "float") else "up to rounding"


def is_sampled(gen_kwargs: Mapping[str, Any]) -> bool:
    """Whether tokens are drawn, by what the harness makes of these parameters."""
    normalised = normalize_gen_kwargs(dict(gen_kwargs))
    return bool(normalised["do_sample"]) and float(normalised.get("temperature") or 0) > 0


def _canonical(content: object) -> str:
    return json.dumps(content, sort_keys=True, default=str)


def _digest(parts: list) -> bytes:
    return hashlib.sha256(json.dumps(parts).encode()).digest()[:16]


def _seed(parts: list) -> int:
    # 63 bits: what every generator takes as a seed without a sign.
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()[:8], "big") >> 1
