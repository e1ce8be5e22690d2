"""The requests that answers were given to, out of the data set, where a file of scores lacks them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from hm_metrics.logs.labelled import LabelError, Labelled
from hm_tasks.sorry_bench.dataset import load_requests


def with_requests(items: Sequence[Labelled], version: str) -> list[Labelled]:
    """The same with the requests of the data set, where a file lacks them.

    Raises:
        LabelError, DatasetError: a request is not in that release, or the data set cannot be had.
    """
    lacking = {item.style for item in items if item.request is None}
    loaded = {style: load_requests(version, style) for style in sorted(lacking)}
    known = {
        (request.question_id, style): (request.category, request.request)
        for style, found in loaded.items()
        for request in found.requests
    }
    completed = []
    for item in items:
        if item.request is None:
            if (item.question_id, item.style) not in known:
                raise LabelError(
                    f"question {item.question_id} in style {item.style} is not in release {version}; "
                    "--dataset_version names another."
                )
            category, request = known[item.question_id, item.style]
            item = dataclasses.replace(item, category=category, request=request)
        completed.append(item)
    return completed
