"""How an inner task scores one sample: 0.4 by `process_results`, 0.5 by a scorer for each filter.

chains_of(task)["none"]                                  # the steps of a filter
scores_of(task, "none", doc, found)                      # what passed them -> {"exact_match": 1.0}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from lm_eval.api.task import ConfigurableTask

try:
    from lm_eval.scorers import Scorer
except ImportError:  # 0.4
    Scorer = None

Chain: TypeAlias = Sequence[Callable[[], Any]]


def chains_of(task: ConfigurableTask) -> dict[str, Chain]:
    """The steps of each filter, by its name."""
    if Scorer is None:
        return {ensemble.name: ensemble.filters for ensemble in task._filters}
    return {scorer.name: scorer.filter.filters for scorer in task.scorers}


def judges_at_once(task: object) -> bool:
    """Whether answers are judged together, so that one sample has no score by itself."""
    if not isinstance(task, ConfigurableTask):
        return True
    if Scorer is None:
        return type(task).apply_filters is not ConfigurableTask.apply_filters
    own = type(task)
    return (
        own.apply_filters is not ConfigurableTask.apply_filters
        or own.process_instances is not ConfigurableTask.process_instances
        or any(type(s).score_instances is not Scorer.score_instances for s in task.scorers)
    )


def target_of(task: ConfigurableTask, doc: Any) -> Any:
    """The right answer as 0.4 has it: 0.5.0.dev1 takes digits for a number, which equals no text."""
    target = task.doc_to_target(doc)
    is_text = Scorer is not None and isinstance(target, int) and not task.config.doc_to_choice
    return str(target) if is_text else target


def scores_of(task: ConfigurableTask, name: str, doc: Any, found: Any) -> Mapping[str, Any]:
    """A sample's value by each metric.

    Args:
        name: of the filter.
        found: what the filter found in the sample; in 0.5 in a list.
    """
    if Scorer is None:
        return task.process_results(doc, [found])
    answers = list(found) if isinstance(found, (list, tuple)) else [found]
    scored = task.process_results(doc, answers)
    if scored is not None:
        return {metric: _alone(value) for metric, value in scored.items()}
    (scorer,) = (scorer for scorer in task.scorers if scorer.name == name)
    (request,) = task.construct_requests(doc, "", doc_id=0)
    request.target = target_of(task, doc)
    if isinstance(request.target, int):
        request.target = task.doc_to_choice(doc)[request.target]
    if isinstance(request.target, list):
        request.metadata["metric_kwargs"] = {"multiple_targets": True}
    request.filtered_resps = {name: answers}
    return scorer.reduce({0: scorer.score_doc(0, [request])})[0]


def _alone(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value
