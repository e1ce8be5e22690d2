"""Every Eval Ever: a record for each row and task, by its schema 0.3.0, in the folders of its datastore.

    OUT/eee/data/TASK/DEVELOPER/MODEL/UUID.json

Source: https://evalevalai.com, the package `every-eval-ever` (`every_eval_ever validate FILE` accepts them).
A row's record keeps its name, so that an export that is made again replaces it.
"""

from __future__ import annotations

import hashlib
import math
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from hm_metrics import definitions
from hm_metrics.answer_names import AnswerName
from hm_metrics.definitions import GLOBAL, LOCAL, at_k, is_count
from hm_metrics.judged_definitions import FULFILLMENT
from hm_metrics.logs.models import Model
from hm_metrics.logs.results import TaskRun
from hm_metrics.report.export.identity import Identity, arguments_of, identify, shown, slug
from hm_metrics.report.rows import Row
from hm_metrics.report.values import Value

SCHEMA = "0.3.0"
LEVEL = 0.95  # of the intervals of `hm_metrics.report.values`
NO_MODEL = ("keyword", "None")  # judges that are none
ENGINES = {"hf": "transformers"}  # by our name of a backend


def records(rows: Sequence[Row], developer: str, now: float) -> Iterator[tuple[str, Any]]:
    """Path below the export's folder and content of each record.

    Args:
        now: seconds since 1970, when the records are made.
    """
    for row in rows:
        model = identify(row, developer)
        for task, run in row.point.runs.items():
            results = [
                _result(row, task, metric, value)
                for metric, value in row.values.get(task, {}).items()
                if not math.isnan(value.value)
                and value.higher_is_better is not None
                and not is_count(metric)
            ]
            if results:
                where = f"data/{slug(task)}/{model.developer}/{model.name}/{_uuid(row, task)}.json"
                yield where, _record(row, task, run, model, results, developer, now)


def _record(
    row: Row,
    task: str,
    run: TaskRun,
    model: Identity,
    results: list[dict[str, Any]],
    developer: str,
    now: float,
) -> dict[str, Any]:
    backend = str(run.run.get("backend") or "")
    engine = ENGINES.get(backend, backend)
    is_own = model.developer == slug(developer)
    info: dict[str, Any] = {
        "name": row.point.id,
        "id": model.id,
        "developer": model.developer,
        "additional_details": _details(row, model),
    }
    if engine:
        info["inference_engine"] = {"name": engine} | _known(version=run.versions.get(engine))
    return {
        "schema_version": SCHEMA,
        "evaluation_id": f"{task}/{model.id}/{now:.0f}",
        "evaluation_timestamp": f"{run.date:.0f}",
        "retrieved_timestamp": f"{now:.0f}",
        "source_metadata": {
            "source_name": "hindsight-merging",
            "source_type": "evaluation_run",
            "source_organization_name": developer or "unknown",
            "evaluator_relationship": "first_party" if is_own else "third_party",
        },
        "eval_library": {
            "name": "lm_eval",
            "version": str(run.versions.get("lm_eval") or "unknown"),
        },
        "model_info": info,
        "evaluation_results": results,
    }


def _details(row: Row, identity: Identity) -> dict[str, str]:
    model = row.point.model
    found = {
        "deployment_type": "self_deployed" if model.base else "unknown",
        "model_availability": "open_weights" if identity.is_on_hub else "unknown",
    }
    if model.base:
        found |= _known(
            base=shown(model.base),
            instruct=shown(model.instruct),
            base_revision=model.base_revision,
            **_digests(model),
            alpha=model.alpha,
            merge_method=model.method,
            stage=model.stage,
            extrapolated="true" if model.extrapolated else "",
        )
    return arguments_of(model) | found


def _digests(model: Model) -> dict[str, str]:
    """What the checkpoints hold, where the results say it: else identities are names with paths."""
    sides = {"base": model.base, "instruct": model.instruct}
    found = zip(sides.items(), model.identities, strict=True)
    return {f"{side}_identity": told for (side, name), told in found if not told.startswith(name)}


