"""The harness's own tests, with this plugin and without it: none may pass in the one and fail in the other.

    python scripts/harness_suite.py FOLDER                  # its `tests`, as in the release's source archive
    python scripts/harness_suite.py FOLDER -- -k registry   # what follows `--` goes to pytest

Each test file is run twice, the second time with HM_AUTOLOAD=0, with the hub switched off. Nothing is fetched:
tests that need data fail in both. Prints what differs, then the counts; exit code 1 where something differs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

TIMEOUT = 900  # seconds for one file


def outcomes(file: Path, root: Path, more: list[str], autoload: str) -> dict[str, str]:
    """What became of each test of a file; of the file itself where it ended without a report.

    Args:
        root: the folder above `tests`, in which the suite expects to be run.
        autoload: 0 leaves the plugin out.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        # No settings but the suite's, no plugin of ours, no cache that one run leaves for the other.
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
        command += ["--rootdir", str(root), f"--junitxml={report}", *more, str(file)]
        places = {"HM_CACHE": f"{folder}/hm", "LM_HARNESS_CACHE_PATH": f"{folder}/requests"}
        offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
        environment = os.environ | {"HM_AUTOLOAD": autoload} | offline | places
        try:
            subprocess.run(command, cwd=root, env=environment, capture_output=True, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            return {file.name: "timeout"}
        if not report.exists():
            return {file.name: "no report"}
        return {
            f"{file.name}::{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}": (
                next(
                    (child.tag for child in case if child.tag in ("failure", "error", "skipped")),
                    "passed",
                )
            )
            for case in ET.parse(report).iter("testcase")
        }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="the harness's folder `tests`")
    parser.add_argument("more", nargs="*", help="arguments of pytest")
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    files = sorted(folder.rglob("test_*.py"))
    if not files:
        parser.error(
            f"{folder}: no test_*.py in it. Name the folder `tests` of the harness's sources."
        )
    differing, counts = 0, Counter[str]()
    with tempfile.TemporaryDirectory() as scratch:
        # Away from the sources beside it: the harness that is installed is the one that is tested.
        root = Path(scratch)
        shutil.copytree(folder, root / "tests")
        for file in files:
            copied = root / "tests" / file.relative_to(folder)
            ours, plain = (outcomes(copied, root, asked.more, autoload) for autoload in "10")
            counts.update(ours.values())
            for test in sorted(ours.keys() | plain.keys()):
                if ours.get(test) != plain.get(test):
                    differing += 1
                    print(f"{test}: {ours.get(test)} with the plugin, {plain.get(test)} without")
            print(f"{file.name}: {len(ours)} tests", file=sys.stderr)
    said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    print(f"{sum(counts.values())} tests of {len(files)} files with the plugin: {said}.")
    print(f"{differing} differ without it.")
    return int(differing > 0)


if __name__ == "__main__":
    sys.exit(main())
