"""What is built and installed, plainly or editable, has the autoload line and every file, and works alone."""

import configparser
import email
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from importlib.metadata import EntryPoint
from importlib.util import find_spec
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


def tracked(*patterns: str) -> list[str]:
    """The repository's files by git."""
    return subprocess.check_output(["git", "ls-files", *patterns], cwd=ROOT, text=True).split()


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A copy of what is tracked: a build leaves build/ behind in its source."""
    folder = tmp_path_factory.mktemp("source")
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory) -> Path:
    """The wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    done = subprocess.run(
        [*command, "--no-build-isolation", "--wheel-dir", str(folder), str(source)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (file,) = folder.glob("hindsight_merging-*.whl")
    return file


def test_the_wheel_has_every_file_of_the_packages_and_the_configs(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    inside = {name for name in names if ".dist-info/" not in name}
    configs = {f"hm_models/{name}" for name in tracked("configs")}
    # What people read in the repository is no part of the program.
    packages = {name for name in tracked("hm_*") if not name.endswith(".md")}
    assert inside == packages | configs | {"hm_autoload.pth"}


def test_the_wheel_says_what_it_is(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        said = email.message_from_bytes(archive.read(name))
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf8")
    assert said["Version"] == setup["metadata"]["version"]
    assert set(said.get_all("Provides-Extra")) == set(setup["options.extras_require"])
    assert said["Description-Content-Type"] == "text/markdown"
    assert (
        said.get_payload(decode=True).decode().strip() == (ROOT / "README.md").read_text().strip()
    )
    assert "Typing :: Typed" in said.get_all("Classifier")


@pytest.mark.engine
@pytest.mark.skipif(
    None in (find_spec("build"), find_spec("twine")),
    reason="build and twine are not installed (the extra `dev`)",
)
def test_wheel_and_sdist_are_what_an_index_takes(source, tmp_path):
    def done(*words: object) -> str:
        command = [sys.executable, "-m", *map(str, words)]
        ended = subprocess.run(command, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    # The wheel is made of the sdist, which so has all that it needs.
    done("build", "--no-isolation", "--outdir", tmp_path, source)
    made = sorted(tmp_path.iterdir())
    assert [file.name.split("-")[0] for file in made] == ["hindsight_merging"] * 2
    assert done("twine", "check", "--strict", *made).count("PASSED") == 2
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    left_out = {".ci/run", ".gitignore", ".github/workflows/check.yml"}
    assert set(tracked()) - names == left_out


@pytest.fixture(scope="module")
def elsewhere(wheel, tmp_path_factory) -> Path:
    """The Python of an environment outside the clone that has the wheel, and this one's packages."""
    python, site = environment_of(wheel, tmp_path_factory.mktemp("elsewhere"))
    # As a path: what .pth files of that folder say (this clone, installed editable) is not read.
    (site / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def environment_of(wheel: Path, folder: Path) -> tuple[Path, Path]:
    """An environment with the wheel and nothing else: its Python, and the folder of its packages."""
    venv.create(folder, symlinks=True, with_pip=False)
    python = folder / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", vars=dict.fromkeys(("base", "platbase"), folder)))
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps"]
    subprocess.run([*command, "--no-index", wheel], check=True)
    return python, site


def ran(python: Path, folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """What a program of that environment said, without a trace of this clone."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "HM_CACHE")}
    return subprocess.run(
        [python, *map(str, words)],
        cwd=folder,
        env=environment | {"HM_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
    )


@pytest.mark.engine
def test_the_wheel_alone_passes_the_smoke_test(elsewhere, tmp_path):
    found = ran(elsewhere, tmp_path, "-c", "import hm_models; print(hm_models.__file__)")
    assert found.stdout.startswith(str(elsewhere.parents[1])), found.stderr
    done = ran(elsewhere, tmp_path, "-m", "hm_models.smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith("ok: hindsight-merging ")
    assert "4 programs of a merge at alpha 0.7 sampled and scored" in line


@pytest.mark.engine
def test_the_wheel_alone_finds_its_sweeps_by_name(elsewhere, tmp_path, tiny_pair):
    words = [elsewhere.with_name("hm-sweep"), "--config", "smoke", "--dry-run"]
    words += ["--base", tiny_pair / "base", "--instruct", tiny_pair / "instruct"]
    done = ran(elsewhere, tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert "demo_passk" in done.stdout
    unknown = ran(elsewhere, tmp_path, words[0], "llama-3.1-9b", "--dry-run")
    assert unknown.returncode == 2
    assert "Did you mean llama-3.1-8b?" in unknown.stderr


@pytest.mark.engine
@pytest.mark.parametrize("target", [None, "libraries"], ids=["install", "install --target"])
def test_programs_find_numpy_where_the_wheel_lies_beside_it(target, wheel, tmp_path):
    """As after `pip install .`: this project is in the folder of all packages, not in one of its own."""
    python, folder = environment_of(wheel, tmp_path / "environment")
    ours = {path.name for path in folder.iterdir()}
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if path.name not in ours and path.suffix != ".pth":
            (folder / path.name).symlink_to(path)
    words = [python.with_name("hm-score"), "samples.jsonl", "--dataset", "demo", "--k", 1]
    # These links lead out of what the other levels let programs read.
    words += ["--isolation", "rlimit", "--confirm_run_unsafe_code"]
    if target:
        folder = folder.rename(tmp_path / target)
        words = [f"PYTHONPATH={folder}", python, *words]
        python = Path(shutil.which("env") or "")
    program = "import numpy\ndef larger_number(a, b):\n    return a if a > b else b\n"
    (tmp_path / "samples.jsonl").write_text(
        json.dumps({"task_id": "Demo/1", "solution": program}) + "\n"
    )
    done = ran(python, tmp_path, *words)
    (results,) = tmp_path.glob("*_eval_results.json")
    (verdict,) = json.loads(results.read_text())["eval"]["Demo/1"]
    assert verdict["plus_status"] == "pass", done.stdout + done.stderr


@pytest.mark.parametrize("mode", [[], ["--editable"]], ids=["plain", "editable"])
def test_an_installation_brings_the_hook_and_every_task_file(mode, wheel, tmp_path):
    source = ROOT if mode else wheel
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
            declared_one = EntryPoint(name, value, group).load()
            # A package of YAML files is what tasks will be found in; all else is called.
            assert hasattr(declared_one, "__path__" if group == "lm_eval.tasks" else "__call__")
