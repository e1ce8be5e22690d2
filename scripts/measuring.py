"""How long something takes, and what this process and all that it has started use meanwhile. Linux only.

with Peak() as peak:
    score()
print(peak.everything, peak.computed)
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path


def seconds(action: Callable[[], object], rounds: int = 1) -> float:
    """The shortest of several runs."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        action()
        found.append(time.perf_counter() - began)
    return min(found)


class Peak(threading.Thread):
    """Looks at the tree of processes again and again, for the most of each.

    Attributes:
        own: memory in KiB (proportional shares, Pss) without those processes that lead a group of their own,
            as the programs under test do.
        everything: with them.
        computed: seconds that all have computed since they began.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.own = self.everything = 0
        self.computed = 0.0
        self._over = threading.Event()
        self.look()

    def look(self) -> None:
        own = everything = 0
        computed = 0.0
        for pid, leads_group, seconds in _tree(os.getpid()):
            computed += seconds
            with contextlib.suppress(OSError):
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                if found := re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE):
                    everything += int(found[1])
                    own += 0 if leads_group else int(found[1])
        self.own, self.everything = max(own, self.own), max(everything, self.everything)
        self.computed = max(computed, self.computed)

    def run(self) -> None:
        while not self._over.wait(0.2):
            self.look()

    def __enter__(self) -> Peak:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
        self.look()


def _tree(root: int) -> Iterator[tuple[int, bool, float]]:
    """This process and its descendants: whether each leads a group of its own, and what it has computed."""
    rows = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            rows[int(folder.name)] = fields
    wanted = [root]
    for pid in wanted:
        wanted += [child for child, fields in rows.items() if int(fields[1]) == pid]
        if pid in rows:
            group, session = map(int, rows[pid][2:4])
            seconds = sum(map(int, rows[pid][11:15])) / os.sysconf("SC_CLK_TCK")
            yield pid, pid == group != session and pid != root, seconds
