"""Every command of setup.cfg: the same --help, --version and exit codes, and nothing heavy before work."""

import ast
import os
import subprocess
import sys
from importlib import import_module

import pytest

from hm_models.commands.command_line import CommandLine
from hm_models.errors import RecipeError
from tests.entry_points import ROOT, command, declared, run

# What takes a tenth of a second or more to import, numpy among it.
HEAVY = {
    *(
        "torch",
        "lm_eval",
        "transformers",
        "matplotlib",
        "scipy",
        "numba",
        "datasets",
        "numpy",
        "pandas",
    ),
    *("vllm", "evalplus", "mergekit", "sentence_transformers", "httpx", "pydantic", "ray"),
}
IMPORTED = """
import runpy, sys
try:
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
except SystemExit as ended:
    print(*sys.modules, file=sys.stderr)
    sys.exit(ended.code)
"""
every_command = pytest.mark.parametrize("name", declared())


def test_there_is_a_module_for_every_command_and_a_command_for_every_module():
    modules = {value.partition(":")[0] for value in declared().values()}
    files = [file for file in ROOT.glob("hm_*/commands/*.py") if "def main()" in file.read_text()]
    assert modules == {".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files}
    assert not list((ROOT / "scripts").glob("hm-*"))


@every_command
@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(name, flag):
    module = declared()[name].partition(":")[0]
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, module, flag],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert not HEAVY & set(done.stderr.split())
    assert done.stdout.startswith(
        f"usage: {name} " if flag == "--help" else f"{name}, hindsight-merging "
    )
    if flag == "--help":
        assert f"\n    {name} " in done.stdout, "an example"
        assert "--quiet" in done.stdout
        assert "--version" in done.stdout


@every_command
def test_an_argument_that_there_is_not_ends_with_a_sentence_and_code_2(name):
    done = run(name, "--quite")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_help_names_what_can_be_chosen():
    from hm_models.embedders import FORMS
    from hm_tasks.curation.export import EXPORTS
    from hm_tasks.curation.select import WAYS
    from hm_tasks.curation.settings import CurationSettings
    from hm_tasks.sandbox.executors import EXECUTORS

    said = "".join(run("hm-curate", "--help", COLUMNS="1000").stdout.split())
    assert all(each in said for each in (*FORMS, *EXPORTS, *WAYS, *EXECUTORS))
    plain = CurationSettings()
    assert f"({plain.way})" in said
    assert f"({','.join(plain.exports)})" in said
    assert f"near-duplicates({plain.near})" in said


@pytest.fixture
def line():
    made = CommandLine("hm-x", "Do x.\n\n    hm-x")
    made.add_argument("--embedder")
    return made


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (RecipeError("alpha=2 is none."), 2, "hm-x: error: alpha=2 is none."),
        (PermissionError(13, "Permission denied", "/x"), 1, "hm-x: [Errno 13]"),
        (KeyboardInterrupt(), 130, "hm-x: interrupted."),
        (RecipeError("a\x1b[2Jb"), 2, "hm-x: error: a\\x1b[2Jb"),
    ],
)
def test_what_stops_a_command_is_a_sentence_and_an_exit_code(line, error, code, said, capsys):
    def work(asked):
        raise error

    try:
        found = line.main(work, [])
    except SystemExit as ended:
        found = ended.code
    assert found == code
    assert capsys.readouterr().err.startswith(said)


def test_a_bug_is_no_sentence_for_the_user(line):
    with pytest.raises(ZeroDivisionError):
        line.main(lambda asked: 1 // 0, [])


def test_a_flag_that_is_misspelt_is_answered_with_the_nearest(line, capsys):
    with pytest.raises(SystemExit):
        line.main(lambda asked: 0, ["--embeder=minilm"])
    assert "--embeder=minilm. Did you mean --embedder?" in capsys.readouterr().err


def test_quiet_silences_progress_bars_and_the_harness_before_they_are_imported(line, monkeypatch):
    for name in ("TQDM_DISABLE", "LMEVAL_LOG_LEVEL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    seen = []
    line.main(lambda asked: seen.append(dict(os.environ)) or 0, ["--quiet"])
    assert (seen[0]["TQDM_DISABLE"], seen[0]["LMEVAL_LOG_LEVEL"]) == ("1", "ERROR")


def test_ruff_and_mypy_see_every_command():
    settings = (ROOT / "pyproject.toml").read_text()
    checked = ast.literal_eval(settings.partition("\npackages = ")[2].splitlines()[0])
    assert {value.partition(".")[0] for value in declared().values()} <= set(checked)
    assert "exclude" not in settings


@every_command
def test_an_entry_point_leads_to_a_main_without_arguments(name):
    module, _, function = declared()[name].partition(":")
    main = getattr(import_module(module), function)
    assert main.__code__.co_argcount == 0
    assert command(name)[2] == module
