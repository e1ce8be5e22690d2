"""gsm8k_passk on the real test problems, where GSM8K_TEST names a copy of them: `question`, `answer`."""

import dataclasses
import os
from pathlib import Path

import pytest
from lm_eval.evaluator import evaluate
from lm_eval.tasks import TaskManager

import hm_tasks
from hm_models.files.text_files import json_lines
from tests.tasks.any_passk.ten_tasks import CASES, Saying

OURS = Path(hm_tasks.__file__).parent
SIZE = 1319
needs_file = pytest.mark.skipif(
    not os.environ.get("GSM8K_TEST"), reason="GSM8K_TEST names no copy of GSM8K's test problems"
)


@needs_file
@pytest.mark.parametrize("limit", [20, pytest.param(None, marks=pytest.mark.engine)])
def test_its_own_solutions_are_right_and_what_is_one_more_is_wrong(limit, tmp_path):
    rows = [line.value for line in json_lines(Path(os.environ["GSM8K_TEST"]))]
    assert len(rows) == SIZE
    given = []
    for row in rows:
        working, _, answer = row["answer"].partition("\n#### ")
        wrong = int(answer.replace(",", "")) + 1
        given.append(
            [f"{working}\nThe answer is {answer}.", f"The answer is {wrong}.", "I give up"]
        )
    dataclasses.replace(CASES[0], rows=rows).yaml_in(tmp_path)
    asked = {"n_samples": 3, "k": [1, 3], "g_pass_thresholds": [0.5], "diversity": []}
    manager = TaskManager(include_path=[OURS, tmp_path], include_defaults=False, metadata=asked)
    loaded = manager.load(["gsm8k_passk"])["tasks"]
    loaded["gsm8k_passk"].set_fewshot_seed(0)
    found = evaluate(Saying(given), loaded, limit=limit, bootstrap_iters=0)
    numbers = found["results"]["gsm8k_passk"]
    expected = {
        "pass@1": 1 / 3,
        "pass@3": 1,
        "avg@n": 1 / 3,
        "g_pass@3_0.5": 0,
        "distinct_answers": 2,
    }
    # Two read answers of three, one of them right: all three together are a tie, alone each votes.
    expected |= {"maj@1": 1 / 3, "maj@3": 1 / 2, "unread_answers": limit or SIZE}
    strict = {name: numbers[f"{name},strict-match"] for name in expected}
    assert strict == pytest.approx(expected)
    assert numbers["pass@3,flexible-extract"] == 1
    first = found["samples"]["gsm8k_passk"][0]["arguments"][0][0]
    assert first.endswith(f"\n\nQ: {rows[0]['question']}\nA:")
    assert first.count("The answer is") == 8, "the worked examples of gsm8k_cot"
