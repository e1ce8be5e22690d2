"""`hm-entropy-volume` on a small model: every number from the model's own logits, and both files."""

import csv
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.entry_points import run
from tests.models.tiny import tiny_checkpoint

TEXTS = ["w1 w2 w3 w4 w5", "w9 w8 w7"]


hm_entropy_volume = partial(run, "hm-entropy-volume")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "model", 0)


def test_csv_and_plot_hold_the_dense_determinants_of_the_models_distributions(model, tmp_path):
    pytest.importorskip("matplotlib")
    texts = tmp_path / "texts.jsonl"
    texts.write_text("\n".join(json.dumps({"text": text}) for text in TEXTS))
    out = tmp_path / "out"
    done = hm_entropy_volume("--model", model, "--texts", texts, "--out", out, "--lr", "0.3")
    assert done.returncode == 0, done.stderr[-2000:]
    assert (out / "entropy_volume.png").stat().st_size > 10_000
    rows = list(csv.DictReader((out / "entropy_volume.csv").open()))
    assert len(rows) == 10 * (5 + 3)

    lm = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(model)
    for row in rows:
        text, position, y = int(row["text"]), int(row["position"]), int(row["token"])
        ids = [
            tokenizer.bos_token_id,
            *tokenizer(TEXTS[text], add_special_tokens=False)["input_ids"],
        ]
        with torch.no_grad():
            logits = lm(torch.tensor([ids])).logits[0, position].double()
        q = torch.softmax(logits, 0).numpy()
        assert y == int(np.argsort(-q)[int(row["rank"]) - 1])
        v = q - np.eye(len(q))[y]
        h = np.diag(v) - np.outer(v, q) - np.outer(q, v)
        dense = np.linalg.slogdet(np.eye(len(q)) - 0.3 * h)[1]
        assert float(row["log_volume"]) == pytest.approx(dense, abs=1e-6)
        assert float(row["entropy"]) == pytest.approx(-(q * np.log(q)).sum(), abs=1e-5)


def test_positions_are_limited_and_plain_files_are_one_text_each(model, tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "a.txt").write_text("w1 w2\nw3 w4")
    (tmp_path / "b.txt").write_text("w5")
    files = (tmp_path / "a.txt", tmp_path / "b.txt")
    done = hm_entropy_volume(
        *("--model", model, "--texts", *files, "--out", tmp_path, "--positions", 3, "--quiet")
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == ""
    rows = list(csv.DictReader((tmp_path / "entropy_volume.csv").open()))
    assert {(row["text"], row["position"]) for row in rows} == {("0", "0"), ("0", "1"), ("0", "2")}


def test_what_holds_no_text_is_refused_before_a_model_is_loaded(tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "bad.jsonl").write_text('{"words": "w1"}')
    (tmp_path / "empty.txt").write_text(" \n")
    for file, sentence in (
        ("bad.jsonl", "line 1: expected JSON with one of text, prompt, question"),
        ("empty.txt", "there is no text"),
        ("none.txt", "cannot be read"),
    ):
        done = hm_entropy_volume(
            "--model", "no/model", "--texts", tmp_path / file, "--out", tmp_path / "out"
        )
        assert done.returncode == 2
        assert sentence in done.stderr
    assert not (tmp_path / "out").exists()
