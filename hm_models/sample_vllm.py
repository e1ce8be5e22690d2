"""Samples from vLLM, each taken out of the engine as it finishes.

Every sample is a request with a seed of its own. Copies of a prompt share its prefill through the
engine's prefix cache, so that n requests cost what one request with `n` does, and come back one by one.
What is asked of vLLM is what the harness's `vllm` model asks (lm_eval 0.4.13, `generate_until`).
"""

from __future__ import annotations

import copy
from collections import deque
from typing import Any

import numpy as np
from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import (
    maybe_truncate,
    normalize_gen_kwargs,
    postprocess_generated_text,
)

from hm_models.sample_key import Job
from hm_models.sample_store import Answer
from hm_models.sampling import Taker
from hm_models.truncation import cut_of

TOP = 20  # log-probabilities beside the drawn token's; what vLLM's `max_logprobs` allows


def sample_vllm(lm: Any, jobs: list[Job], take: Taker) -> None:
    """Generate the answers to `jobs` on the engine of the harness's `vllm` model `lm`.

    Prompts with the most tokens go first, so that the time left is rather over- than underestimated
    and what does not fit is found at once. On any exception the engine is left without requests.
    """
    from vllm import TokensPrompt

    prompts = list(dict.fromkeys(job.prompt for job in jobs))
    tokens = dict(zip(prompts, lm.tok_encode(prompts), strict=True))
    waiting = deque(sorted(jobs, key=lambda job: -len(tokens[job.prompt])))
    flying: dict[str, tuple[Job, list[str]]] = {}
    at_once = len(jobs) if lm.batch_size == "auto" else int(lm.batch_size)
    engine = lm.model.llm_engine
    try:
        while waiting or flying:
            while waiting and len(flying) < at_once:
                job = waiting.popleft()
                ids, parameters, until = _question(lm, job, tokens[job.prompt])
                name = f"{job.key.question.hex()}-{job.key.index}"
                flying[name] = (job, until)
                prompt = TokensPrompt(prompt_token_ids=ids)
                engine.add_request(name, prompt, parameters, lora_request=lm.lora_request)
            finished = []
            for output in engine.step():
                if output.finished:
                    job, until = flying.pop(output.request_id)
                    answer = _answer(lm, job, output.outputs[0], until)
                    answer.facts.update(
                        cut_of(len(tokens[job.prompt]), len(output.prompt_token_ids))
                    )
                    finished.append((job, answer))
            if finished:
                take(finished)
    finally:
        if flying:
            engine.abort_request(list(flying))


def _question(lm: Any, job: Job, tokens: list[int]) -> tuple[list[int], Any, list[str]]:
    """Prompt tokens, sampling parameters and stop strings of one sample."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    eos = lm.tokenizer.decode(lm.eot_token_id) or getattr(lm.tokenizer, "eos_token", None)
    given = copy.deepcopy(job.gen_kwargs)  # the harness's helper adds to its list of stop strings
    kwargs, until, max_tokens = lm.modify_gen_kwargs(
        given, eos=eos, default_max_gen_toks=lm.max_gen_toks
    )
    tokens, max_tokens = maybe_truncate(
        tokens,
        max_gen_toks=max_tokens,
        max_model_len=lm.max_length,
        side=lm.truncation_side,
        verbose=True,
    )
    # As arrays: an object for each of a run's hundred million numbers would cost more than they do.
    measured: dict[str, Any] = {"logprobs": TOP, "flat_logprobs": True}
    parameters = SamplingParams(
        **kwargs,
        **(measured if _measures_tokens(job) else {}),
        max_tokens=max_tokens,
        # Within a chain of thought a task's stop strings are only text.
        stop=[text for text in until if text == eos] if lm.think_end_token else until,
        seed=job.seed,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )
    return tokens, parameters, until


def _answer(lm: Any, job: Job, output: Any, until: list[str]) -> Answer:
    text = postprocess_generated_text(output.text, until, lm.think_end_token)
    facts = {"tokens": len(output.token_ids), "ended": output.finish_reason}
    if measure := _measures_tokens(job):
        # At temperature 1 and before top-p; the drawn token first, then the likeliest.
        rows = np.array(output.logprobs.logprobs).reshape(-1, TOP + 1)
        vocabulary = lm.model.llm_engine.model_config.get_vocab_size()
        facts |= measure.of_top(rows[:, 0], rows[:, 1:], vocabulary).facts()
    return Answer(text, facts)


def _measures_tokens(job: Job) -> Any:
    """What the request has to make sums of log-probabilities; None if it wants none."""
    return getattr(job.request, "measure_tokens", None)


def sample_replicas(lm: TemplateLM, jobs: list[Job], take: Taker) -> None:
    """The same where `data_parallel_size` makes the harness start engines for each call.

    There is no engine to take single answers from, so that all of them are kept when the call returns.
    """
    from lm_eval.api.instance import Instance

    requests = []
    for job in jobs:
        seed = {} if job.seed is None else {"seed": job.seed}
        arguments = (job.prompt, copy.deepcopy(job.gen_kwargs) | seed)
        requests.append(Instance("generate_until", {}, arguments, 0))
    texts = lm.generate_until(requests)
    found: list[tuple[Job, Answer]] = []
    for job, text in zip(jobs, texts, strict=True):
        wanted = normalize_gen_kwargs(job.gen_kwargs, lm.max_gen_toks)["max_gen_toks"]
        cut = cut_of(len(lm.tok_encode(job.prompt)), lm.max_length - wanted)
        found.append((job, Answer(text, cut)))
    take(found)
