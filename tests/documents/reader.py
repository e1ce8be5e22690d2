"""Whoever reads a page and types its commands, one after another, in a folder of his own.

    reader = Reader(folder, pair, kept, url, "docs/sweeps.md")
    for shown in reader.commands():
        reader.types(shown)          # raises AssertionError where it is not as the page says

What a command reads and no command of the page has written is a copy of what `kept` has.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

from tests.documented import Shown, commands_in
from tests.documents.readers_folder import furnish
from tests.documents.reasons import needs
from tests.documents.snippets import Snippet, snippets_in
from tests.documents.stands_for import in_python, typed
from tests.entry_points import ROOT, Done, run

# What is there from an earlier page, and what of `kept` it is.
EARLIER = {
    "OUT": "OUT",
    "runs/sweep": "runs/sweep",
    "runs/other": "runs/other",
    "runs/quickstart/sweep": "runs/sweep",
    "LOG.jsonl": "LOG.jsonl",
}
ELSEWHERE = {"docs/hm_merge.md": {"runs/sweep": "runs/judged"}}
# What lies in --output_path, or in --out, afterwards.
PROMISED = {
    "lm_eval": ("*/results_*.json",),
    "hm-sweep": ("sweep.json", "**/results_*.json", "**/samples_*.jsonl"),
    "hm-report": ("report.html", "leaderboard.csv", "leaderboard.md", "figures/*.png"),
    "hm-entropy-volume": ("entropy_volume.csv", "entropy_volume.png", "entropy_volume.pdf"),
    "hm-curate": ("5_selected.jsonl", "summary.json", "export/*/*"),
    "hm-merge": (
        *("model.safetensors", "config.json", "tokenizer.json", "README.md"),
        *("mergekit_config.yml", "hindsight_merge.json"),
    ),
}
NONE_STANDS_OUT = "None stands out: nothing was written. --anyway writes it."


class Reader:
    """One page's."""

    def __init__(self, folder: Path, pair: Path, kept: Path, url: str, page: str) -> None:
        self.folder, self.page = folder, page
        self._kept, self._url = kept, url
        furnish(folder, pair, page)
        if kept.exists():
            (folder / "kept").symlink_to(kept / "OUT")
        self.environment = {
            "OPENAI_BASE_URL": url,
            "OPENAI_API_KEY": "of-the-tests",
            "XSTEST_PATH": str(folder / "xstest_prompts.csv"),
            "NOVELTY_BENCH_PATH": str(folder / "curated.jsonl"),
            "SORRY_BENCH_PATH": str(folder / "sorry_bench"),
        }

    def commands(self) -> Iterator[Shown]:
        """Those of the page that a test can run."""
        for shown in commands_in((ROOT / self.page).read_text("utf8")):
            if needs(self.page, shown.words) is None:
                yield shown

    def reads(self) -> Iterator[Shown | Snippet]:
        """The same and the page's lines of Python, in its order."""
        snippets = snippets_in((ROOT / self.page).read_text("utf8"))
        yield from sorted([*self.commands(), *snippets], key=lambda item: item.line)

    def types(self, shown: Shown) -> Done:
        """Run a command, and see that it did what it promises."""
        words = typed(shown.words, self._url)
        output = self._output(words)
        self._give(words)
        if words[0] == "hm-merge" and output:  # several on a page are ways to write one folder
            shutil.rmtree(output, ignore_errors=True)
        done = self.run([part for word in words for part in self._files(word)])
        said = f"{self.page}, line {shown.line}: {' '.join(words)}\n{done.stdout}\n{done.stderr}"
        if done.returncode == 1 and NONE_STANDS_OUT in done.stderr:
            assert "--anyway" not in words, said
            return done
        assert done.returncode == 0, said
        assert "Traceback" not in done.stderr, said
        if output and "--dry-run" not in words:
            logs = ("*/samples_*.jsonl",) if "--log_samples" in words else ()
            promised = (*PROMISED.get(words[0], ()), *logs)
            lacking = [pattern for pattern in promised if not any(output.glob(pattern))]
            assert not lacking, f"{lacking}: {said}"
        return done

    def run(self, words: list[str]) -> Done:
        """Any command, in the folder."""
        with _in_folder(self.folder):
            if words[0] != "python":
                return run(words[0], *words[1:], **self.environment)
            return subprocess.run(
                [sys.executable, *words[1:]],
                env=os.environ | self.environment | {"PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
            )

    def executes(self, snippet: Snippet, names: dict[str, Any]) -> None:
        """Run lines of Python; `names` is what those before have left, and gets what these leave."""
        code = compile(in_python(snippet.code), f"{self.page}, line {snippet.line}", "exec")
        with _in_folder(self.folder), mock.patch.dict(os.environ, self.environment):
            exec(code, names)

    def _output(self, words: list[str]) -> Path | None:
        given = [word for flag, word in pairwise(words) if flag in ("--output_path", "--out")]
        return self.folder / given[0] if given else None

    def _give(self, words: list[str]) -> None:
        """Copy what the words read and is not there."""
        read = [word for before, word in pairwise(words) if before != "--output_path"]
        for name, what in (EARLIER | ELSEWHERE.get(self.page, {})).items():
            asked = any(word == name or word.startswith(f"{name}/") for word in read)
            if asked and not (self.folder / name).exists():
                source, target = self._kept / what, self.folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                copy = shutil.copytree if source.is_dir() else shutil.copy
                copy(source, target)

    def _files(self, word: str) -> list[str]:
        """What a shell makes of a word, and a reader of a fingerprint's place."""
        if word == "FINGERPRINT":
            return [self.run(["hm-cache", "list"]).stdout.splitlines()[1].split()[0]]
        if "*" not in word:
            return [word]
        found = sorted(str(path.relative_to(self.folder)) for path in self.folder.glob(word))
        assert found, f"{self.page}: no file is called {word}"
        return found


@contextlib.contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
