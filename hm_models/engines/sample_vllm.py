"""Samples from vLLM, each taken out of the engine as it finishes.

Every sample is a request with a seed of its own. Copies of a prompt share its prefill through the
engine's prefix cache, so that n requests cost what one request with `n` does, and come back one by one.
What is asked of vLLM is what the harness's `vllm` model asks (lm_eval 0.4.13, `generate_until`).
"""

from __future__ import annotations

import copy
import dataclasses
from collections import deque
from typing import Any

from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import maybe_truncate, normalize_gen_kwargs

from hm_models.engines.vllm_calls import parameters, rows_of, vocabulary_size
from hm_models.samples.answer_watch import AnswerWatch
from hm_models.samples.generation import cut_text, stop_strings
from hm_models.samples.key import Job
from hm_models.samples.request import measure_of
from hm_models.samples.sampler import TOP_N_SIGMA
from hm_models.samples.sampling import Taker
from hm_models.samples.store import Answer
from hm_models.samples.thinking import Thinking
from hm_models.samples.truncation import cut_of

TOP = 20  # log-probabilities beside the drawn token's; what vLLM's `max_logprobs` allows


@dataclasses.dataclass
class _Flight:
    """One sample in the engine.

    Attributes:
        watch: of an answer that may hold a thought, which then comes token by token: vLLM's own stop
            strings know no thoughts.
        text, logprobs: of its tokens so far.
    """

    job: Job
    until: list[str]
    watch: AnswerWatch | None
    text: str = ""
    logprobs: list[Any] = dataclasses.field(default_factory=list)

    def take(self, output: Any) -> bool:
        """Take what has come; True where a stop string has ended the answer."""
        self.text += output.text
        if output.logprobs:
            self.logprobs.append(output.logprobs)
        return self.watch is not None and self.watch.add(output.token_ids)


def sample_vllm(lm: Any, jobs: list[Job], take: Taker) -> None:
    """Generate the answers to `jobs` on the engine of the harness's `vllm` model `lm`.

    Prompts with the most tokens go first, so that the time left is rather over- than underestimated
    and what does not fit is found at once. On any exception the engine is left without requests.
    """
    from vllm import TokensPrompt

    thinking = Thinking.of(lm.tokenizer, lm.think_end_token)
    prompts = list(dict.fromkeys(job.prompt for job in jobs))
    tokens = dict(zip(prompts, lm.tok_encode(prompts), strict=True))
    waiting = deque(sorted(jobs, key=lambda job: -len(tokens[job.prompt])))
    flying: dict[str, _Flight] = {}
    at_once = len(jobs) if lm.batch_size == "auto" else int(lm.batch_size)
    engine = lm.model.llm_engine
    try:
        while waiting or flying:
            while waiting and len(flying) < at_once:
                job = waiting.popleft()
                ids, settings, flight = _question(lm, thinking, job, tokens[job.prompt])
                name = f"{job.key.question.hex()}-{job.key.index}"
                flying[name] = flight
                prompt = TokensPrompt(prompt_token_ids=ids)
                engine.add_request(name, prompt, settings, lora_request=lm.lora_request)
            finished, stopped = [], []
            for output in engine.step():
                name, said = output.request_id, output.outputs[0]
                if name not in flying:  # stopped in the step before
                    continue
                stops = flying[name].take(said)
                if stops and not output.finished:
                    stopped.append(name)
                if stops or output.finished:
                    flight = flying.pop(name)
                    answer = _answer(lm, thinking, flight, said, stops)
                    asked, given = len(tokens[flight.job.prompt]), len(output.prompt_token_ids)
                    answer.facts.update(cut_of(asked, given))
                    finished.append((flight.job, answer))
            if stopped:
                engine.abort_request(stopped)
            if finished:
                take(finished)
    finally:
        if flying:
            engine.abort_request(list(flying))


