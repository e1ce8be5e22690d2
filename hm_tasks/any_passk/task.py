"""Any generating task of the harness, asked n times: pass@k, maj@k, avg@n and diversity.

    lm_eval --model hm-merged --model_args base=B,instruct=I,alpha=0.7 --tasks any_passk \\
        --metadata '{"passk_of": "gsm8k_cot", "n_samples": 16, "k": [1, 4, 16]}' \\
        --log_samples --output_path OUT

Prompts, examples, chat handling, stop strings, filters and scores are the inner task's own. Each sample
goes through a fresh chain of its filters and its `process_results` alone. docs/any_passk.md.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Sequence
from typing import Any

from lm_eval.api.metrics import mean
from lm_eval.config.task import TaskConfig

from hm_metrics import answer_numbers, definitions
from hm_metrics.definitions import GLOBAL, LOCAL
from hm_metrics.entropy import TokenSums
from hm_metrics.graded import BEYOND_LIMITS, UNREAD, Graded, GradedRecord
from hm_metrics.measures import OF_TEXTS, Diversity
from hm_metrics.verdict import UNSCORED
from hm_models.plugin.contracts import Verbalizes
from hm_models.samples.generation import checked
from hm_models.settings import ProtocolError
from hm_tasks import asked_prompts, copies, table
from hm_tasks.answered import keeps_thoughts
from hm_tasks.any_passk.asked import (
    asked_in_calls,
    filters_of,
    metrics_of,
    refuse_begun,
    sampling_of,
)
from hm_tasks.any_passk.equal import warn_of_responses
from hm_tasks.any_passk.grading import Grader
from hm_tasks.any_passk.inner import digest_of, load_inner
from hm_tasks.any_passk.inner_scoring import target_of
from hm_tasks.any_passk.request import WrappedRequest
from hm_tasks.any_passk.settings import TEXT, Settings
from hm_tasks.own_scoring import (
    OwnScoring,
    mean_unless_unscored,
    settings_of,
    sums_of_all_processes,
)
from hm_tasks.sampled import OF_CALLS, Sampled
from hm_tasks.verbalized import NOT_GIVEN, refuse_plain

logger = logging.getLogger(__name__)

COUNTS = (
    *("generated", "reused", "unscored", "unread_answers", "beyond_limits"),
    *("truncated_prompts", "equal_samples", definitions.UNFINISHED),
)
NAMED_BY_INNER = "any_passk"  # the task of the command line, which wraps another one each time


class AnyPassK(OwnScoring, Verbalizes):
    """A task that wraps a task; a YAML of three lines names which, or `--metadata`."""

    def __init__(self, config: dict[str, Any]) -> None:
        given = settings_of(config)
        metadata = given["metadata"]
        name = str(given.get("task", NAMED_BY_INNER))
        own, told = given.pop("passk_of", None), metadata.get("passk_of")
        if own and told and own != told:
            logger.warning(
                "%s wraps %s, as its YAML says: passk_of of --metadata is for any_passk.", name, own
            )
        self._settings = Settings.of(metadata)
        table.check(metadata)
        self._diversity = Diversity(metadata, OF_TEXTS)
        self.inner = load_inner(own or told, name)
        inner = self.inner.config
        refuse_begun(self.inner, self._settings.verbalized, name)
        metadata["passk_of"] = inner.task
        self.VERSION = metadata["version"]
        self.UNSAFE_CODE = inner.unsafe_code is not False
        self.MULTIMODAL = bool(inner.doc_to_image or inner.doc_to_audio)
        asked, was_greedy = sampling_of(self.inner)
        asked |= given.pop("generation_kwargs", None) or {}
        given.setdefault("num_fewshot", inner.num_fewshot)
        given |= {
            "output_type": self.OUTPUT_TYPE,
            "generation_kwargs": asked,
            "repeats": self._settings.calls,
        }
        self._config = TaskConfig(**given)
        metadata["inner"] = {
            "task": inner.task,
            "version": self.inner.VERSION,
            "dataset_path": inner.dataset_path,
            "dataset_name": inner.dataset_name,
            "was_greedy": was_greedy,
        }
        self.filters = filters_of(self.inner, self._settings.filters, name)
        self.metrics = metrics_of(self.inner, self._settings.metrics, name)
        metadata["headline"] = {"filter": self.filters[0], "metric": self.metrics[0]}
        self._binary: set[str] = set()
        self._unscored: dict[str, tuple[int, int]] = {}  # by filter: of how many samples
        self._sampled: dict[int, Sampled] = {}
        self._grader: Grader | None = None

    @property
    def task_name(self) -> str:
        """Of the command line's task: which one it wraps, so that two results are two tasks'."""
        name = str(self.config.task)
        return f"{self.inner.config.task}_passk" if name == NAMED_BY_INNER else name

    @property
    def answers_a_call(self) -> int:
        return self._settings.verbalized.answers if self._settings.verbalized else 1

    # --- documents: the inner task's -------------------------------------------------------------

    def test_docs(self) -> Any:
        return self.inner.eval_docs

    def doc_to_text(self, doc: Any) -> Any:
        return self.inner.doc_to_text(doc)

    def doc_to_target(self, doc: Any) -> Any:
        return target_of(self.inner, doc)

    def set_fewshot_seed(self, seed: int | None = None) -> None:
        self.inner.set_fewshot_seed(seed)

    # --- requests: the inner task's, asked n times ---------------------------------------------------

    def construct_requests(self, doc: Any, ctx: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("the inner task builds all requests")

    def build_all_requests(self, **given: Any) -> None:
        """Let the inner task build its requests, and start who will grade their answers.

        Raises:
            ProtocolError: its questions have several requests each, or it cannot grade an answer.
        """
        kwargs = checked(self.config.generation_kwargs or {})
        copies.refuse(self.task_name, self._settings.calls, kwargs, self._model)
        rendered = bool(given.get("apply_chat_template"))
        call = self._settings.verbalized
        refuse_plain(self.task_name, call, rendered, self._model)
        inner = self.inner
        if call is not None:
            call, kwargs = asked_in_calls(inner, call, kwargs, self.task_name)
            self.config.metadata["call"] = call.noted(kwargs)
            if rendered:
                given["chat_template"] = call.asking(given["chat_template"])
        inner.set_config("generation_kwargs", kwargs)
        inner.set_config("repeats", self._settings.calls)
        inner.set_config("num_fewshot", self.config.num_fewshot)
        inner.build_all_requests(**given)
        if len({request.doc_id for request in inner.instances}) < len(inner.instances):
            raise ProtocolError(
                f"{self.task_name}: {inner.config.task} asks several requests for each question, and "
                "scores them together: its samples cannot be graded one by one."
            )
        thoughts = keeps_thoughts(self.config.metadata or {})
        self._instances = []
        for built in inner.instances:
            question = inner.doc_to_text(built.doc)
            request = WrappedRequest.of(
                built,
                self.task_name,
                self._settings.calls,
                question=question if isinstance(question, str) else "",
                target=self.doc_to_target(built.doc),
                verbalized=call,
                style="chat" if rendered else "completion",
                keeps_thoughts=thoughts,
                measure_tokens=TokenSums if self._diversity.wants_tokens else None,
            )
            if call is not None and rendered:
                call.check(request.arguments[0], asked_prompts.whose_template(self._model))
            self._instances.append(request)
        self._start_grading()

    def _start_grading(self) -> None:
        """Fork who grades now, while this process has no engine's threads, and try it on one answer."""
        docs = [request.doc for request in self._instances or []]
        metadata = self.config.metadata
        metadata["dataset_sha256"] = digest_of(docs)
        self._grader = Grader(self.inner, docs, self.filters, self.metrics, self._settings)
        metadata["isolation"] = self._grader.level
        metadata["equal"] = self._grader.equality
        if why := self._grader.try_one():
            raise ProtocolError(
                f"{self.task_name}: {self.inner.config.task} cannot grade one answer by itself: {why}"
            )
        positions = {id(request): place for place, request in enumerate(self._instances or [])}

        def grade(request: WrappedRequest, text: str, answer: str | None) -> None:
            assert self._grader is not None
            self._grader.add(positions[id(request)], text)

        for request in self._instances or []:
            request.on_sample = grade

    # --- scoring ------------------------------------------------------------------------------------

    def apply_filters(self) -> Sequence[WrappedRequest]:
        """Wait for the grades of all samples, whether a model has told of them before or not."""
        requests = self._instances or []
        for request in requests:
            request.take_apart()
        assert self._grader is not None
        with self._grader as grader:
            found = grader.grades([request.resps for request in requests])
        self._grader = None
        for request, by_filter in zip(requests, found, strict=True):
            for name, index in itertools.product(self.filters, request.unread):
                nothing = dict.fromkeys(self.metrics, 0.0)
                by_filter[name][index] = Graded("", nothing, None, UNREAD, NOT_GIVEN)
            request.filtered_resps = {
                name: [graded.record(name, request.doc_id or 0) for graded in by_filter[name]]
                for name in self.filters
            }
        self._note_grades(found)
        if self._settings.equal == TEXT:
            first = self.filters[0]
            answers = [graded.answer for by_filter in found for graded in by_filter[first]]
            warn_of_responses(self.task_name, first, answers)
        asked_prompts.note(requests, self.config.metadata, self.task_name, self._model)
        self._sampled = {request.doc_id or 0: Sampled.of(request) for request in requests}
        self._diversity.measure({str(r.doc_id or 0): r.resps for r in requests})
        return requests

    def _note_grades(self, found: Sequence[dict[str, list[Graded]]]) -> None:
        """Note which metrics are 0 or 1, and how many samples have no grade, over all processes."""
        grades = {
            name: [g for by_filter in found for g in by_filter[name]] for name in self.filters
        }
        scored = {name: answer_numbers.scored(each) for name, each in grades.items()}
        several, unscored, total = sums_of_all_processes(
            self._model,
            [
                not answer_numbers.is_binary(
                    {g.scores[m] for each in scored.values() for g in each}
                )
                for m in self.metrics
            ],
            [len(grades[name]) - len(scored[name]) for name in self.filters],
            [len(grades[name]) for name in self.filters],
        )
        self._binary = {m for m, found in zip(self.metrics, several, strict=True) if not found}
        self._unscored = dict(zip(self.filters, zip(unscored, total, strict=True), strict=True))
        self.config.metadata["binary"] = [m for m in self.metrics if m in self._binary]

    def process_results(self, doc: Any, results: list[list[GradedRecord]]) -> dict[str, Any]:
        records = results[0]
        grades = [record.graded for record in records]
        name, question = records[0].filter, records[0].question
        found: dict[str, Any] = {}
        for metric in self.metrics:
            binary = metric in self._binary
            numbers = answer_numbers.numbers_of(grades, metric, self._settings.asked, binary)
            found |= {self._key(metric, number): value for number, value in numbers.items()}
        found["distinct_answers"] = answer_numbers.distinct_answers(grades)
        found["unread_answers"] = sum(graded.status == UNREAD for graded in grades)
        if name != self.filters[0]:
            return found
        sampled = self._sampled[question]
        found |= self._diversity.metrics(str(question), tokens=sampled.tokens)
        found["unscored"] = sum(graded.status == UNSCORED for graded in grades)
        found["beyond_limits"] = sum(graded.status == BEYOND_LIMITS for graded in grades)
        return found | sampled.counts(len(grades)) | sampled.of_calls(len(grades))

    def _key(self, metric: str, number: str) -> str:
        """A number's name in results: the headline's metric is not named."""
        return number if metric == self.metrics[0] else f"{metric}/{number}"

    def numbers(self) -> list[str]:
        asked = self._settings.asked
        return [
            self._key(metric, number)
            for metric in self.metrics
            for number in answer_numbers.names(asked, metric in self._binary)
        ] + ["distinct_answers", "n_samples", *COUNTS]

    def headline(self) -> list[str]:
        """The metrics that the harness prints: those of the headline's filter and metric."""
        asked = dataclasses.replace(
            self._settings.asked, ks=table.few(self._settings.asked.ks), thresholds=()
        )
        numbers = answer_numbers.names(asked, self.metrics[0] in self._binary)
        of_answers = [f"{number},{self.filters[0]}" for number in (*numbers, "distinct_answers")]
        return [*of_answers, LOCAL, GLOBAL]

    def aggregation(self) -> dict[str, Any]:
        worst = max(self._unscored.values(), default=(0, 0))
        rate = mean_unless_unscored(*worst, self._settings.most_unscored)
        rates = dict.fromkeys(self.numbers(), rate)
        counts = {"n_samples": min, "distinct_answers": mean} | dict.fromkeys(COUNTS, sum)
        return rates | self._diversity.aggregation() | counts | OF_CALLS

    def dump_config(self) -> dict[str, Any]:
        return super().dump_config() | {"inner": self.inner.dump_config()}
