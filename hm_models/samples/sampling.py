"""Answers to the harness's requests: known ones from the store, the others generated and kept at once.

    Sampling(store, model_key, sampling_seed).answers(requests, lambda jobs: engine.sample)

An engine's sampler takes jobs and hands every answer over as it finishes. A request of the contract
(`hm_models.samples.request`) is told of its samples then, so that a task can score while the model
still generates.
"""

from __future__ import annotations

import dataclasses
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from tqdm import tqdm

from hm_models.samples.key import ROLLING, Job, ModelKey, SampleKey, jobs_of, question_of
from hm_models.samples.request import Sample, TaskRequest
from hm_models.samples.store import Answer, SampleStore
from hm_models.samples.truncation import cut_warning, is_cut
from hm_models.shown.screen import bar_settings

Taker = Callable[[list[tuple[Job, Answer]]], None]
Draw = Callable[[list[Job], Taker], None]

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How a model's answers are drawn and where they are kept."""

    store: SampleStore
    model: ModelKey
    sampling_seed: int

    def known(self, requests: Sequence[Instance]) -> int:
        """How many of these requests, of any kind, have an answer that is kept."""
        texts = [request for request in requests if request.request_type == "generate_until"]
        scored = [request for request in requests if request.request_type != "generate_until"]
        keys = [job.key for job in jobs_of(texts, self.model, self.sampling_seed)]
        keys += [question_of(r.request_type, r.args, self.model) for r in scored]
        found = self.store.find(key.question for key in keys)
        return sum(key in found for key in keys)

    def answers(
        self,
        requests: Sequence[Instance],
        load: Callable[[list[Job]], Draw],
        quiet: bool = False,
    ) -> list[str]:
        """Return one text for each request, generating only what the store does not have.

        Args:
            load: gives what draws samples of a loaded model, told what is missing; not called where nothing is.
        """
        jobs = jobs_of(requests, self.model, self.sampling_seed)
        found = self.store.find(job.key.question for job in jobs)
        askers: dict[SampleKey, list[Job]] = defaultdict(list)
        for job in jobs:
            askers[job.key].append(job)
        missing = [same[0] for key, same in askers.items() if key not in found]
        logger.info(
            "hm-merged: %d answers kept, %d to generate", len(jobs) - len(missing), len(missing)
        )
        for job in jobs:
            if job.key in found:
                _tell(job, found[job.key], reused=True)
        if missing:
            self._generate(missing, askers, found, load(missing), quiet)
        if cut := sum(is_cut(found[job.key].facts) for job in jobs):
            logger.warning("hm-merged: %s", cut_warning(cut, len(jobs)))
        return [found[job.key].text for job in jobs]

    def _generate(
        self,
        missing: list[Job],
        askers: dict[SampleKey, list[Job]],
        found: dict[SampleKey, Answer],
        sample: Draw,
        quiet: bool,
    ) -> None:
        """Generate the missing answers into `found`, keep each at once and tell all who ask for it."""
        bar = tqdm(total=len(missing), desc="Sampling", unit=" samples", **bar_settings(quiet))
        tokens = 0

        def take(finished: list[tuple[Job, Answer]]) -> None:
            nonlocal tokens
            self.store.put(self.model, [(j.key, j.request.task_name or "", a) for j, a in finished])
            for job, answer in finished:
                found[job.key] = answer
                for asker in askers[job.key]:
                    _tell(asker, answer, reused=False)
                tokens += answer.facts.get("tokens", 0)
            bar.update(len(finished))
            elapsed = bar.format_dict["elapsed"]
            bar.set_postfix_str(f"{tokens / max(elapsed, 1e-9):.0f} tokens/s", refresh=False)

        with bar:
            sample(missing, take)

    def scores(
        self, kind: str, requests: Sequence[Instance], load: Callable[[], TemplateLM]
    ) -> list:
        """Return the answers to `loglikelihood` or `loglikelihood_rolling` requests likewise."""
        keys = [question_of(kind, request.args, self.model) for request in requests]
        found = self.store.find(key.question for key in keys)
        missing = {k: r for k, r in zip(keys, requests, strict=True) if k not in found}
        if missing:
            lm = load()
            lm.set_cache_hook(_KeepScores(self, kind, missing))
            values = getattr(lm, kind)(list(missing.values()))
            answers = [_score(kind, value) for value in values]
            found |= dict(zip(missing, answers, strict=True))
            self._keep_scores(missing, answers)
        return [_value(r, found[key]) for r, key in zip(requests, keys, strict=True)]

    def _keep_scores(self, requests: dict[SampleKey, Instance], answers: Iterable[Answer]) -> None:
        rows = zip(requests.items(), answers, strict=True)
        self.store.put(self.model, [(key, r.task_name or "", a) for (key, r), a in rows])


class _KeepScores:
    """What the harness calls its cache hook: the backend tells it each score as it is known."""

    def __init__(self, sampling: Sampling, kind: str, requests: dict[SampleKey, Instance]) -> None:
        self._sampling, self._kind, self._requests = sampling, kind, requests

    def add_partial(self, kind: str, arguments: Sequence[Any], value: Any) -> None:
        key = question_of(kind, arguments, self._sampling.model)
        # Rolling likelihoods are made of others, which nobody asked for.
        if kind == self._kind and key in self._requests:
            self._sampling._keep_scores({key: self._requests[key]}, [_score(kind, value)])


def _score(kind: str, value: Any) -> Answer:
    # Numbers in `facts`, which is JSON: there and back to the bit.
    if kind == ROLLING:
        return Answer("", {"score": value[0] if isinstance(value, tuple) else value})
    return Answer("", {"score": list(value)})


def _value(request: Instance, answer: Answer) -> Any:
    """The answer as the harness takes it: of rolling ones 0.5 asks with two arguments, and takes a pair."""
    score = answer.facts["score"]
    if request.request_type == ROLLING:
        return (score, False) if len(request.args) == 2 else score
    return tuple(score)


def _tell(job: Job, answer: Answer, reused: bool) -> None:
    if isinstance(job.request, TaskRequest):
        job.request.take_sample(job.nth, Sample(answer.text, reused, answer.facts))