def _question(
    lm: Any, thinking: Thinking, job: Job, tokens: list[int]
) -> tuple[list[int], Any, _Flight]:
    """Prompt tokens and sampling parameters of one sample."""
    from vllm.sampling_params import RequestOutputKind

    eos = lm.tokenizer.decode(lm.eot_token_id) or getattr(lm.tokenizer, "eos_token", None)
    given = _for_vllm(job.gen_kwargs)  # a copy: the harness's helper adds stop strings to it
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
    watch = None
    if thinking.may_think(job.prompt):
        watch = AnswerWatch(thinking, job.prompt, until, lambda ids: _decode(lm, ids))
        kwargs["stop_token_ids"] = [*(kwargs.get("stop_token_ids") or ()), lm.eot_token_id]
    settings = parameters(
        TOP if measure_of(job.request) else 0,
        **kwargs,
        max_tokens=max_tokens,
        stop=[] if watch else until,
        seed=job.seed,
        output_kind=RequestOutputKind.DELTA if watch else RequestOutputKind.FINAL_ONLY,
    )
    return tokens, settings, _Flight(job, until, watch)


def _for_vllm(settings: dict[str, Any]) -> dict[str, Any]:
    """A copy, with what a logits processor takes in its place."""
    given = copy.deepcopy(settings)
    if (n := given.pop(TOP_N_SIGMA, None)) is not None:
        given["extra_args"] = {**(given.get("extra_args") or {}), TOP_N_SIGMA: n}
    return given


def _decode(lm: Any, tokens: list[int]) -> str:
    return lm.tokenizer.decode(tokens, skip_special_tokens=False)


def _answer(lm: Any, thinking: Thinking, flight: _Flight, output: Any, stopped: bool) -> Answer:
    tokens, said = len(output.token_ids), None
    if (watch := flight.watch) is not None:
        tokens = len(watch.tokens)
        # Where none of our stop strings did, a token has ended the answer, which is no text.
        said = watch.answer(last=int(not stopped and output.finish_reason == "stop"))
    facts = {"tokens": tokens, "ended": "stop" if stopped else output.finish_reason}
    if measure := measure_of(flight.job.request):
        rows = rows_of(flight.logprobs, TOP)[:tokens]
        facts |= measure.of_top(rows[:, 0], rows[:, 1:], vocabulary_size(lm.model)).facts()
    if said is None:
        said = Answer(cut_text(flight.text, flight.until, thinking.given))
    return Answer(said.text, facts | said.facts)


def sample_replicas(lm: TemplateLM, jobs: list[Job], take: Taker) -> None:
    """The same where `data_parallel_size` makes the harness start engines for each call.

    There is no engine to take single answers from, so that all of them are kept when the call returns,
    and answers that may hold a thought are generated to their end and cut behind it.
    """
    from lm_eval.api.instance import Instance

    model: Any = lm
    thinking = Thinking.of(model.tokenizer, model.think_end_token)
    requests = []
    for job in jobs:
        arguments = _for_vllm(job.gen_kwargs)
        if job.seed is not None:
            arguments["seed"] = job.seed
        if thinking.may_think(job.prompt):
            arguments["until"] = []
        asked = (job.prompt, arguments)
        requests.append(Instance("generate_until", {}, asked, idx=0, task_name="", doc_id=0))
    given = model.think_end_token
    model.think_end_token = None  # thoughts are left out here, or not, as on one engine
    try:
        texts = lm.generate_until(requests)
    finally:
        model.think_end_token = given
    found: list[tuple[Job, Answer]] = []
    for job, text in zip(jobs, texts, strict=True):
        wanted = normalize_gen_kwargs(job.gen_kwargs, lm.max_gen_toks)["max_gen_toks"]
        answer = _cut(model, thinking, job, text)
        answer.facts.update(cut_of(len(lm.tok_encode(job.prompt)), lm.max_length - wanted))
        found.append((job, answer))
    take(found)


def _cut(lm: Any, thinking: Thinking, job: Job, text: str) -> Answer:
    """The answer in a whole text."""
    if not thinking.may_think(job.prompt):
        return Answer(text)
    until = stop_strings(job.gen_kwargs)
    watch = AnswerWatch(thinking, job.prompt, until, lambda ids: _decode(lm, ids))
    watch.add(lm.tokenizer.encode(text, add_special_tokens=False))
    return watch.answer() or Answer(cut_text(text, until, thinking.given))
