"""`pip install .` and `pip install -e .` both bring the autoload line and the tasks' files."""

import configparser
import os
import subprocess
import sys
import sysconfig
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from tests.entry_points import ROOT, declared

# Where an installation lands below its prefix; -S keeps this environment's own copy out of sight.
PROBE = """
import site, sys
site.addsitedir(sys.argv[1])
from hm_models.plugin.autoload import HarnessHook
print(sum(isinstance(finder, HarnessHook) for finder in sys.meta_path))
import hm_tasks.code_passk
from pathlib import Path
folder = Path(hm_tasks.code_passk.__file__).parent
print(sorted(path.name for path in folder.iterdir() if path.suffix != ".py" and path.is_file()))
import hm_tasks.sorry_bench
folder = Path(hm_tasks.sorry_bench.__file__).parent
print(sum(path.name.endswith(("yaml", ".txt")) for path in folder.iterdir()))
beside = ("hindsight.yaml", "any_passk/_any_passk_yaml", "any_passk/demo_math.jsonl")
print(all((folder.parent / name).is_file() for name in beside))
import hm_models.prompts
print((Path(hm_models.prompts.__file__).parent / "vicuna.jinja").is_file())
"""
TASK_FILES = [
    "_code_passk_yaml",
    "demo_passk.yaml",
    "demo_problems.jsonl",
    "humanevalplus_passk.yaml",
    "mbppplus_passk.yaml",
]


@pytest.mark.parametrize("mode", [[], ["--editable"]], ids=["plain", "editable"])
def test_an_installation_brings_the_hook_and_every_task_file(mode, tmp_path):
    source = ROOT
    if not mode:
        # A plain build leaves build/ behind in its source.
        source = tmp_path / "source"
        tracked = subprocess.check_output(
            ["git", "ls-files", "hm_*", "setup.*", "pyproject.toml", "README.md", "LICENSE"],
            cwd=ROOT,
            text=True,
        )
        for name in tracked.split():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--ignore-installed", "--prefix", str(tmp_path / "prefix")]
    done = subprocess.run([*command, *mode, str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    variables = {"base": str(tmp_path / "prefix"), "platbase": str(tmp_path / "prefix")}
    site = Path(sysconfig.get_path("purelib", vars=variables))
    assert (site / "hm_autoload.pth").is_file()
    probe = [sys.executable, "-S", "-c", PROBE, str(site)]
    answer = subprocess.run(probe, cwd=tmp_path, capture_output=True, text=True, check=True)
    hooks, files, sorry_files, group, template = answer.stdout.splitlines()
    assert hooks == "1"
    assert files == str(TASK_FILES)
    (points,) = site.glob("hindsight_merging-*.dist-info/entry_points.txt")
    assert "local_similarity = hm_metrics.similarity:samples_of" in points.read_text()
    assert template == "True"
    assert (sorry_files, group) == ("23", "True")  # 21 tasks, what they share, the rubric
    programs = Path(sysconfig.get_path("scripts", vars=variables))
    assert set(declared()) <= {file.name for file in programs.iterdir()}
    environment = os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{ROOT if mode else ''}"}
    for name in declared():
        shown = subprocess.run(
            [programs / name, "--version"], env=environment, capture_output=True, text=True
        )
        assert shown.stdout.startswith(f"{name}, hindsight-merging "), shown.stderr


def test_every_declared_entry_point_is_there():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    groups = config["options.entry_points"]
    assert {"lm_eval.models", "lm_eval.metrics", "lm_eval.aggregations"} <= set(groups)
    for group, lines in groups.items():
        for line in lines.strip().splitlines():
            name, value = (part.strip() for part in line.split("="))
            assert callable(EntryPoint(name, value, group).load())
