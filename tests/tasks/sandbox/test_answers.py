"""No program reads a solution: neither from packages that bring some, nor from this one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hm_metrics.verdict import FAIL, PASS
from hm_tasks.sandbox.isolation.answers import paths_with_answers
from hm_tasks.sandbox.isolation.limits import IsolationError
from hm_tasks.sandbox.pool import check_all
from hm_tasks.sandbox.problem import Problem

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can isolate")

ROOT = Path(__file__).parents[3]
REFERENCE = "def f(x):\n    return x + 1\n"
PROBLEM = Problem("Mine/1", "", "f", REFERENCE, [[1]], [], 0)
KERNEL_LEVELS = ("strong", "landlock")

READS = """
import io, sys
def f(x):
    for folder in sys.path:
        try:
            if io.open(folder + '/{}').read(1): return x + 1
        except OSError: pass
"""
# In packages that this project needs, so that they are always there.
FILES = (
    "lm_eval/tasks/mbpp/utils.py",
    "lm_eval/tasks/humaneval/utils.py",
    "lm_eval/tasks/__init__.py",
    "evalplus/eval/_special_oracle.py",
    "evalplus/data/mbpp.py",
)
OTHER_WAYS = (
    "def f(x):\n    from lm_eval.tasks.mbpp.utils import list_fewshot_samples\n"
    "    return list_fewshot_samples() and x + 1\n",
    "def f(x):\n    from evalplus.eval import _special_oracle\n    return x + 1\n",
    "def f(x):\n    from importlib import resources\n"
    "    text = resources.files('evalplus').joinpath('__init__.py').read_text()\n"
    "    return x + 1\n",
    "import pkgutil\ndef f(x):\n"
    "    return pkgutil.get_data('lm_eval', '__init__.py') is not None and x + 1\n",
    "def f(x):\n    import linecache, sys\n"
    "    return any(linecache.getlines(p + '/evalplus/eval/utils.py') for p in sys.path) and x + 1\n",
)
# Landlock says nothing of names.
LISTS = (
    "import glob, sys\ndef f(x):\n"
    "    return any(glob.glob(p + '/lm_eval/tasks/*') for p in sys.path) and x + 1\n",
    "import os, sys\ndef f(x):\n"
    "    return any(set(os.listdir(p + '/evalplus')) - {'__init__.py'} for p in sys.path"
    " if os.path.exists(p + '/evalplus'))"
    " and x + 1\n",
)


@pytest.mark.parametrize("level", KERNEL_LEVELS)
def test_what_holds_solutions_is_hidden_and_other_packages_are_not(level):
    steals = [READS.format(file) for file in FILES] + list(OTHER_WAYS)
    steals += LISTS if level == "strong" else ()
    others = [
        f"import {name}\n{REFERENCE}" for name in ("numpy", "tqdm", "platformdirs", "scipy.stats")
    ]
    try:
        ((*verdicts,),) = check_all([(PROBLEM, steals + others)], 1, level, sanitize=False)
    except IsolationError as error:
        pytest.skip(str(error))
    for text, verdict in zip(steals, verdicts, strict=False):
        assert verdict.base_status != PASS, text
    # scipy.stats may fail for what evalplus's guards take away, but not for want of its files.
    assert {v.base_status for v in verdicts[len(steals) : -1]} == {PASS}
    assert "NotFound" not in verdicts[-1].reason


def test_without_isolation_the_same_programs_would_find_them():
    """Were there nothing to find, nothing would show that it is hidden."""
    (verdicts,) = check_all([(PROBLEM, [READS.format(FILES[0])])], 1, "rlimit", sanitize=False)
    assert verdicts[0].base_status == PASS


STEALS_DEMO = """
import io, sys, json
for folder in sys.path:
    try: lines = [*io.open(folder + '/hm_tasks/code_passk/demo_problems.jsonl')]
    except OSError: continue
    rows = [json.loads(line) for line in lines]
    exec([row['canonical_solution'] for row in rows if row['entry_point'] == {!r}][0], globals())
"""
SCORES = """
import json, sys
from pathlib import Path
from hm_tasks.code_passk import dataset
from hm_tasks.sandbox.pool import check_all
from hm_tasks.sandbox.problem import Problem
if __name__ == "__main__":
    assert "site-packages" in dataset.__file__, dataset.__file__
    jobs = []
    for line in (Path(dataset.__file__).parent / "demo_problems.jsonl").open():
        row = json.loads(line)
        name = row["entry_point"]
        inputs = row["base_input"], row["plus_input"]
        one = Problem(row["task_id"], row["prompt"], name, row["canonical_solution"], *inputs, 0)
        jobs.append((one, [sys.argv[2].replace("NAME", name), one.prompt + one.canonical_solution]))
    found = check_all(jobs[:6], 1, sys.argv[1], sanitize=False)
    print(json.dumps([[verdict.base_status for verdict in of_one] for of_one in found]))
"""


@pytest.mark.parametrize("level", KERNEL_LEVELS)
def test_an_installed_package_hides_its_own_demo_problems(level, tmp_path):
    packages = tmp_path / "lib" / "site-packages"
    for name in ("hm_models", "hm_metrics", "hm_tasks"):
        shutil.copytree(ROOT / name, packages / name, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    environment = os.environ | {"PYTHONPATH": str(packages)}
    program = STEALS_DEMO.format("NAME")
    done = subprocess.run(
        [sys.executable, "-c", SCORES, level, program],
        env=environment, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    if "IsolationError" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert json.loads(done.stdout) == [[FAIL, PASS]] * 6, done.stderr


def test_named_files_and_caches_are_hidden_if_they_are_there(tmp_path, monkeypatch):
    monkeypatch.setenv("MBPP_OVERRIDE_PATH", str(tmp_path / "problems.jsonl"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    (tmp_path / "caches" / "evalplus").mkdir(parents=True)
    found = paths_with_answers()
    assert str(tmp_path) in found
    assert str(tmp_path / "caches" / "evalplus") in found
    assert str(tmp_path / "problems.jsonl") not in found
    assert str(ROOT / "hm_tasks") in found


@pytest.mark.parametrize("level", KERNEL_LEVELS)
def test_a_cache_around_python_itself_does_not_hide_python(level, monkeypatch):
    """As where an environment lies in a folder that a variable names."""
    monkeypatch.setenv("HF_HOME", str(Path(os.__file__).parents[2]))
    monkeypatch.setenv("HF_DATASETS_CACHE", "/")
    try:
        ((verdict,),) = check_all(
            [(PROBLEM, [f"import csv\n{REFERENCE}"])], 1, level, sanitize=False
        )
    except IsolationError as error:
        pytest.skip(str(error))
    assert verdict.base_status == PASS, verdict.reason


@pytest.mark.parametrize("level", KERNEL_LEVELS)
@pytest.mark.parametrize("package", ["evalplus", "lm_eval", "hm_tasks"])
def test_a_package_that_is_hidden_cannot_be_imported_not_even_empty(level, package):
    program = f"import {package}\ndef f(x):\n    return x + 1\n"
    ((verdict,),) = check_all([(PROBLEM, [program])], 1, level, sanitize=False)
    assert verdict.base_status == FAIL
    assert "does not load" in verdict.reason