def _result(row: Row, task: str, metric: str, value: Value) -> dict[str, Any]:
    run, facts = row.point.runs[task], row.facts.get(task, {})
    return {
        "evaluation_result_id": f"{task}:{metric}",
        "evaluation_name": task,
        "source_data": _data(task, run, value, facts.get("data")),
        "evaluation_timestamp": f"{run.date:.0f}",
        "metric_config": _metric(metric, value, run),
        "score_details": {"score": value.value, "uncertainty": _uncertainty(value)},
        "generation_config": {
            "generation_args": _arguments(run),
            "additional_details": dict(facts),
        },
    }


def _data(task: str, run: TaskRun, value: Value, digest: str | None) -> dict[str, Any]:
    path = run.dataset_path
    found: dict[str, Any] = {"dataset_name": task, "source_type": "other"}
    if shown(path) == path and "/" in path:
        found |= {"source_type": "hf_dataset", "hf_repo": path}
        found |= _known(hf_split=run.config.get("test_split"), samples_number=value.questions)
    details = _known(sha256=digest)
    return found | ({"additional_details": details} if details else {})


def _metric(metric: str, value: Value, run: TaskRun) -> dict[str, Any]:
    known = definitions.of(metric)
    found: dict[str, Any] = {
        "metric_id": metric,
        "metric_name": metric,
        "lower_is_better": value.higher_is_better is False,
    }
    if known:
        found["evaluation_description"] = known.words
    answers = AnswerName.of(metric) if run.headline else None
    if of_k := at_k(metric):
        found |= {"metric_kind": "pass_rate", "metric_parameters": {"k": of_k[1]}}
    elif answers and answers.k:
        threshold = {"threshold": answers.threshold} if answers.threshold else {}
        found["metric_parameters"] = {"k": answers.k} | threshold
    if of_k or metric == FULFILLMENT or (answers and answers.prefix):
        found |= {"metric_unit": "proportion", "score_type": "continuous"}
        found |= {"min_score": 0.0, "max_score": 1.0}
    elif metric in (LOCAL, GLOBAL):
        found |= {"score_type": "continuous", "min_score": -1.0, "max_score": 1.0}
    judging = run.noted("judging")
    judge = str(judging.get("judge"))
    if metric == FULFILLMENT and judge not in NO_MODEL:
        details = {"deployment_type": "unknown", "model_availability": "unknown"}
        found["llm_scoring"] = {
            "judges": [{"model_info": {"name": judge, "id": judge, "additional_details": details}}],
            "input_prompt": f"SHA-256 {judging.get('prompt_sha256', 'unknown')}",
        }
    return found


def _uncertainty(value: Value) -> dict[str, Any]:
    found: dict[str, Any] = _known(num_samples=value.questions)
    if not math.isnan(value.error):
        found["standard_error"] = {"value": value.error, "method": "over questions"}
    if not (math.isnan(value.low) or math.isnan(value.high)):
        found["confidence_interval"] = {
            "lower": value.low,
            "upper": value.high,
            "confidence_level": LEVEL,
        }
    return found


def _arguments(run: TaskRun) -> dict[str, Any]:
    asked = run.config.get("generation_kwargs") or {}
    found = {"temperature": run.temperature, "top_p": asked.get("top_p")}
    tokens = asked.get("max_gen_toks") or asked.get("max_new_tokens")
    numbers = {name: value for name, value in found.items() if _is_number(value)}
    return numbers | ({"max_tokens": tokens} if isinstance(tokens, int) and tokens else {})


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _known(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _uuid(row: Row, task: str) -> uuid.UUID:
    digest = hashlib.sha256(f"{row.point.id}\0{row.point.model.identity}\0{task}".encode()).digest()
    return uuid.UUID(bytes=digest[:16], version=4)
