"""Any text can be printed on any terminal."""

import io
import os
import subprocess
import sys

import pytest

from hm_models.shown.screen import printable, say
from tests.entry_points import ROOT, command


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "cp1252", "utf-8"])
def test_what_a_terminal_cannot_write_is_an_escape(encoding):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)  # closed with its last name
    say("é → \ud800 🤖", stream)
    shown = raw.getvalue().decode(encoding)
    assert shown.endswith("\n")
    assert "\\ud800" in shown
    assert ("→" in shown) == (encoding == "utf-8")


@pytest.mark.parametrize("order", ["\x1b[2J", "\x07", "\r", "\x9b", "\u202e", "\u200f", "\x00"])
def test_nothing_moves_the_cursor_or_turns_the_text(order):
    assert order not in printable(f"a{order}b\tc\n")
    assert printable("a\tb\nc") == "a\tb\nc"


def test_a_command_prints_arrows_in_a_locale_without_them(tmp_path):
    from tests.metrics.report.made_runs import CODE, code, merge, write_run

    write_run(tmp_path / "runs", merge(0.7, "Bäse", "模型"), {CODE: code(["+-", "--"])})
    words = ("--embedder", "none", "--output_path", tmp_path / "out")
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run(
        command("hm-report", tmp_path / "runs", *words), capture_output=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert b"B\\xe4se \\u2192 \\u6a21\\u578b" in done.stdout
    assert "Bäse → 模型" in (tmp_path / "out" / "leaderboard.md").read_bytes().decode("utf-8")


@pytest.mark.parametrize(
    ("variable", "quiet", "shown"), [("", False, True), ("1", False, False), ("", True, False)]
)
def test_bars_obey_tqdms_own_variable(variable, quiet, shown):
    """tqdm reads it where it is loaded."""
    program = (
        "from tqdm import tqdm\nfrom hm_models.shown.screen import bar_settings\n"
        f"for _ in tqdm([1], **bar_settings({quiet})): pass"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TQDM_DISABLE": variable}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment)
    assert done.returncode == 0
    assert bool(done.stderr) == shown
