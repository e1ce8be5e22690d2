"""A run that is killed with -9 again and again ends with the samples of one that nobody disturbed."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from tests.models.tiny import tiny_checkpoint

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_resume.py"
SMALL = '{"max_model_len": 256, "enforce_eager": true, "kv_cache_memory_bytes": 134217728}'


@pytest.mark.engine
@pytest.mark.parametrize(
    ("backend", "kills", "arguments"),
    [
        ("hf", 2, "{}"),
        pytest.param("hf", 10, "{}", marks=pytest.mark.campaign),
        pytest.param("vllm", 10, SMALL, marks=pytest.mark.campaign),
    ],
)
def test_killed_runs_lose_nothing_and_generate_nothing_twice(tmp_path, backend, kills, arguments):
    if backend == "vllm" and find_spec("vllm") is None:
        pytest.skip("vLLM is not installed")
    pair = [
        tiny_checkpoint(tmp_path / name, seed, hidden_size=128, dtype=torch.float32)
        for seed, name in enumerate(("base", "instruct"))
    ]
    command = [sys.executable, SCRIPT, "--base", pair[0], "--instruct", pair[1]]
    command += ["--backend", backend, "--kills", kills, "--model_args", arguments]
    done = subprocess.run(
        list(map(str, command)),
        env=os.environ | {"HM_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert done.stdout.count("killed with") == kills
    assert "texts that differ from the undisturbed run's: 0" in done.stdout
