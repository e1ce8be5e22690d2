"""The lines of docs/python.md run, one after another, on a tiny pair and a small sweep."""

import functools
import re
from pathlib import Path

import lm_eval
import numpy as np

import hm_models
from tests.metrics.report.made_runs import code, merge, write_run

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
SMALL = {
    "limit": 1,
    "confirm_run_unsafe_code": True,
    "metadata": {"n_samples": 10, "k": [1, 10]},
    "gen_kwargs": "max_gen_toks=4",
    "bootstrap_iters": 0,
}


def blocks() -> list[str]:
    """The indented parts of the page."""
    lines = PAGE.read_text("utf8").splitlines()
    kept = [line[4:] if line.startswith("    ") else "" if not line else "#END" for line in lines]
    return [part for part in re.split(r"(?:#END\n?)+", "\n".join(kept)) if part.strip()]


def test_every_line_of_the_page_runs(tiny_pair, tmp_path, monkeypatch, our_tasks_alone, capsys):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "demo_pair").symlink_to(tiny_pair)
    random = np.random.default_rng(0)
    for alpha in (0.7, 1.0):
        marks = ["".join(random.choice(["+", "-"], 10)) for _ in range(12)]
        tasks = {"demo_passk": code(marks, ks=(1, 10))}
        write_run(tmp_path / "runs" / "sweep" / f"{alpha}", merge(alpha), tasks)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        lm_eval, "simple_evaluate", functools.partial(lm_eval.simple_evaluate, **SMALL)
    )
    wanted = functools.partial(hm_models.HindsightMerged, backend="hf", device="cpu")
    monkeypatch.setattr(hm_models, "HindsightMerged", wanted, raising=False)
    assert len(blocks()) == 6
    names: dict = {}
    for block in blocks():
        exec(block, names)
    said = capsys.readouterr().out
    assert [line for line in said.splitlines() if line.endswith(" 0.0")] == [
        "1 0.0",
        "0.9 0.0",
        "0.7 0.0",
    ]
    assert "model.embed_tokens.weight (80, 32)" in said
    assert names["lm"].recipe.alpha == 0.7
    assert list(names["frame"]["alpha"]) == [0.7, 1.0]
    assert (tmp_path / "pass_at_k.svg").read_text().startswith("<?xml")
