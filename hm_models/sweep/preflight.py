"""Whether every point of a sweep can be run, said before any weight is loaded; and what it amounts to.

Tasks are loaded by the harness's own code, which knows what they refuse (a k above n, a missing data
set); each pair's checkpoints are opened and planned at each alpha, as the run itself would do.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import itertools
import json
import logging
import math
from argparse import Namespace
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hm_models.checkpoints.checkpoint import CheckpointError
from hm_models.engines.sampling_arguments import check_sampling
from hm_models.errors import RecipeError, did_you_mean
from hm_models.merge.contract import Merge, tokenizer_checkpoint
from hm_models.merge.recipe import MergeRecipe
from hm_models.plugin.contracts import Verbalizes
from hm_models.prompts.chat_templates import NO_TEMPLATE, GivenTemplate
from hm_models.samples.generation import checked
from hm_models.samples.key import is_sampled
from hm_models.samples.sampler import VERBALIZED, Sampler
from hm_models.sweep.config import SweepConfig, SweepError
from hm_models.sweep.live import LiveMerged, LiveModel
from hm_models.sweep.pairs import Pair
from hm_models.sweep.points import Point, points_of, shaping
from hm_models.sweep.run import BESIDE_MODEL_ARGS


@dataclasses.dataclass(frozen=True)
class TaskSize:
    """How much a task asks for; None is unknown.

    Attributes:
        questions: documents, after limit or samples.
        samples: of each question; None for tasks that are scored by likelihoods.
        max_tokens: at most so many in a sample.
        identity: what of the loaded task shapes the results.
    """

    name: str
    questions: int | None = None
    samples: int | None = None
    max_tokens: int | None = None
    identity: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def answers(self) -> int | None:
        if self.questions is None or self.samples is None:
            return None
        return self.questions * self.samples


@dataclasses.dataclass(frozen=True)
class Preflight:
    """What was found.

    Attributes:
        fingerprints: of each point by its label; "" where a checkpoint is not on this machine.
        problems: sentences; with any, nothing is run.
        notes: what could not be checked.
    """

    tasks: tuple[TaskSize, ...]
    fingerprints: Mapping[str, str]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def check(config: SweepConfig, fetch: bool = True) -> Preflight:
    """Check all points; no weight is loaded.

    Args:
        fetch: get checkpoints from the hub where they are not on this machine.
    """
    points = points_of(config)
    problems: list[str] = []
    notes: list[str] = []
    tasks = tuple(TaskSize(name) for name in config.tasks)
    # What a sampler asks of tasks (`verbalized`), they may refuse.
    told = {json.dumps(point.sampler.metadata()): point for point in reversed(points)}
    for point in told.values():
        try:
            loaded = load_tasks(config, point)
            tasks = loaded if point is points[0] else tasks
        except Exception as error:  # tasks are anybody's code, and the reason is theirs
            problems.append(_sentence("tasks", error))
    fingerprints = dict.fromkeys((point.label for point in points), "")
    away = {} if fetch else {pair.label: _away(pair) for pair in config.pairs}
    for name in itertools.chain.from_iterable(away.values()):
        notes.append(f"{name} is not on this machine: checked when the sweep runs.")
    with _silent("hm_models"), LiveModel() as models:
        for point in points:
            arguments = point.run_arguments(config, Path())
            try:
                if away.get(point.pair.label):
                    _check_recipe(point, config)
                    continue
                beside = {key: arguments[key] for key in BESIDE_MODEL_ARGS if key in arguments}
                model = models.at(arguments["model_args"] | beside)
                if point.pair.stage:
                    _check_instruct(model)
                _check_prompts(model, config, point.sampler)
                check_sampling(model.engine, arguments.get("gen_kwargs", {}))
                fingerprints[point.label] = _fingerprint(arguments, model.recipe, tasks)
            except Exception as error:  # also of transformers, which reads the tokenizer
                problems.append(_sentence(point.label, error))
                models.shut_down()
    return Preflight(tasks, fingerprints, _once(problems), tuple(dict.fromkeys(notes)))


def load_tasks(config: SweepConfig, point: Point) -> tuple[TaskSize, ...]:
    """Load the tasks as the run will, and count what they ask for.

    Raises:
        SweepError: a name that the harness does not know.
        Exception: what a task refuses.
    """
    from lm_eval.config.evaluate_config import EvaluatorConfig

    arguments = point.run_arguments(config, Path())
    known = {field.name for field in dataclasses.fields(EvaluatorConfig)}
    if unknown := sorted(arguments.keys() - known):
        raise SweepError(
            f"{unknown[0]}: lm_eval {version('lm_eval')} has no such setting. Leave it out."
        )
    run = EvaluatorConfig.from_cli(Namespace(**copy.deepcopy(arguments)))
    given = arguments.get("gen_kwargs", {})
    try:
        manager = run.process_tasks(run.metadata)
    except ValueError as error:
        raise SweepError(_with_nearest(str(error), config)) from None
    try:
        loaded = manager.load(run.tasks)["tasks"]
    except KeyError as error:  # 0.5.0.dev1 says so here
        if "not a registered" not in str(error):
            raise
        raise SweepError(_with_nearest(error.args[0], config)) from None
    if (repeats := arguments.get("repeats")) is not None:
        for task in loaded.values():
            task.set_repeats(repeats)
    for name, task in loaded.items():
        _check_draws(name, task, config)
        if point.sampler.metadata() and not isinstance(task, Verbalizes):
            raise SweepError(
                f"{name} knows no {VERBALIZED}, so that the sampler ({point.sampler}) would not do what it "
                "says. Sweep it apart; of the harness's tasks any_passk makes ones that know it."
            )
    return tuple(_size(name, task, given, config.harness) for name, task in loaded.items())


def _check_draws(name: str, task: Any, config: SweepConfig) -> None:
    """A sampler that says nothing of a temperature needs a task that draws."""
    for sampler in config.samplers:
        asked = {**(task.config.generation_kwargs or {}), **sampler.gen_kwargs()}
        greedy = not is_sampled({**asked, **config.gen_kwargs})
        if sampler.needs_draws and greedy and task.config.output_type == "generate_until":
            raise SweepError(
                f"{name} draws nothing by itself (it is greedy), so that the sampler ({sampler}) would change "
                "nothing. Give the sampler a temperature, too."
            )


def _size(name: str, task: Any, given: Mapping[str, Any], harness: Mapping[str, Any]) -> TaskSize:
    settings = task.config
    questions = len(task.eval_docs)
    if (limit := harness.get("limit")) is not None:  # as the harness counts, get_sample_size
        limit = math.ceil(questions * limit) if limit < 1 else int(limit)
        questions = min(questions, limit)
    if isinstance(chosen := harness.get("samples"), Mapping):
        questions = len(chosen.get(name, range(questions)))
    metadata = settings.metadata or {}
    generation = checked({**(settings.generation_kwargs or {}), **given})
    identity = {
        "version": str(task.VERSION),
        "generation_kwargs": generation,
        "repeats": settings.repeats,
        "dataset_sha256": metadata.get("dataset_sha256"),
    }
    if settings.output_type != "generate_until":
        return TaskSize(name, questions, identity=identity)
    tokens = generation.get("max_gen_toks") or generation.get("max_new_tokens")
    samples = settings.repeats * (task.answers_a_call if isinstance(task, Verbalizes) else 1)
    return TaskSize(name, questions, samples, tokens, identity)


def _with_nearest(message: str, config: SweepConfig) -> str:
    from lm_eval.tasks import TaskManager

    known = TaskManager(include_path=config.harness.get("include_path")).all_tasks
    hints = [did_you_mean(task, known) for task in config.tasks if task in message]
    return f"{message}.{''.join(hints)} `lm_eval ls tasks` shows all."


def _check_instruct(model: LiveMerged) -> None:
    """Alpha 1 must be the same model for all stages."""
    base, instruct = model.recipe.checkpoints
    if instruct.adapted and not base.adapted:
        raise SweepError(
            f"{instruct.name} is an adapter, and what it is added to would be another model at each stage, "
            "also at alpha 1. Write the instruct model first (hm-merge --alpha 1), or give the stages as "
            "adapters, too."
        )


def _check_prompts(model: LiveMerged, config: SweepConfig, sampler: Sampler) -> None:
    asks_in_turns = config.harness.get("apply_chat_template") or model.prompt_style == "chat"
    if sampler.metadata() and not asks_in_turns:
        raise SweepError(
            f"the sampler ({sampler}) asks in a chat, and this point is given prompts to complete. Leave "
            "alpha 0 out, or say prompt_style: chat in model_args."
        )
    if asks_in_turns and not model.tokenizer.chat_template:
        raise SweepError(f"{tokenizer_checkpoint(model.recipe).name} {NO_TEMPLATE}")


def _fingerprint(arguments: Mapping[str, Any], recipe: Merge, tasks: tuple[TaskSize, ...]) -> str:
    """A SHA-256 of everything that shapes a point: settings, checkpoints by content, tasks."""
    shapes = shaping(dict(arguments))
    # Where the checkpoints lie does not count, what is in them does.
    places = ("base", "instruct", "base_revision", "instruct_revision")
    shapes["model_args"] = {k: v for k, v in shapes["model_args"].items() if k not in places}
    if given := GivenTemplate.of(shapes["model_args"].get("chat_template")):
        shapes["model_args"]["chat_template"] = given.sha256
    parts = [shapes, recipe.fingerprint(), {task.name: dict(task.identity) for task in tasks}]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _away(pair: Pair) -> list[str]:
    """Which of a pair's checkpoints would have to be fetched from the hub."""
    away = []
    for side in ("base", "instruct"):
        name = getattr(pair, side)
        if Path(name).expanduser().is_dir() or name.count("/") != 1:
            continue
        from huggingface_hub import snapshot_download

        try:
            snapshot_download(
                name, revision=getattr(pair, f"{side}_revision"), local_files_only=True
            )
        except Exception:  # whatever the reason, it is not here
            revision = getattr(pair, f"{side}_revision")
            away.append(f"{name} at {revision}" if revision else name)
    return away


def _check_recipe(point: Point, config: SweepConfig) -> None:
    """What can be said against a point without its checkpoints, as RecipeError."""
    MergeRecipe(
        point.pair.base,
        point.pair.instruct,
        point.alpha,  # type: ignore[arg-type]
        merge_method=point.method.name,
        merge_params=dict(point.method.params),
        extrapolate=config.extrapolate,
    )


def _sentence(where: str, error: Exception) -> str:
    known = isinstance(error, (RecipeError, CheckpointError, SweepError))
    return f"{where}: {error}" if known else f"{where}: {type(error).__name__}: {error}"


def _once(sentences: list[str]) -> tuple[str, ...]:
    """Each reason once, with the first point that it stands for."""
    seen: dict[str, str] = {}
    for sentence in sentences:
        seen.setdefault(sentence.partition(": ")[2] or sentence, sentence)
    return tuple(seen.values())


@contextlib.contextmanager
def _silent(name: str) -> Iterator[None]:
    """Leave out warnings that each run says again."""
    log = logging.getLogger(name)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
