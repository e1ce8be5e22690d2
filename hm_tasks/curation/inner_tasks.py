"""The inner tasks of `any_passk`'s runs: the questions that samples answer, and who says which are right.

    tasks = InnerTasks(include_path="my_tasks")
    inner = tasks.of(wrapped)            # loaded once, as the run loaded it
    number = inner.find(doc)             # of a logged question; None where its data set has it not

Questions and right answers are those of the task as it is here, never a log's: a log says by its name which
task that is, and nothing of it is run.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import re
from functools import cached_property
from typing import Any

from lm_eval.api.task import ConfigurableTask

from hm_models.errors import UsageError
from hm_models.plugin.task_manager import manager
from hm_tasks.any_passk.inner import digest_of, doc_as_json, load_inner
from hm_tasks.any_passk.inner_scoring import chains_of
from hm_tasks.curation.errors import CurationError
from hm_tasks.curation.provenance import Wrapped

# Fields of questions that may hold an id of their own.
IDS = ("task_id", "question_id", "unique_id", "query_id", "id", "ID", "Record ID", "key")
# What in a task's configuration shapes questions and grades.
SHAPING = ("doc_to_text", "doc_to_target", "process_results", "filter_list", "metric_list")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # of a function whose source is not known

logger = logging.getLogger(__name__)


class InnerTask:
    """A task of the harness whose questions were asked n times.

    Attributes:
        task: as the harness has it.
        name: its name.
        docs: its questions.
    """

    def __init__(self, task: ConfigurableTask) -> None:
        self.task, self.name, self.docs = task, str(task.config.task), task.eval_docs

    @cached_property
    def sha256(self) -> str:
        """Over its questions, as results have it."""
        return digest_of(self.docs)

    @property
    def identity(self) -> dict[str, Any]:
        """What shapes its questions and grades, as plain JSON values."""
        config = json.dumps(self.shaping(self.task.dump_config()), sort_keys=True)
        return {
            "version": self.task.VERSION,
            "questions_sha256": self.sha256,
            "config_sha256": hashlib.sha256(config.encode()).hexdigest(),
        }

    def find(self, doc: Any) -> int | None:
        """The number of a question that a log holds."""
        return self._numbers.get(_digest(doc))

    def problem(self, number: int) -> str:
        """A question's id: its own where all have one, else its number among the questions of this digest."""
        own = self._own_ids[number] if self._own_ids else f"{number}@{self.sha256[:8]}"
        return f"{self.name}/{own}"

    def statement(self, number: int) -> Any:
        """A question's text, as the task asks it."""
        return self.task.doc_to_text(self.docs[number])

    @staticmethod
    def shaping(config: dict[str, Any]) -> dict[str, Any]:
        """What shapes questions and grades in a configuration, as a log would have it."""
        of = {name: config[name] for name in SHAPING if name in config}
        return json.loads(_ADDRESS.sub("", json.dumps(of, default=str)))

    @cached_property
    def _numbers(self) -> dict[bytes, int]:
        return {_digest(doc): number for number, doc in enumerate(self.docs)}

    @cached_property
    def _own_ids(self) -> list[str] | None:
        for field in IDS:
            ids = [doc.get(field) if isinstance(doc, dict) else None for doc in self.docs]
            if all(isinstance(one, (str, int)) for one in ids) and len(set(ids)) == len(ids):
                return [str(one) for one in ids]
        return None


class InnerTasks:
    """The inner tasks of a curation, each loaded when it is first asked for.

    Args:
        include_path: a folder of people's own tasks.
        least_score: that a correct answer has.
    """

    def __init__(self, include_path: str | None = None, least_score: float = 1.0) -> None:
        self._include_path, self.least_score = include_path, least_score
        self._load = functools.cache(self._loaded)
        self._known: dict[str, InnerTask | None] = {}

    def of(self, wrapped: Wrapped) -> InnerTask:
        """The inner task that a run's answers are graded by.

        Raises:
            UsageError: it is not to be had here, or cannot say which answers are right.
        """
        inner = self._load(wrapped.task)
        task = inner.task
        filters = list(chains_of(task))
        better = task.higher_is_better()
        why = ""
        if task.config.unsafe_code is not False:
            why = (
                "it runs what models write. For programs there are the code tasks (docs/scoring.md)"
            )
        elif wrapped.filter not in filters:
            why = f"it has no filter {wrapped.filter!r}, but {', '.join(map(repr, filters))}"
        elif wrapped.metric not in task.aggregation():
            why = f"it has no metric {wrapped.metric!r}, but {', '.join(task.aggregation())}"
        elif better.get(wrapped.metric) is False:
            why = f"less is better of {wrapped.metric}"
        if why:
            raise CurationError(f"{wrapped.task} cannot verify answers: {why}.")
        return inner

    def graded_by(self, wrapped: Wrapped) -> dict[str, Any]:
        """Who says which of a run's answers are correct, as plain JSON values.

        Raises:
            UsageError: as `of`.
        """
        identity = self.of(wrapped).identity
        return wrapped.told() | identity | {"least_score": self.least_score}

    def known(self, wrapped: Wrapped) -> InnerTask | None:
        """The same; None where it is not to be had. What is wrong, or other than in the run, is said once."""
        asked = InnerTask.shaping(wrapped.config)
        key = json.dumps([wrapped.told(), asked], sort_keys=True)
        if key not in self._known:
            self._known[key] = None
            try:
                self._known[key] = inner = self.of(wrapped)
            except UsageError as error:
                logger.warning("%s", error)
            else:
                _warn_of_other(wrapped.task, asked, inner.shaping(inner.task.dump_config()))
        return self._known[key]

    @cached_property
    def _manager(self) -> Any:
        return manager(self._include_path)

    def _loaded(self, name: str) -> InnerTask:
        try:
            return InnerTask(load_inner(name, "hm-curate", self._manager))
        except UsageError:
            raise
        except Exception as error:  # whatever the harness and data sets raise
            raise CurationError(
                f"{name} cannot be loaded ({type(error).__name__}: {error})."
            ) from error


def _warn_of_other(task: str, asked: dict[str, Any], here: dict[str, Any]) -> None:
    if other := [name for name in SHAPING if asked.get(name) != here.get(name)]:
        logger.warning(
            "%s was asked with another %s than it has here. Its answers are graded as it is here; "
            "--include_path names a folder with a task of this name as it was.",
            task,
            ", ".join(other),
        )


def _digest(doc: Any) -> bytes:
    return hashlib.sha256(doc_as_json(doc).encode("utf-8", "surrogatepass")).digest()[:16]
