"""`hm-sweep --detect` and `--portfolio`: what they say of a plan and of results, and what they refuse."""

from pathlib import Path

import numpy as np
import pytest

from hm_metrics.report.detection import detection, rows_in
from hm_models.sweep.preflight import TaskSize
from tests.entry_points import run
from tests.metrics.report.made_runs import CODE, code, merge, write_run
from tests.models.sweep.world import write_task
from tests.models.tiny import tiny_checkpoint


def results(folder: Path) -> Path:
    random = np.random.default_rng(0)
    chances = random.beta(0.5, 0.5, 30)
    for alpha in (0.5, 1.0):
        marks = ["".join("+" if x < p else "-" for x in random.random(10)) for p in chances]
        write_run(folder / f"{alpha}", merge(alpha), {CODE: code(marks, ks=(1, 10))})
    return folder


def test_without_results_a_stated_prior_says_what_would_show_a_difference():
    lines = detection([TaskSize("t", 378, 11), TaskSize("likelihoods", 10)], 0.03, [])
    assert len(lines) == 3
    assert lines[0].startswith(
        "t: a difference of 0.03 in pass@1 shows with a power of 0.8 on 397 "
    )
    assert "13 samples of each of its 378 questions. By a prior: chances" in lines[0]
    assert "in pass@10" in lines[1]
    assert "it has no samples" in lines[2]


def test_the_spread_of_earlier_results_is_used_and_named(tmp_path):
    lines = detection([TaskSize(CODE, 30, 10)], 0.1, rows_in(results(tmp_path)))
    assert all("By the spread of alpha=0.5 and instruct (alpha=1)" in line for line in lines)
    assert lines[0] != detection([TaskSize(CODE, 30, 10)], 0.1, [])[0]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--detect", "0.03"), "give it with --dry-run"),
        (("--detect", "3", "--dry-run"), "a number between 0 and 1"),
        (("--portfolio", "0", "--output_path", "OUT"), "expected a number from 1 on"),
        (("--portfolio", "5", "--dry-run"), "and the folder"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_loaded(words, sentence):
    done = run("hm-sweep", "--base", "B", "--instruct", "I", "--tasks", "t", *words)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_a_dry_run_says_what_would_show_a_difference_and_how_to_spend_samples(
    tmp_path, our_tasks_alone
):
    pair = [tiny_checkpoint(tmp_path / name, seed) for seed, name in enumerate("bi")]
    words = ["--base", pair[0], "--instruct", pair[1], "--tasks", "tiny_words"]
    words += ["--include_path", write_task(tmp_path / "task"), "--model_args", "backend=hf"]
    words += ["--output_path", results(tmp_path / "out"), "--dry-run"]
    done = run("hm-sweep", *words, "--detect", "0.1", "--portfolio", "4")
    assert done.returncode == 0, done.stderr
    assert "tiny_words: a difference of 0.1 in pass@1 shows" in done.stdout
    assert f"B → I, {CODE}: 4 samples are best spent as" in done.stdout
