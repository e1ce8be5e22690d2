"""What every command has in common: its docstring as help, --version, --quiet, and its exit codes.

>>> command = CommandLine("hm-count", "Count to N.")
>>> _ = command.add_argument("n", type=int)
>>> command.main(lambda asked: 0 if asked.n > 0 else 1, ["3"])
0

0: what was asked for is done, and on disk where it is to be. 1: a part of it is not, which is said. 2: nothing
was done, as something is wrong with what was asked. 130: interrupted. `work` imports what is heavy, so
that --help and --version answer at once.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from hm_models.errors import UsageError, did_you_mean
from hm_models.shown.screen import printable, say

DISTRIBUTION = "hindsight-merging"
FLOORS = ("hm_models", "hm_metrics", "hm_tasks")
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class CommandLine(argparse.ArgumentParser):
    """The arguments of one command; `description` is its module's docstring."""

    def __init__(self, name: str, description: str | None) -> None:
        super().__init__(
            prog=name,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.add_argument("--version", action=_Version, nargs=0, help="print name and version")
        self.add_argument("--quiet", action="store_true", help="print nothing but what went wrong")

    def add_embedder(self, default: str | None, meaning: str) -> None:
        """`--embedder` and its `--embedder_base_url`."""
        forms = "minilm, openai:MODEL[@DIMENSIONS], sentence-transformers:NAME_OR_PATH[@DIMENSIONS]"
        forms += ", model2vec:NAME_OR_PATH[@DIMENSIONS]"
        self.add_argument("--embedder", default=default, help=f"{forms} {meaning}")
        self.add_argument("--embedder_base_url", metavar="URL", help="for openai:MODEL")

    def main(
        self, work: Callable[[argparse.Namespace], int], words: Sequence[str] | None = None
    ) -> int:
        """Read the arguments (those of the process, by default), do the work and return its exit code.

        Raises:
            SystemExit: --help, --version, or what was asked for cannot be done.
        """
        asked, unknown = self.parse_known_args(words)
        if unknown:
            hint = did_you_mean(unknown[0].split("=")[0], self._option_string_actions)
            self.error(f"unrecognized arguments: {' '.join(unknown)}.{hint}")
        _talk(asked.quiet)
        try:
            return work(asked)
        except UsageError as error:
            self.exit(2, f"{self.prog}: error: {printable(str(error))}\n")
        except OSError as error:
            say(f"{self.prog}: {error}", sys.stderr)
            return 1
        except KeyboardInterrupt:
            say(f"{self.prog}: interrupted.", sys.stderr)
            return INTERRUPTED


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version(DISTRIBUTION)
        except PackageNotFoundError:
            number = "(not installed)"
        print(f"{parser.prog}, {DISTRIBUTION} {number}")
        parser.exit()


def _talk(quiet: bool) -> None:
    """How much is said: by our own modules, by libraries, and by progress bars."""
    if quiet:  # tqdm and the harness read these when they are imported, which is later
        os.environ.setdefault("TQDM_DISABLE", "1")
        os.environ.setdefault("LMEVAL_LOG_LEVEL", "ERROR")
    logging.basicConfig(level=logging.ERROR if quiet else logging.WARNING, format="%(message)s")
    for floor in FLOORS:
        logging.getLogger(floor).setLevel(logging.WARNING if quiet else logging.INFO)
