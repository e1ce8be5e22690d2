"""Vectors of the samples of a run, as `hm-diversity` makes them, summed by question.

    embedded = embed_run(run, log, embedder=None)       # None: minilm, where the run used no other

A report does not obey the results that it reads: an embedder that they name may be an endpoint, which
would get the samples and the reader's key, or a folder with a program in it. So only the one on the
reader's own command line is used, or the offline one; what others gave is shown as the results say.

Vectors that a run has kept are read, not made again. What is kept here of 4,158 samples is one vector a
question.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from hm_metrics.definitions import GLOBAL, LOCAL
from hm_metrics.diversity import QuestionSums, local_of_each
from hm_metrics.embedded import embed_questions
from hm_metrics.logs.results import TaskRun
from hm_metrics.logs.task_log import CODE, Log
from hm_models.embedders import UnknownEmbedder, make_embedder, why_unusable
from hm_models.shown.escaping import one_line

DEFAULT = "minilm"  # for logs of runs that embedded nothing; hm-diversity's default as well
NONE = "none"
PAIRS = 20_000  # of questions, for a distribution: its quantiles are then known to within 1 %


@dataclasses.dataclass(frozen=True)
class Embedded:
    """One run's samples.

    Attributes:
        how: embedder and what it was given, in words.
        local: [G] mean similarity of two samples of each question of the log, nan without a pair.
        sums: of those questions that have a vector.
        questions: [K] which these are, as positions in the log.
    """

    how: str
    local: np.ndarray
    sums: QuestionSums
    questions: np.ndarray


def recorded(run: TaskRun) -> tuple[str, str]:
    """What the results say: the embedder's name, for people alone, and whether it was given each
    `program` or each `text`."""
    record = run.noted("embedding")
    name = record.get("embedder") or run.metadata.get("embedder") or DEFAULT
    what = record.get("embedded") or run.metadata.get("embed")
    return one_line(str(name)), "text" if what == "text" else "program"


def as_stated(run: TaskRun) -> str | None:
    """How the similarities were made that the results state; None where they say nothing of it."""
    name, what = recorded(run)
    has_values = any(key.partition(",")[0] in (LOCAL, GLOBAL) for key in run.values)
    if not has_values and name == DEFAULT:
        return None
    return f"{name} of each {what}, as the results say"


def wants_vectors(run: TaskRun, log: Log) -> bool:
    """Whether similarities are of interest: several samples, of programs or where the task asks."""
    asked = any(key.partition(",")[0] == LOCAL for key in run.values)
    return log.n_samples > 1 and (log.kind == CODE or asked)


def embed_run(
    run: TaskRun, log: Log, embedder: str | None, base_url: str | None = None
) -> Embedded | str:
    """The run's vectors, summed; or why there are none, in a sentence.

    Args:
        embedder, base_url: from the command line.
    """
    told, embedded = recorded(run)
    if embedder == NONE:
        return (
            "Vectors were not asked for (--embedder none), so that no similarities were measured."
        )
    if embedder is None and told != DEFAULT:
        return (
            f"Similarities with {told} are those that the results state, without figures. To measure "
            f"them anew, name an embedder that you trust: --embedder {told}."
        )
    name = embedder or DEFAULT
    embedded = embedded if log.kind == CODE else "text"
    texts: dict[str, list[str]] = {}
    for line in log.lines():
        programs = embedded == "program"
        texts[line.question] = [v.program for v in line.verdicts] if programs else line.texts
    try:
        found = embed_questions(
            [texts[question] for question in log.questions], make_embedder(name, base_url)
        )
    except UnknownEmbedder as error:
        return str(error)
    except Exception as error:  # whatever a library raises must not cost the report
        return f"Similarities with {name} could not be measured here. {why_unusable(error)}"
    if found.sums is None:
        return f"Similarities with {name} could not be measured: no sample could be embedded."
    local = np.full(len(log.questions), np.nan)
    # Rows are float32: equal ones may come out alike by a little more than 1.
    local[found.known] = np.clip(local_of_each(found.sums), -1.0, 1.0)
    known = np.array(found.known, dtype=int)
    return Embedded(f"{name} of each {embedded}", local, found.sums, known)


def pair_similarities(sums: QuestionSums, seed: int = 0, pairs: int = PAIRS) -> np.ndarray:
    """[P] mean similarity between the samples of two questions, for a seeded draw of pairs of them.

    All pairs where there are no more than `pairs`.
    """
    number = len(sums.counts)
    means = sums.sums / sums.counts[:, None]
    first, second = (
        np.triu_indices(number, 1) if number * (number - 1) // 2 <= pairs else (None, None)
    )
    if first is None or second is None:
        random = np.random.default_rng(seed)
        first = random.integers(number, size=pairs)
        second = (first + random.integers(1, number, size=pairs)) % number  # never itself
    found = np.empty(len(first))
    for start in range(0, len(first), 4096):
        part = slice(start, start + 4096)
        found[part] = np.einsum("ij,ij->i", means[first[part]], means[second[part]])
    return found
