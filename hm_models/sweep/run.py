"""One point: what `lm_eval run` does with these settings, in this process, with the live model.

    with LiveModel() as live:
        outcome = run_point(point.run_arguments(config, out), live)

Settings, results, samples, loggers and tables are the harness's, by its public functions: the command itself
(`lm_eval/_cli/run.py`) makes a model of its own each time.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
import os
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hm_models.shown.screen import say
from hm_models.sweep.live import LiveModel, RunCost

# What the harness writes into a run's folder.
OUTPUTS = ("results_*.json", "samples_*.jsonl")
# What `simple_evaluate` takes of the harness's configuration under the same name.
AS_CONFIGURED = (
    *("tasks", "num_fewshot", "batch_size", "max_batch_size", "device", "use_cache", "limit", "samples"),
    *("log_samples", "system_instruction", "apply_chat_template", "fewshot_as_multiturn", "gen_kwargs"),
    *("predict_only", "confirm_run_unsafe_code", "metadata", "model_args", "repeats"),
)  # fmt: skip
# Arguments of the model that the command line has options of their own for.
BESIDE_MODEL_ARGS = ("batch_size", "max_batch_size", "device")
SEEDS = ("random_seed", "numpy_random_seed", "torch_random_seed", "fewshot_random_seed")

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes:
        files: what it wrote, relative to its output_path.
        error: a sentence, or "" if it is done.
        seconds: all of it; `loading` and `generating` are parts of it.
        samples, tokens: generated in this run, kept ones not counted.
    """

    files: tuple[str, ...] = ()
    error: str = ""
    seconds: float = 0.0
    loading: float = 0.0
    generating: float = 0.0
    engines: int = 0
    samples: int = 0
    tokens: int = 0

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Outcome:
        """Of plain JSON."""
        return cls(**{**fields, "files": tuple(fields["files"])})


def run_point(arguments: Mapping[str, Any], live: LiveModel, quiet: bool = False) -> Outcome:
    """Run `lm_eval run` with these settings (the harness's names); never raises for a failed run.

    Args:
        live: a run that fails ends its engine, as nobody knows what state it is in.
        quiet: leave out what the harness prints.
    """
    folder = Path(arguments["output_path"])
    before, started, error = _outputs(folder), time.monotonic(), ""
    live.spent = spent = RunCost()
    try:
        with open(os.devnull, "w") as nowhere, contextlib.ExitStack() as stack:
            if quiet:
                stack.enter_context(contextlib.redirect_stdout(nowhere))
            # The harness changes what it is given.
            _run(copy.deepcopy(dict(arguments)), live, stack)
    except (Exception, SystemExit) as problem:
        logger.exception("The run in %s failed.", folder)
        error = f"{type(problem).__name__}: {problem}"
    files = tuple(str(file.relative_to(folder)) for file in sorted(_outputs(folder) - before))
    if not error and not any(Path(file).name.startswith("results_") for file in files):
        error = f"The harness wrote no results into {folder}."
    if error:
        live.shut_down()
    return Outcome(files, error, time.monotonic() - started, **dataclasses.asdict(spent))


def _run(arguments: dict[str, Any], live: LiveModel, ending: contextlib.ExitStack) -> None:
    from lm_eval import simple_evaluate
    from lm_eval.config.evaluate_config import EvaluatorConfig
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.utils import make_table

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    config = EvaluatorConfig.from_cli(Namespace(**arguments))
    loggers = _loggers(config, ending)
    token = {"token": os.environ["HF_TOKEN"]} if os.environ.get("HF_TOKEN") else {}
    to = {**config.hf_hub_log_args, "output_path": config.output_path, **token}
    tracker = EvaluationTracker(**to)
    manager = config.process_tasks(config.metadata)
    beside = {k: v for k in BESIDE_MODEL_ARGS if (v := getattr(config, k)) is not None}
    model = live.at({**config.model_args, **beside})
    results = simple_evaluate(
        model=model,
        task_manager=manager,
        evaluation_tracker=tracker,
        **{name: getattr(config, name) for name in AS_CONFIGURED if name in dir(config)},
        **dict(zip(SEEDS, _seeds(config.seed), strict=True)),
    )
    if results is None:  # of another process than the first
        return
    # Of a model that is there already, the harness knows no name.
    results["config"]["model"] = tracker.general_config_tracker.model_source = config.model
    samples = results.pop("samples")
    for each in loggers:
        try:
            each.post_init(results)
            each.log_eval_result()
            each.log_eval_samples(samples)
        except Exception as problem:  # results are written whatever becomes of their copies
            logger.warning("Logging to %s failed: %s", type(each).__name__, problem)
    tracker.save_results_aggregated(results=results, samples=samples)
    for task in results["configs"]:
        tracker.save_results_samples(task_name=task, samples=samples[task])
    if tracker.push_results_to_hub or tracker.push_samples_to_hub:
        tracker.recreate_metadata_card()
    settings = ("gen_kwargs", "limit", "num_fewshot", "batch_size")
    said = ", ".join(f"{name}: {getattr(config, name)}" for name in settings)
    say(f"{config.model} ({config.model_args}), {said}")
    say(make_table(results))
    if "groups" in results:
        say(make_table(results, "groups"))


def _seeds(given: Any) -> Sequence[int | None]:
    """One for each; 0.5.0.dev1 leaves a number of a YAML as it is."""
    return given if isinstance(given, (list, tuple)) else (given,) * len(SEEDS)


def _loggers(config: Any, ending: contextlib.ExitStack) -> list[Any]:
    """Those that are asked for; however the run ends, the next one is not written into this one's."""
    from lm_eval.loggers import WandbLogger

    found: list[Any] = []
    if config.wandb_args:
        found.append(wandb := WandbLogger(config.wandb_args, config.wandb_config_args))
        ending.callback(wandb.run.finish)
    if "trackio_args" in dir(config) and config.trackio_args:  # 0.5.0.dev1 has none
        from lm_eval.loggers import TrackioLogger

        found.append(trackio := TrackioLogger(config.trackio_args))
        ending.callback(trackio.finish)
    return found


def _outputs(folder: Path) -> set[Path]:
    return {file for pattern in OUTPUTS for file in folder.rglob(pattern)}
