"""Grading the samples of an inner task: its filters and scores, in isolated processes, within limits.

    with Grader(inner, docs, ["none"], ["exact_match"], settings) as grader:   # before an engine starts
        grader.add(0, text)              # of the first question; returns at once
        grader.grades([texts, ...])      # of all questions: by filter, a Graded for each text

A fresh chain of a filter's steps sees one sample alone, and so does what scores it, which is called
as the harness's `evaluate` does. What that does, and what is compared, runs in forks of this process
(`hm_tasks.sandbox.guarded`): a model's text is never evaluated here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import math
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from numbers import Real
from typing import Any

import lm_eval
import numpy as np
from lm_eval.api.task import ConfigurableTask
from lm_eval.filters.extraction import POSFilter, RegexFilter
from tqdm import tqdm

from hm_metrics.graded import BEYOND_LIMITS, GRADED, UNREAD, Graded
from hm_metrics.verdict import UNSCORED
from hm_tasks.any_passk import equal
from hm_tasks.any_passk.inner_scoring import Chain, chains_of, scores_of
from hm_tasks.any_passk.settings import MATH, Settings
from hm_tasks.sandbox.guarded import Guarded, NoAnswer
from hm_tasks.sandbox.isolation.prove import choose
from hm_tasks.sandbox.keeping import CRASHED, in_words

HARMLESS = "The answer is 0."
QUESTIONS_AT_A_TIME = 4  # whose answers are compared

_GRADE, _COMPARE = "grade", "compare"
_ByFilter = Mapping[str, Graded]


def grade(
    task: ConfigurableTask,
    doc: Any,
    text: str,
    filters: Sequence[str],
    metrics: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """By filter, the fields of a `Graded` but `same_as`; for isolated processes alone.

    An answer that is the whole text is None: it does not travel back.
    """
    chains = chains_of(task)
    return {name: _through(name, chains[name], task, doc, text, metrics) for name in filters}


def _through(
    name: str,
    chain: Chain,
    task: ConfigurableTask,
    doc: Any,
    text: str,
    metrics: Sequence[str],
) -> dict[str, Any]:
    answer: str | None = ""
    try:
        steps = [step() for step in chain]
        responses: Any = [[text]]
        for step in steps:
            responses = step.apply(responses, [doc])
        (found,) = responses
        said = _as_text(found)
        answer = None if said == text else said
        scored = scores_of(task, name, doc, found)
        scores = {metric: _score(task, metric, scored) for metric in metrics}
    except (MemoryError, RecursionError):
        raise
    except Exception as error:
        return {"answer": answer, "scores": {}, "status": UNSCORED, "reason": in_words(error)}
    nothing = [step.fallback for step in steps if isinstance(step, (RegexFilter, POSFilter))]
    unread = not said.strip() or said in map(_as_text, nothing)
    return {
        "answer": answer,
        "scores": scores,
        "status": UNREAD if unread else GRADED,
        "reason": "the filter finds no answer" if unread else "",
    }


def _as_text(found: Any) -> str:
    """What a filter found, as a text; nothing is an empty one."""
    if isinstance(found, (list, tuple)) and len(found) == 1:
        (found,) = found
    return "" if found is None else str(found)


def _score(task: ConfigurableTask, metric: str, scored: Mapping[str, Any]) -> float:
    """The number that one sample has by a metric; of what is no number, the task's own aggregation.

    Raises:
        ValueError: it has none.
    """
    if metric not in scored:
        raise ValueError(f"the metric {metric} is not given for a sample")
    value = scored[metric]
    if not isinstance(value, (Real, np.bool_)):
        try:
            value = task.aggregation()[metric]([value])
        except Exception as error:
            raise ValueError(f"the metric {metric} is no number of one sample ({error})") from error
    if not isinstance(value, (Real, np.bool_)) or math.isnan(value):
        raise ValueError(f"the metric {metric} is no number of one sample: {value!r:.80}")
    return float(value)


class Grader:
    """Grades samples, in the background from the first `add` on; use it as a context.

    Make it before anything starts threads, in a thread that lasts.

    Args:
        task: the inner task.
        docs: its questions; samples name them by their place.
        filters, metrics: of the inner task, those that are wanted; of the metrics more is better.

    Attributes:
        level: the isolation of whoever grades.
        equality: what decides that answers are equal, with its version, for the results; afterwards
            also how many answers could not be compared within the limits.

    Raises:
        ProtocolError: what is to decide that is not installed.
        IsolationError: the isolation that is asked for is not to be had here.
    """

    def __init__(
        self,
        task: ConfigurableTask,
        docs: Sequence[Any],
        filters: Sequence[str],
        metrics: Sequence[str],
        settings: Settings,
    ) -> None:
        self.equality = equal.equality(settings.equal)
        self.level = choose(settings.isolation)
        self._filters, self._metrics = filters, metrics
        self._settings = settings
        self._questions = len(docs)
        self._asked: dict[tuple[int, str], Future[Any]] = {}

        def answer(question: tuple[str, Any, str]) -> Any:
            kind, what, text = question
            if kind == _GRADE:
                return grade(task, docs[what], text, filters, metrics)
            return equal.compare(what, text)

        self._guarded = Guarded(answer, self.level, _readable(task))

    def add(self, question: int, text: str) -> Future[Any]:
        """Begin to grade a sample of the question at this place, the same text once; returns at once."""
        key = question, text
        if key not in self._asked:
            limits = self._settings.seconds, self._settings.memory
            self._asked[key] = self._guarded.add((_GRADE, question, text), *limits)
        return self._asked[key]

    def try_one(self) -> str:
        """Why the inner task cannot grade an answer by itself, or nothing."""
        if not self._questions:
            return ""
        found = self._graded(HARMLESS, self.add(0, HARMLESS).result())
        return next((g.reason for g in found.values() if g.status in (UNSCORED, BEYOND_LIMITS)), "")

    def grades(self, samples: Sequence[Sequence[str]]) -> list[dict[str, list[Graded]]]:
        """Wait for the grades of each question's samples: for each question, by filter.

        Args:
            samples: of each question, in order.
        """
        for question, texts in enumerate(samples):
            for text in texts:
                self.add(question, text)
        threads = ThreadPoolExecutor(QUESTIONS_AT_A_TIME)
        try:
            found = threads.map(self._of_question, range(len(samples)), samples)
            return list(tqdm(found, "Grading answers", total=len(samples)))
        except BaseException:
            self.close()  # what is waited for has an answer then
            raise
        finally:
            threads.shutdown(cancel_futures=True)

    def close(self) -> None:
        """End all of its processes."""
        self._guarded.close()

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _compare(self, first: str | None, text: str) -> bool | NoAnswer:
        seconds = min(self._settings.seconds, equal.SECONDS)
        found = self._guarded.add((_COMPARE, first, text), seconds, self._settings.memory).result()
        return found if isinstance(found, NoAnswer) else found is True

    def _of_question(self, question: int, texts: Sequence[str]) -> dict[str, list[Graded]]:
        found = [self._graded(text, self.add(question, text).result()) for text in texts]
        alike = equal.Alike(self._compare)
        is_math = self._settings.equal == MATH
        by_filter = {
            name: _grouped([of_text[name] for of_text in found], alike if is_math else None)
            for name in self._filters
        }
        if alike.beyond_limits:
            before = self.equality.get("beyond_limits", 0)
            self.equality["beyond_limits"] = before + len(alike.beyond_limits)
        return by_filter

    def _graded(self, text: str, found: Any) -> _ByFilter:
        """The grades of one sample, without `same_as`; what comes from outside may be forged."""
        if not isinstance(found, NoAnswer):
            try:
                return {name: self._read(text, found[name]) for name in self._filters}
            except (KeyError, TypeError, ValueError):
                found = NoAnswer(CRASHED, "what grades it gives no grade")
        scores, status = {}, UNSCORED
        if found.beyond_limits:
            scores, status = dict.fromkeys(self._metrics, 0.0), BEYOND_LIMITS
        return dict.fromkeys(self._filters, Graded("", scores, None, status, found.reason))

    def _read(self, text: str, fields: Mapping[str, Any]) -> Graded:
        answer = text if fields["answer"] is None else str(fields["answer"])
        status, reason = str(fields["status"]), str(fields["reason"])
        if status not in (GRADED, UNREAD, UNSCORED):
            raise ValueError(status)
        wanted = () if status == UNSCORED else self._metrics
        scores = {metric: float(fields["scores"][metric]) for metric in wanted}
        return Graded(answer, scores, None, status, reason)


def _grouped(grades: Sequence[Graded], alike: equal.Alike | None) -> list[Graded]:
    """The same with `same_as`; by `alike`, or by the answers' texts."""
    firsts: dict[Any, int] = {}
    found = []
    for place, graded in enumerate(grades):
        if graded.status == GRADED:
            key = graded.answer if alike is None else alike.class_of(graded.answer)
            if key is not None:
                graded = dataclasses.replace(graded, same_as=firsts.setdefault(key, place))
            elif not any(graded.scores.values()):
                graded = dataclasses.replace(
                    graded, status=UNREAD, reason="math-verify finds no answer"
                )
            if alike is not None and (why := alike.beyond_limits.get(graded.answer)):
                graded = dataclasses.replace(graded, reason=f"compared with others, {why}")
        found.append(graded)
    return found


def _readable(task: ConfigurableTask) -> list[str]:
    """What a task's code may read beside installed packages: itself, the harness, and NLTK's data."""
    found = [os.path.dirname(lm_eval.__file__)]
    with contextlib.suppress(TypeError):  # no function of a file
        found.append(os.path.dirname(inspect.getfile(task.config.process_results)))
    if nltk := sys.modules.get("nltk"):
        found += nltk.data.path
    return found
