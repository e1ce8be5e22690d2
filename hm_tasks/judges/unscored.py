"""Too many answers without a score are a failure; nothing of the run may be lost by it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hm_metrics.judgment import API_ERROR, Judgment, reasons
from hm_models.files.places import cache_file
from hm_models.files.text_files import write_text
from hm_models.shown.secrets import Secrets

LogRow = tuple[dict[str, Any], str, Sequence[str], Sequence[Judgment]]  # doc, prompt, answers


class UnscoredError(RuntimeError):
    """More answers than `max_unscored` have no score."""


def fail_if_unscored(
    judged: Sequence[LogRow],
    max_unscored: float,
    task: str,
    ranges: str,
    what: str = "answers",
    again: str = "",
) -> None:
    """Raise if too many answers are unscored, once the answers are on disk.

    The harness writes no log of a run that fails. `hm-merged` keeps its samples anyway, other models do
    not, so the answers are written here, in the form of the harness's log, which `hm-judge` reads.

    Args:
        max_unscored: a share of what is judged.
        ranges: where the task's rates lie, in words.
        what: is judged; one judgment each.
        again: options of `hm-judge` that ask for what is missing; empty where it cannot.

    Raises:
        UnscoredError: they are; the message says why and how to go on.
    """
    judgments = [judgment for *_, found in judged for judgment in found]
    why = reasons(judgments)
    unscored = sum(why.values())
    if unscored <= max_unscored * len(judgments):
        return
    file = cache_file("unfinished", f"samples_{task}_{time.strftime('%Y-%m-%dT%H-%M-%S')}.jsonl")
    write_log(judged, file)
    # What judges say may repeat a request; what endpoints say of a failure does not.
    failed = next((j.words for j in judgments if j.unscored == API_ERROR), "")
    raise UnscoredError(
        f"{task}: {unscored} of {len(judgments)} {what} have no score "
        f"({', '.join(f'{reason} {count}' for reason, count in why.most_common())}), more than "
        f"max_unscored={max_unscored:g} allows; {ranges}. "
        f"{failed + ' ' if failed else ''}Nothing is lost: verdicts are kept, and answers "
        f"with the judge's words are in {file}. The same command again asks only for what is missing"
        + (f", and so does `hm-judge {file.name} {again}`, without generating" if again else "")
        + ". A higher max_unscored accepts the bounds."
    )


def write_log(judged: Sequence[LogRow], file: Path) -> None:
    """Write answers and judgments as the harness's `samples_*.jsonl`; whole or not at all."""
    secrets = Secrets.of()  # models at endpoints may repeat the key that they are asked with
    lines = [
        json.dumps(
            {
                "doc_id": number,
                "doc": doc,
                "arguments": {"gen_args_0": {"arg_0": prompt}},
                "resps": [[secrets.mask(answer) for answer in answers]],
                "filtered_resps": [[str(judgment.record()) for judgment in found]],
            }
        )
        for number, (doc, prompt, answers, found) in enumerate(judged)
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, "".join(f"{line}\n" for line in lines))
