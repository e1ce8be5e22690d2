"""Where a log's samples are from, out of the results file that the harness wrote beside it.

    origin = origin_of(Path("OUT/MODEL/samples_mbppplus_passk_2026-01-01T00-00-00.jsonl"))
    origin.fields, origin.versions

Runs of the plain harness have no merge, and so no alpha.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from hm_metrics.logs.results_file import LOG, ResultsError, open_results, results_beside
from hm_metrics.logs.samples import Logged
from hm_models.files.text_files import MALFORMED, is_own
from hm_models.samples.generation import LENGTHS
from hm_models.samples.sampler import PARAMETERS
from hm_models.shown.escaping import one_line
from hm_tasks.judges.settings import KEYWORD

LONGEST_NAME = 1000  # letters of a model's name or folder
MOST, NESTED = 100_000, 200  # letters and brackets of what is known of a log
# Of a merge, what else than its two sides and alpha shapes it.
MERGE = (
    "merge_method",
    "merge_dtype",
    "merge_params",
    "base_params",
    "instruct_params",
    "models",
    "base_model",
    "merge_seed",
)
SAMPLING = ("do_sample", *PARAMETERS, *LENGTHS)
# The benchmarks whose answers a judge labels, as the names of their tasks begin.
SORRY_BENCH, XSTEST, NOVELTY_BENCH = JUDGED = ("sorry_bench", "xstest", "novelty_bench")
# Limits of grading one answer beyond which a log's own are not believed: seconds, and MiB.
MOST_SECONDS, MOST_MEMORY = 60.0, 8192


@dataclasses.dataclass(frozen=True)
class Wrapped:
    """What the results of a task that wraps another one (docs/any_passk.md) say of that.

    Attributes:
        task: the inner task's name.
        filter, metric: the headline's.
        seconds, memory_mib: limits of grading one answer.
        config: the inner task's configuration as it was asked; {} for one that a record tells of.
    """

    task: str
    filter: str
    metric: str
    seconds: float
    memory_mib: int
    config: dict[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    def told(self) -> dict[str, Any]:
        """What a record tells of it: the arguments that make it anew."""
        fields = dataclasses.asdict(self)
        del fields["config"]
        return fields


@dataclasses.dataclass(frozen=True)
class Labelling:
    """What the results of a benchmark with a judge say of who labelled its answers.

    Attributes:
        benchmark: one of JUDGED.
        by: `judge NAME`; of NoveltyBench's classes `classifier NAME` or `embedder NAME` as well.
        dataset: digest of its prompts.
        prompt_sha256: of how the judge was asked; empty for others.
        rated_by: who rated NoveltyBench's answers, likewise; empty for nobody.
    """

    benchmark: str
    by: str
    dataset: str
    prompt_sha256: str = ""
    rated_by: str = ""

    @property
    def is_by_phrases(self) -> bool:
        """Whether no judge but a list of phrases made the labels."""
        return self.by == f"judge {KEYWORD}"

    def told(self) -> dict[str, Any]:
        """What a record tells of it."""
        fields = dataclasses.asdict(self)
        del fields["dataset"]
        return fields


@dataclasses.dataclass(frozen=True)
class LogOrigin:
    """What made a log.

    Attributes:
        task: its task's name; empty for a file that is named otherwise.
        fields: `task`, `model`, and for a merge `base`, `instruct`, `alpha`, `fingerprint`, `merge`,
            for one of many models `models` (their names) in place of the first three;
            `seed`; `sampling` as the task asks it. What the results do not say is not there.
        versions: of the software, as the results have them.
        wrapped: of a task that wraps another one, that.
        judged: of a benchmark with a judge, that.
    """

    task: str = ""
    fields: dict[str, Any] = dataclasses.field(default_factory=dict)
    versions: dict[str, Any] = dataclasses.field(default_factory=dict)
    wrapped: Wrapped | None = None
    judged: Labelling | None = None


def origin_of(file: Path) -> LogOrigin:
    """The origin of a log; a results file that is missing or damaged tells nothing."""
    named = LOG.fullmatch(file.name)
    if named is None:
        return LogOrigin()
    task = named["task"]
    beside = results_beside(file)
    try:
        results = open_results(beside) if is_own(beside, file.parent) else None
    except ResultsError:
        results = None
    if results is None:
        return LogOrigin(task, {"task": task})
    data, run = results.data, results.run
    config = _mapping(results.configs.get(task))
    kwargs = _mapping(config.get("generation_kwargs"))
    merge = _mapping(run.get("merge"))
    fields = {
        "task": task,
        "model": _name(data.get("model_name") or run.get("model")),
        **{name: _name(merge.get(name)) for name in ("base", "instruct", "fingerprint")},
        "models": _models(merge.get("models")),
        "alpha": merge.get("alpha"),
        "merge": {name: merge[name] for name in MERGE if merge.get(name) not in (None, {})},
        "seed": _mapping(run.get("sampling")).get("seed"),
        "sampling": sampling(kwargs),
    }
    known = {name: value for name, value in fields.items() if value not in (None, {}, [])}
    if not _is_plain(known):
        return LogOrigin(task, {"task": task})
    versions = _mapping(run.get("versions"))
    return LogOrigin(task, known, versions, _wrapped(config), _judged(task, config))


def of_request(line: Logged) -> dict[str, Any]:
    """What a logged line says of its request: `prompt_sha256`, and `sampling` as it was sent."""
    try:
        prompt, kwargs = line.request
    except MALFORMED:
        return {}
    found: dict[str, Any] = {}
    if isinstance(prompt, str):
        found["prompt_sha256"] = hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()
    if asked := sampling(_mapping(kwargs)):
        found["sampling"] = asked
    return found


def sampling(kwargs: dict[str, Any]) -> dict[str, Any]:
    """How texts were drawn, out of a request's arguments."""
    return {name: kwargs[name] for name in SAMPLING if isinstance(kwargs.get(name), (int, float))}


