"""A point's copies for W&B and Trackio say what a run of its own would say, and end with it."""

import pytest

from hm_models.sweep.live import LiveModel
from hm_models.sweep.run import run_point
from tests.instances import HAS_SCORERS
from tests.models.sweep.world import QUESTIONS, settings


class Logger:
    """What the harness's loggers are, without a service."""

    def __init__(self, init_args=None, config_args=None):
        self.run, self.ended = self, 0
        self.said = {"init": init_args, "config": config_args}

    def post_init(self, results):
        self.said["model"] = results["config"]["model"]

    def log_eval_result(self):
        raise OSError("the service is away")

    def log_eval_samples(self, samples):
        self.said["samples"] = samples

    def finish(self):
        self.ended += 1


NEEDS_TRACKIO = pytest.mark.skipif(HAS_SCORERS, reason="harness 0.5.0.dev1 has no Trackio")


@pytest.fixture
def made(monkeypatch):
    """The loggers by name, as they are made."""
    found = {}
    for name in ("WandbLogger", "TrackioLogger"):

        def make(*given, name=name):
            return found.setdefault(name, Logger(*given))

        monkeypatch.setattr(
            f"lm_eval.loggers.{name}", make, raising=False
        )  # 0.5.0.dev1 has no Trackio
    return found


def arguments(base, instruct, task, out, **more):
    given = settings(base, instruct, task)
    pair = {name: given[name] for name in ("base", "instruct")}
    return {
        "model": "hm-merged",
        "model_args": pair | {"alpha": 0.7} | given["model_args"],
        "tasks": ["tiny_words"],
        "include_path": given["include_path"],
        "batch_size": "4",
        "log_samples": True,
        "output_path": str(out),
        "wandb_args": {"project": "p"},
        "trackio_args": {"project": "t"},
        **more,
    }


@NEEDS_TRACKIO
def test_results_are_written_whatever_becomes_of_their_copies(base, instruct, task, tmp_path, made):
    with LiveModel() as live:
        outcome = run_point(arguments(base, instruct, task, tmp_path), live, quiet=True)
    assert outcome.error == ""
    assert len(outcome.files) == 2
    assert made["WandbLogger"].said == {
        "init": {"project": "p"},
        "config": {},
        "model": "hm-merged",
    }
    assert [logger.ended for logger in made.values()] == [1, 1]


@NEEDS_TRACKIO
def test_loggers_get_the_samples(base, instruct, task, tmp_path, made, monkeypatch):
    monkeypatch.setattr(Logger, "log_eval_result", lambda self: None)
    with LiveModel() as live:
        run_point(arguments(base, instruct, task, tmp_path), live, quiet=True)
    assert len(made["TrackioLogger"].said["samples"]["tiny_words"]) == QUESTIONS


@NEEDS_TRACKIO
def test_a_run_that_fails_leaves_no_logger_open(base, instruct, task, tmp_path, made):
    given = arguments(base, instruct, task, tmp_path, tasks=["no_such_task"])
    with LiveModel() as live:
        outcome = run_point(given, live, quiet=True)
    assert "no_such_task" in outcome.error
    assert [logger.ended for logger in made.values()] == [1, 1]
