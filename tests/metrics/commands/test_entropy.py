"""`hm-entropy` reads a log by a merge, and its numbers are those of the model's own logits."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.entry_points import run
from tests.models.tiny import tiny_checkpoint

TEXTS = {1: [" w4 w5", " w6"], 2: [" w9 w8 w7", " w9 w8 w7"]}


hm_entropy = partial(run, "hm-entropy")


@pytest.fixture
def log(tmp_path) -> Path:
    lines = [
        {
            "doc_id": number,
            "doc": {"task_id": f"Mine/{number}"},
            "arguments": {"gen_args_0": {"arg_0": "w1 w2 w3"}},
            "resps": [texts],
            "filtered_resps": [texts],
        }
        for number, texts in TEXTS.items()
    ]
    file = tmp_path / "samples_mine.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    return file


def test_entropy_and_surprisal_are_those_of_the_models_logits(log, tmp_path):
    for seed, name in enumerate(("base", "instruct")):
        tiny_checkpoint(tmp_path / name, seed, dtype=torch.float32)
    # A wrapped task's log has each question once for each filter, with the same texts.
    twice = tmp_path / "samples_twice.jsonl"
    lines = log.read_text().splitlines()
    twice.write_text(
        "\n".join(json.dumps(json.loads(x) | {"filter": f}) for f in "ab" for x in lines)
    )
    empty = tmp_path / "samples_empty.jsonl"
    empty.write_text(json.dumps(json.loads(lines[0]) | {"resps": [[""]], "filtered_resps": [[""]]}))
    output = tmp_path / "found.json"
    pair = f"base={tmp_path / 'base'},instruct={tmp_path / 'instruct'},alpha=1"
    options = ("--model_args", f"{pair},backend=hf", "--output", output)
    done = hm_entropy(log, twice, empty, *options)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "token_entropy " in done.stdout
    assert "unscored ± N/A" in done.stdout

    model = AutoModelForCausalLM.from_pretrained(tmp_path / "instruct", dtype=torch.float32)
    entropy = surprisal = tokens = 0.0
    vocabulary = json.loads((tmp_path / "instruct" / "tokenizer.json").read_text())["model"][
        "vocab"
    ]
    for texts in TEXTS.values():
        for text in texts:
            ids = [vocabulary[word] for word in f"w1 w2 w3{text}".split()]
            with torch.no_grad():
                log_p = torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), -1)
            for place in range(3, len(ids)):
                entropy -= float((log_p[place - 1].exp() * log_p[place - 1]).sum())
                surprisal -= float(log_p[place - 1, ids[place]])
                tokens += 1
    found, of_filters, _ = json.loads(output.read_text())["logs"].values()
    assert of_filters == found
    assert found["results"]["token_entropy"] == pytest.approx(entropy / tokens, rel=1e-5)
    assert found["results"]["token_surprisal"] == pytest.approx(surprisal / tokens, rel=1e-5)
    assert found["results"]["token_entropy_bound"] == 0
    assert [part["tokens"] for part in found["samples"]["Mine/2"]] == [3, 3]


def test_bad_input_is_refused_before_a_model_is_loaded(log, tmp_path):
    done = hm_entropy(tmp_path / "none.jsonl", "--model_args", "base=a,instruct=b,alpha=1")
    assert done.returncode == 2
    assert "none.jsonl cannot be read" in done.stderr
    done = hm_entropy(log, "--model_args", "base=a,instruct=b,alpha=2")
    assert done.returncode == 2
    assert "alpha" in done.stderr


def test_models_that_take_turns_are_refused_before_they_are_loaded(log, tmp_path):
    for seed, name in enumerate(("base", "instruct")):
        tiny_checkpoint(tmp_path / name, seed)
    pair = f"base={tmp_path / 'base'},instruct={tmp_path / 'instruct'},merge_method=switch"
    done = hm_entropy(log, "--model_args", f'{pair},merge_params={{"every":2}}')
    assert done.returncode == 2
    assert "merge_method=switch says nothing of a text that is given" in done.stderr