def _wrapped(config: dict[str, Any]) -> Wrapped | None:
    """What a task's configuration says of the task that it wraps; None where that is not all there."""
    metadata = _mapping(config.get("metadata"))
    headline = _mapping(metadata.get("headline"))
    names = [metadata.get("passk_of"), headline.get("filter"), headline.get("metric")]
    if not all(isinstance(name, str) and one_line(name, LONGEST_NAME) == name for name in names):
        return None
    task, of_filter, metric = map(str, names)
    seconds = _limit(metadata.get("seconds"), MOST_SECONDS)
    memory = _limit(metadata.get("memory_mib"), MOST_MEMORY)
    inner = _mapping(config.get("inner"))
    return Wrapped(task, of_filter, metric, seconds, max(int(memory), 1), inner)


def _judged(task: str, config: dict[str, Any]) -> Labelling | None:
    """What a benchmark's configuration says of its judge; None for other tasks, or where nobody is named."""
    benchmark = next((name for name in JUDGED if task == name or task.startswith(f"{name}_")), None)
    metadata = _mapping(config.get("metadata"))
    labels = _mapping(metadata.get("classes" if benchmark == NOVELTY_BENCH else "judging"))
    by, dataset = _who(labels), _name(_mapping(metadata.get("dataset")).get("sha256"))
    if benchmark is None or not by or not dataset:
        return None
    rated_by = _who(_mapping(metadata.get("ratings")))
    return Labelling(benchmark, by, dataset, _name(labels.get("prompt_sha256")) or "", rated_by)


def _who(labels: dict[str, Any]) -> str:
    """Who made labels, in words; empty where that is nobody."""
    name = _name(labels.get("judge")) or _name(labels.get("model"))
    return f"{_name(labels.get('by')) or 'judge'} {name}" if name else ""


def _limit(given: Any, most: float) -> float:
    return float(min(given, most)) if type(given) in (int, float) and given > 0 else most


def _is_plain(fields: dict[str, Any]) -> bool:
    """Whether values are small enough to stand with each record: a merge's settings are a few words."""
    try:
        text = json.dumps(fields)
    except RecursionError:
        return False
    return len(text) < MOST and text.count("[") + text.count("{") < NESTED


def _name(value: Any) -> str | None:
    """A name on one line; it goes into cards and their headers."""
    return one_line(value, LONGEST_NAME) if isinstance(value, str) else None


def _models(value: Any) -> list[str]:
    """The names of a merge of many models, in their order."""
    listed = value if isinstance(value, list) else []
    return [name for name in (_name(_mapping(model).get("model")) for model in listed) if name]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
