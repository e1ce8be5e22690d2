"""Samples from transformers, each handed over in the step in which it ends.

transformers draws all rows of a batch from one generator. Here each row draws from its own seed, so
that a sample depends neither on its batch nor on what was generated before. The sampling parameters
stay transformers' own: its warpers shape the distribution, and only the draw is replaced. top_n_sigma is ours
and comes before all of them, as it is taken of the model's own logits; then repetition_penalty, temperature,
top_k, top_p, min_p and typical_p, in this order, and the draw.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, TypeAlias

import torch
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs
from transformers import LogitsProcessor, StoppingCriteria, StoppingCriteriaList

from hm_models.engines.top_n_sigma import TopNSigma
from hm_models.samples.answer_watch import AnswerWatch
from hm_models.samples.generation import cut_text
from hm_models.samples.key import Job, is_sampled
from hm_models.samples.request import TokenMeasure, measure_of
from hm_models.samples.sampler import TOP_N_SIGMA
from hm_models.samples.sampling import Taker
from hm_models.samples.store import Answer
from hm_models.samples.thinking import NO_THOUGHTS, Thinking
from hm_models.samples.truncation import cut_of

Seeds: TypeAlias = Sequence[int | None]


def sample_hf(
    lm: Any,
    jobs: list[Job],
    take: Taker,
    seeds_for: Callable[[Seeds], dict[str, Any]] = lambda seeds: {},
) -> None:
    """Generate the answers to `jobs` with the harness's `hf` model `lm`, in batches of its size.

    Args:
        seeds_for: what the model's `generate` takes of its rows' seeds, by name.
    """
    length = {prompt: len(lm.tok_encode(prompt)) for prompt in {job.prompt for job in jobs}}
    size = lm._detect_batch_size() if lm.batch_size == "auto" else int(lm.batch_size)

    thinking = Thinking.of(lm.tokenizer, lm.think_end_token)

    def alike(job: Job) -> str:
        measured = measure_of(job.request) is not None
        return repr((sorted(job.gen_kwargs.items()), job.seed is None, measured))

    ordered = sorted(jobs, key=lambda job: (alike(job), -length[job.prompt], job.prompt))
    for _, group in groupby(ordered, key=alike):
        same = list(group)
        for start in range(0, len(same), size):
            _sample_batch(lm, thinking, same[start : start + size], take, seeds_for)


def _sample_batch(
    lm: Any,
    thinking: Thinking,
    jobs: list[Job],
    take: Taker,
    seeds_for: Callable[[Seeds], dict[str, Any]],
) -> None:
    kwargs = normalize_gen_kwargs(jobs[0].gen_kwargs, lm.max_gen_toks)
    eos = lm.tok_decode(lm.eot_token_id, skip_special_tokens=False)
    until = handle_stop_sequences(kwargs.pop("until", None), eos=eos)
    max_tokens = kwargs.pop("max_gen_toks")
    if lm.max_length <= max_tokens:
        raise ValueError(
            f"max_gen_toks={max_tokens} leaves no room for a prompt in a context of {lm.max_length} "
            "tokens: ask for fewer tokens, or give max_length."
        )
    room = lm.max_length - max_tokens
    seen = min(room, lm.tokenizer.model_max_length) if lm.truncation else room
    cuts = [cut_of(len(lm.tok_encode(job.prompt)), seen) for job in jobs]
    prompts, mask = lm.tok_batch_encode(
        [job.prompt for job in jobs],
        left_truncate_len=room,
        truncation=lm.truncation,
    )
    start = prompts.shape[1]

    seeds = [job.seed for job in jobs]
    n = kwargs.pop(TOP_N_SIGMA, None)
    drawing = Drawing(seeds, measure_of(jobs[0].request), None if n is None else TopNSigma(n))

    def decode(tokens: list[int]) -> str:
        return lm.tok_decode(tokens, skip_special_tokens=False)

    watches = [
        AnswerWatch(
            thinking if thinking.may_think(job.prompt) else NO_THOUGHTS, job.prompt, until, decode
        )
        for job in jobs
    ]

    def hand_over(row: int, tokens: list[int]) -> None:
        facts = {"tokens": len(tokens)} | cuts[row] | drawing.facts(row, len(tokens))
        said = watches[row].answer(last=int(tokens[-1] in stop_tokens))
        answer = said or Answer(_text(lm, tokens, until))
        take([(jobs[row], Answer(answer.text, facts | answer.facts))])

    stop_tokens = _stop_tokens(lm)
    rows = StopRows(start, watches, stop_tokens, hand_over)
    if is_sampled(jobs[0].gen_kwargs):
        kwargs["custom_generate"] = drawing.generate
    else:
        kwargs.pop("temperature", None)  # greedy has none, and transformers warns of one
    with torch.autocast(
        device_type=lm.device.type,
        dtype=lm.mixed_precision_dtype,
        enabled=lm.mixed_precision_dtype is not None,
    ):
        tokens = lm.model.generate(
            input_ids=prompts.to(lm.device),
            attention_mask=mask.to(lm.device),
            max_length=start + max_tokens,
            stopping_criteria=StoppingCriteriaList([rows]),
            pad_token_id=lm.tokenizer.pad_token_id,
            use_cache=True,
            **kwargs,
            **seeds_for(seeds),
        )
    rows.hand_over_rest(tokens)


def _stop_tokens(lm: Any) -> set[int]:
    ids = lm.model.generation_config.eos_token_id
    return {*(ids if isinstance(ids, (list, tuple)) else [ids]), lm.eot_token_id}


def _text(lm: Any, tokens: list[int], until: list[str]) -> str:
    marker = lm.think_end_token
    if isinstance(marker, int) and marker in tokens:
        last = len(tokens) - 1 - tokens[::-1].index(marker)
        text = lm.tok_decode(tokens[last + 1 :]).lstrip()
    else:
        text = lm.tok_decode(tokens)
    return cut_text(text, until, marker if isinstance(marker, str) else None)


class StopRows(StoppingCriteria):
    """Ends each row of a batch by itself, and hands it over in the step in which it ends.

    Args:
        start: number of prompt tokens.
        watches: one a row; they know the stop strings.
        stop_tokens: ids that end a row.
        hand_over: called with a row's number and its new tokens.
    """

    def __init__(
        self,
        start: int,
        watches: Sequence[AnswerWatch],
        stop_tokens: set[int],
        hand_over: Callable[[int, list[int]], None],
    ) -> None:
        self._start, self._watches, self._stop_tokens = start, watches, stop_tokens
        self._hand_over = hand_over
        self._ended: set[int] = set()

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        for row, tokens in enumerate(input_ids[:, self._start :].tolist()):
            if row not in self._ended and self._ends(row, tokens):
                self._end(row, tokens)
        done = [row in self._ended for row in range(len(input_ids))]
        return torch.tensor(done, device=input_ids.device)

    def hand_over_rest(self, input_ids: torch.Tensor) -> None:
        """Hand over the rows that generation ended by its length."""
        for row, tokens in enumerate(input_ids[:, self._start :].tolist()):
            if row not in self._ended:
                self._end(row, tokens)

    def _ends(self, row: int, tokens: list[int]) -> bool:
        watch = self._watches[row]
        return watch.add(tokens[len(watch.tokens) :]) or tokens[-1] in self._stop_tokens

    def _end(self, row: int, tokens: list[int]) -> None:
        self._ended.add(row)
        self._hand_over(row, tokens)


class SeededDraw(LogitsProcessor):
    """Draws each row's next token by the row's own seed, and leaves nothing but that token.

    The draw inverts the distribution's cumulative sum at one uniform number, in float64: rounding moves
    a draw only where that number lies within the rounding of a border between two tokens.

    Args:
        told: called with the drawn tokens [rows].
    """

    def __init__(
        self, seeds: Sequence[int | None], told: Callable[[torch.Tensor], None] | None = None
    ) -> None:
        self._draws = [random.Random(seed) for seed in seeds]
        self._told = told

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """scores: [rows, vocabulary], shaped by all warpers; returns 0 at the token, else -inf."""
        sums = scores.double().softmax(dim=-1).cumsum(dim=-1)
        uniform = [[draw.random()] for draw in self._draws]
        points = sums[:, -1:] * torch.tensor(uniform, dtype=sums.dtype, device=sums.device)
        # The first token whose sum is above the point; its own probability is then above 0.
        tokens = torch.searchsorted(sums, points, right=True).clamp(max=scores.shape[-1] - 1)
        if self._told is not None:
            self._told(tokens[:, 0])
        return torch.full_like(scores, -torch.inf).scatter(1, tokens, 0.0)


class _Keep(LogitsProcessor):
    """Keeps the model's own logits of the step, before anything shapes them."""

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.logits = scores
        return scores


