"""A request of the harness, made alike for each of its releases that the tests run with."""

from importlib.util import find_spec
from typing import Any

from lm_eval.api.instance import Instance

HAS_SCORERS = find_spec("lm_eval.scorers") is not None  # harness 0.5
# What stands before the text of a rolling log-likelihood.
ROLLING = ("",) if HAS_SCORERS else ()


def instance(
    kind: str,
    doc: dict,
    arguments: tuple,
    idx: int = 0,
    metadata: tuple[str | None, int | None, int | None] = (None, None, None),
    made_as: Any = Instance,
    **more: Any,
) -> Any:
    """The idx-th request of a question; `metadata` has its task, its number and how often it is asked."""
    task, doc_id, _ = metadata
    return made_as(
        **dict(request_type=kind, doc=doc, arguments=arguments, idx=idx, metadata=metadata),
        **dict(task_name=task, doc_id=doc_id),
        **more,
    )
