"""Every command that a page shows is read by the parser of the program that it names."""

import argparse
import importlib
import sys
from pathlib import Path

import pytest

from hm_models.commands.command_line import CommandLine
from tests.documented import Shown, commands_in
from tests.documents import pages
from tests.entry_points import ROOT, declared

PAGES = [ROOT / page for page in pages.PAGES]
TASKS = {path.stem for path in ROOT.glob("hm_tasks/**/*.yaml")}


class Parsed(Exception):
    """The arguments are understood."""


@pytest.fixture(autouse=True)
def parsing_alone(monkeypatch):
    """No command does anything: whoever has read its arguments is done."""

    def read(self, words=None, namespace=None):
        _, unknown = self.parse_known_args(words, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        raise Parsed

    def ours(self, work, words=None):
        read(self, words)

    monkeypatch.setattr(CommandLine, "main", ours)
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", read)


def understand(words: list[str]) -> None:
    """Hand the words to the program's own parser.

    Raises:
        AssertionError: there is no such program.
        SystemExit: the parser refuses the words.
    """
    program, *arguments = words
    sys.argv = words
    if program in declared():
        module, _, function = declared()[program].partition(":")
        getattr(importlib.import_module(module), function)()
    elif program in ("lm_eval", "lm-eval"):
        from lm_eval._cli.harness import HarnessCLI

        HarnessCLI().parse_args()
    elif not (
        program == "python" and arguments[0] == "-m" and arguments[1].partition("_")[0] != "hm"
    ):
        source = _source(words)
        assert source.exists(), f"no program is called {program}"
        text = source.read_text("utf8")
        flags = {word.partition("=")[0] for word in arguments if word.startswith("--")}
        missing = sorted(
            flag for flag in flags if f'"{flag}"' not in text and f"{flag})" not in text
        )
        assert program == "scripts/test.sh" or not missing, f"{program} takes no {missing}"


def _source(words: list[str]) -> Path:
    """The file of a program of the clone, which has no parser that would be cheap to import."""
    program, *arguments = words
    if program != "python":
        return ROOT / program
    if arguments[0] != "-m":
        return ROOT / arguments[0]
    found = ROOT.joinpath(*arguments[1].split("."))
    return found if found.is_dir() else found.with_suffix(".py")


def refusal(shown: Shown, capsys: pytest.CaptureFixture[str]) -> str:
    """What is wrong with a command; empty where it is understood."""
    try:
        understand(shown.words)
    except Parsed:
        return ""
    except SystemExit as end:
        said = capsys.readouterr().err.strip().splitlines()
        return "" if not end.code else f"line {shown.line}: {' '.join(shown.words)}: {said[-1:]}"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_is_understood(page: Path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", sys.argv)
    wrong = [refusal(shown, capsys) for shown in commands_in(page.read_text("utf8"))]
    assert [sentence for sentence in wrong if sentence] == []


def test_a_command_that_is_wrong_is_found(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", sys.argv)
    page = (
        "    hm-report OUT --output_pth R\n    lm_eval run --modell hf --tasks x\n    hm-nothing\n"
    )
    shown = list(commands_in(page))
    assert "--output_pth" in refusal(shown[0], capsys)
    assert "--modell" in refusal(shown[1], capsys)
    with pytest.raises(AssertionError, match="hm-nothing"):
        refusal(shown[2], capsys)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_tasks_that_are_asked_of_a_merge_are_ours(page: Path):
    for shown in commands_in(page.read_text("utf8")):
        if shown.words[0] == "lm_eval" and {"hm-merged", "--tasks"} <= set(shown.words):
            asked = shown.words[shown.words.index("--tasks") + 1].split(",")
            assert set(asked) <= TASKS, f"{page.name}, line {shown.line}"
