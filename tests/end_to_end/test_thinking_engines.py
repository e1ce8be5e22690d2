"""Both backends give the same answer for the same tokens, thoughts and stop strings included."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.models.samples.say_scripted import CASES, PLAIN, SCRIPT, THINKING, say
from tests.models.samples.scripted import scripted_model, tokenizer

ROOT = Path(__file__).parents[2]
THOUGHT, _, REST = SCRIPT.partition("</think>")
STOPPED = len(SCRIPT.split(" And")[0])  # tokens, one a letter
RIGHT = {
    "a stop string": [f"{THOUGHT}</think>\nYes. ", [25, 31], STOPPED],
    "none": [SCRIPT, [25, len(SCRIPT)], len(SCRIPT) + 1],
    "behind the marker at once": [f"{THOUGHT}</think>", [25, 25], 29],
    "cut off in the thought": ["I say STOP h", None, 12],
    "cut off in the answer": [SCRIPT[:30], [25, 30], 30],
    "no thought": ["I say ", "not told", 10],
    "given": ["Yes. ", [0, 5], STOPPED],
    "given, by its tokens' text, and cut off": ["I say ", None, 12],
    "given, without a beginning": ["Yes. ", [0, 5], STOPPED],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scripted")
    assert len(THINKING) == len(PLAIN)
    scripted_model(folder / "model", tokenizer(), THINKING, SCRIPT)
    return folder


def test_transformers_says_what_is_right(folder):
    say("hf", folder)
    assert json.loads((folder / "hf.json").read_text()) == RIGHT
    assert RIGHT.keys() == CASES.keys()


@pytest.mark.engine
@pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed")
def test_vllm_says_what_is_right(folder):
    command = [sys.executable, "-m", "tests.models.samples.say_scripted", "vllm", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads((folder / "vllm.json").read_text()) == RIGHT
