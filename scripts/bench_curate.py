"""Time of a curation and memory of all its processes, with verdicts kept from a first run.

    python scripts/bench_curate.py --samples OUT/MODEL/samples_mbppplus_passk_*.jsonl [--select diverse]

Runs `hm-curate` twice into new folders; the first fills the cache of verdicts and vectors under
HM_CACHE, and the second counts. Exits with 1 above --seconds or --megabytes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path


def held(process: int) -> int:
    """Bytes that a process and all its children hold, pages that they share counted once for each."""
    children: dict[int, list[int]] = {}
    sizes: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            pages = int((folder / "statm").read_text().split()[1])
        except (OSError, ValueError, IndexError):
            continue  # it has ended
        sizes[int(folder.name)] = pages * 4096
        children.setdefault(parent, []).append(int(folder.name))
    found, waiting = 0, [process]
    while waiting:
        one = waiting.pop()
        found += sizes.get(one, 0)
        waiting += children.get(one, [])
    return found


def run(arguments: list[str]) -> tuple[float, float]:
    """Seconds and the peak in 10^6 bytes."""
    begin, peak = time.monotonic(), 0
    with subprocess.Popen(
        [sys.executable, "-m", "hm_tasks.commands.curate", *arguments]
    ) as process:
        ended = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not ended.wait(0.1):
                peak = max(peak, held(process.pid))

        watching = threading.Thread(target=watch)
        watching.start()
        code = process.wait()
        ended.set()
        watching.join()
    if code:
        raise SystemExit(f"hm-curate ended with {code}.")
    return time.monotonic() - begin, peak / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=Path, nargs="+", required=True)
    parser.add_argument("--select", default="diverse")
    parser.add_argument("--max_samples", default="200")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--megabytes", type=float, default=1000.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("first", "second"):
            seconds, megabytes = run(
                [
                    *map(str, arguments.samples),
                    *("--output_path", f"{folder}/{name}", "--quiet"),
                    *("--select", arguments.select, "--max_samples", arguments.max_samples),
                ]
            )
            print(f"{name:<8}{seconds:8.1f} s {megabytes:8.0f} MB at most", flush=True)
    return int(seconds > arguments.seconds or megabytes > arguments.megabytes)


if __name__ == "__main__":
    sys.exit(main())
