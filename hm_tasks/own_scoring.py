"""A task that scores the samples of each question itself, as both tested harnesses ask for it.

>>> mean_unless_unscored(unscored=1, total=100, most=0.05)([1.0, 0.0])
0.5
>>> mean_unless_unscored(unscored=9, total=100, most=0.05)([1.0, 0.0])
'unscored: 9 of 100'

0.4.13's evaluator calls `apply_filters`, and `process_results` with each question and filter. 0.5 asks a task
for its scorers, one for each filter, and wants them to hold each question's numbers; how these become the
task's, `aggregation` says in both. A task has one request for each question.
"""

from __future__ import annotations

import abc
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from lm_eval.api.metrics import mean
from lm_eval.api.task import Task

from hm_metrics import definitions
from hm_metrics.unscored import in_place_of_rate
from hm_models.plugin.contracts import MeetsModel
from hm_models.settings import ProtocolError
from hm_tasks import table

try:
    from lm_eval.evaluator_utils import torch_gather_object
except ImportError:  # 0.4, where models gather
    torch_gather_object = None

T = TypeVar("T")


def of_all_processes(model: Any, part: T) -> list[T] | None:
    """What each process of a run has, for the one that writes the results; None in the others.

    Args:
        model: the harness's, which knows the others; None where a task was never asked.
    """
    if model is None:
        return [part]
    if torch_gather_object is None:
        return model.gather_object(part)
    return torch_gather_object(part, rank=model.rank, world_size=model.world_size)


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the harness makes a task of, without its class.

    Raises:
        ProtocolError: a prompt format of 0.5 is asked for, or the metadata of the YAML are gone.
    """
    settings = {key: value for key, value in config.items() if key != "class"}
    name = str(settings.get("task"))
    asked = settings.get("_formats_selection") or settings.get("formats") or name.partition("@")[2]
    if asked:
        raise ProtocolError(
            f"{name}: this task writes its prompts itself, and has no format {asked!r}. "
            "Leave out what follows the @, and `formats`."
        )
    if "version" not in (settings.get("metadata") or {}):
        raise ProtocolError(
            f"{name}: the metadata of its YAML were replaced as a whole, by `overrides` or by a group's YAML. "
            "Give what is to differ as --metadata or TaskManager(metadata=...), or all that the YAML has."
        )
    return settings


def sums_of_all_processes(model: Any, *facts: Sequence[int]) -> list[list[int]]:
    """The sums of lists of whole numbers over all processes of a run, which each of them learns."""
    if model is None or model.world_size == 1:
        return list(map(list, facts))
    import torch

    mine = torch.tensor([[int(fact) for fact in itertools.chain(*facts)]], device=model.device)
    sums = iter(model.all_gather(mine).sum(0).tolist())
    return [list(itertools.islice(sums, len(part))) for part in facts]


def request_fields(task: Task, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request that say whose it is.

    Args:
        given: what the harness passes to `construct_requests`: in 0.5 the number of the question alone.
    """
    metadata = given.get("metadata") or (task.config.task, given["doc_id"], task.config.repeats)
    return {"metadata": metadata, "task_name": metadata[0], "doc_id": metadata[1]}


def mean_unless_unscored(unscored: int, total: int, most: float) -> Callable[[list], Any]:
    """The mean over questions; where more than `most` of all samples have no verdict, words that say so."""
    words = in_place_of_rate(unscored, total, most)
    return mean if words is None else lambda _: words


class OwnScoring(Task, MeetsModel):
    """A `generate_until` task over test documents."""

    OUTPUT_TYPE = "generate_until"
    _instances: Any = None
    _model: Any = None
    _scorers: Any = ()  # the harness's name for them, and where it finds them

    def meet(self, model: Any) -> None:
        """Know the harness's model that is asked next; `hm_models.plugin.introduced` calls it."""
        self._model = model

    @property
    def _qualified_name(self) -> str:
        # 0.5 would put the group before the name of each task in it.
        return self.task_name

    def has_training_docs(self) -> bool:
        return False

    def has_validation_docs(self) -> bool:
        return False

    def has_test_docs(self) -> bool:
        return True

    @abc.abstractmethod
    def numbers(self) -> list[str]:
        """The metrics that are a plain number of each question, where it could be scored."""

    @abc.abstractmethod
    def headline(self) -> list[str]:
        """The metrics that the harness prints, where nobody asks for others."""

    def higher_is_better(self) -> dict[str, bool]:
        return definitions.higher_is_better(self.aggregation())

    def dump_config(self) -> dict[str, Any]:
        # The harness's W&B logger makes its table of samples from this list, and from no other.
        return super().dump_config() | {
            "metric_list": [{"metric": m} for m in self.numbers()],
            "table": table.printed(self.config.metadata, self.headline()),
        }

    def process_instances(self) -> None:
        """What 0.5 calls when all samples are there, in place of `apply_filters` and `process_results`."""
        from lm_eval.scorers import Scorer

        self.apply_filters()
        requests = self._instances or []
        if self._scorers:  # those of --predict_only
            for scorer in self._scorers:
                scorer.apply_filter(requests)
                scorer.set_results(scorer.score_instances({r.doc_id: [r] for r in requests}))
            return
        self._scorers = []
        for name in requests[0].filtered_resps if requests else ():
            scorer = Scorer(name=name, filter=None)
            scorer.import_reduced(
                {r.doc_id: self.process_results(r.doc, [r.filtered_resps[name]]) for r in requests}
            )
            self._scorers.append(scorer)

    def set_repeats(self, repeats: int) -> None:
        """What 0.5 calls for its `--repeats`.

        Raises:
            ProtocolError: it is another number of samples than the task's own.
        """
        if repeats != self.config.repeats:
            raise ProtocolError(
                f"{self.task_name} asks {self.config.repeats} times, which its k and its tables go by: "
                f"--repeats {repeats} cannot be used. Say so as --metadata '{{\"n_samples\": {repeats}}}', "
                "and the k of pass@k beside it."
            )