class Drawing:
    """transformers' own sampling loop with seeded draws, and notes on the uncertainty at each token.

    Args:
        seeds: one a row.
        measure: sums them up; None takes no notes.
        first: shapes the model's logits before anything else does.
    """

    def __init__(
        self,
        seeds: Seeds,
        measure: type[TokenMeasure] | None,
        first: LogitsProcessor | None = None,
    ) -> None:
        self._seeds, self._measure, self._first = seeds, measure, first
        self._steps: list[tuple[list[float], list[float]]] = []  # entropies, surprisals of the rows

    def generate(
        self, model: Any, input_ids: torch.Tensor, logits_processor: Any, **rest: Any
    ) -> Any:
        """transformers' `custom_generate`."""
        draw = SeededDraw(self._seeds)
        if self._first is not None:
            logits_processor.insert(0, self._first)
        if (measure := self._measure) is not None:
            raw = _Keep()

            def note(tokens: torch.Tensor) -> None:
                entropies, surprisals = measure.of_each_token(raw.logits, tokens)
                self._steps.append((entropies.tolist(), surprisals.tolist()))

            logits_processor.insert(0, raw)
            draw = SeededDraw(self._seeds, note)
        logits_processor.append(draw)
        return model._sample(input_ids, logits_processor=logits_processor, **rest)

    def facts(self, row: int, tokens: int) -> dict[str, Any]:
        """The sums over a row's first tokens."""
        if not self._steps or self._measure is None:
            return {}
        steps = self._steps[:tokens]
        entropies, surprisals = ([step[kind][row] for step in steps] for kind in (0, 1))
        return self._measure.of_steps(entropies, surprisals).facts()
