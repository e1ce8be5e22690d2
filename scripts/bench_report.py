"""How large a report's page is and how long it takes to open, in a headless Chromium.

    python scripts/bench_report.py --samples OUT/MODEL/samples_mbppplus_passk_*.jsonl [--rows 50]

Takes one model's logged samples and gives every row its own variant of each: identifiers get other
names and numbers other values, by seed, since equal copies would shrink to nothing. Writes the page
with its leaderboard and every sample, opens it, and measures until the leaderboard is sorted by a
press of a heading, and until a question's samples stand there. Exits with 1 above --megabytes or
--seconds.
"""

from __future__ import annotations

import argparse
import builtins
import dataclasses
import keyword
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hm_metrics.logs.samples import Logged, read_log  # noqa: E402
from hm_metrics.report.html_file import write_page  # noqa: E402
from hm_metrics.report.page import Cell, Column, Page, PageRow, ProtocolNote  # noqa: E402
from hm_metrics.report.samples_blob import Question, Sample  # noqa: E402
from hm_metrics.verdict import PASS  # noqa: E402
from tests.metrics.report_page.chromium import MISSING, PROGRAM, Chromium  # noqa: E402

TASK = "mbppplus_passk"
COLUMNS = 12
WORD = re.compile(r"\b[A-Za-z_]\w*\b")
FIXED = {*keyword.kwlist, *dir(builtins)}
NAMES = (
    *("items", "values", "data", "nums", "seq", "result", "out", "acc", "total", "count", "left"),
    *("right", "word", "char", "key", "val", "index", "pos", "first", "second", "current", "best"),
    *("found", "part", "rest", "lst", "arr", "element", "number", "text", "size", "limit", "start"),
)


def variant(text: str, entry_point: str, rng: random.Random, share: float = 0.5) -> str:
    """A program like this one: about `share` of its identifiers renamed, and of its numbers changed."""
    words = sorted({*WORD.findall(text)} - FIXED - {entry_point})
    renamed = {word: rng.choice(NAMES) for word in words if rng.random() < share}
    text = WORD.sub(lambda found: renamed.get(found[0], found[0]), text)
    return re.sub(
        r"\b\d+\b", lambda n: str(rng.randrange(100)) if rng.random() < share else n[0], text
    )


def questions(log: list[Logged], rows: list[str]) -> Iterator[Question]:
    """The log's questions, with samples of each row's own."""
    for logged in log:
        samples = {}
        for row in rows:
            rng = random.Random(f"{row} {logged.question}")
            samples[row] = [
                Sample(
                    text=(text := variant(v.program, logged.entry_point, rng)),
                    program=text,
                    base=v.base_status,
                    plus=v.plus_status,
                    reason=v.reason,
                )
                for v in logged.verdicts
            ]
        yield Question(TASK, logged.question, logged.prompt, samples, logged.entry_point)


def page_of(log: list[Logged], count: int) -> Page:
    """A report of `count` rows, whose numbers are near the log's own."""
    rng = random.Random(0)
    passed = [v.base_status == v.plus_status == PASS for line in log for v in line.verdicts]
    rate = sum(passed) / len(passed)
    rows = []
    for number in range(count):
        family, alpha = f"family-{number // 4}", (0.0, 0.7, 0.9, 1.0)[number % 4]
        cells = {}
        for k in range(1, COLUMNS + 1):
            value = min(1.0, rate * k**0.4 + rng.uniform(0, 0.1))
            cells[f"pass@{k}"] = Cell(value, max(0, value - 0.04), min(1, value + 0.04), len(log))
        mark = "AB"[number % 7 == 0]
        facets = {"family": family, "alpha": str(alpha)}
        rows.append(
            PageRow(f"row-{number}", f"{family}, alpha {alpha}", cells, {TASK: mark}, (), facets)
        )
    columns = [Column(f"pass@{k}", f"pass@{k}", True, "", TASK) for k in range(1, COLUMNS + 1)]
    notes = [
        ProtocolNote(m, TASK, {"temperature": t}, ["temperature"])
        for m, t in zip("AB", "12", strict=True)
    ]
    samples = questions(log, [row.id for row in rows])
    return Page("A large report", ["Made for measuring."], columns, rows, notes, samples=samples)


def measure(file: Path) -> dict[str, float]:
    """Seconds from the order to open `file` until it can be used for something, by what."""
    with Chromium() as browser:
        begin = time.monotonic()
        browser.open(file)
        browser.until("document.documentElement.dataset.ready === 'true'")
        ready = time.monotonic() - begin
        browser.click("#board button[data-key='pass@2']")
        browser.until(
            "document.querySelector('#board th[aria-sort=descending] button').dataset.key === 'pass@2'"
        )
        sort = time.monotonic() - begin
        begin = time.monotonic()
        browser.click("#board .to-samples")
        browser.until("document.querySelectorAll('#columns .sample').length > 3")
        shown = time.monotonic() - begin
        if browser.complaints:
            raise SystemExit(f"The page complains: {browser.complaints[0]}")
    return {
        "the page is ready": ready,
        "it is sorted by a press": sort,
        "(then) samples are shown": shown,
    }


def main() -> int:
    """Write, open, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--samples", type=Path, required=True, help="samples_*.jsonl of a pass@k task"
    )
    parser.add_argument("--rows", type=int, default=50)
    parser.add_argument("--questions", type=int, help="only the first so many")
    parser.add_argument(
        "--megabytes", type=float, default=30.0, help="the page may have, 10^6 bytes each"
    )
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="it may take to open and to be sorted"
    )
    parser.add_argument(
        "--times", type=int, default=3, help="how often to open it; the worst counts"
    )
    parser.add_argument("--output", type=Path, help="keep the page here")
    args = parser.parse_args()
    if PROGRAM is None:
        parser.error(MISSING)
    log = read_log(args.samples)[: args.questions]
    with tempfile.TemporaryDirectory() as folder:
        file = args.output or Path(folder, "report.html")
        page = page_of(log, args.rows)
        letters = samples = 0
        distinct = set()

        def counted() -> Iterator[Question]:
            nonlocal letters, samples
            for question in page.samples:
                for some in question.samples.values():
                    samples += len(some)
                    letters += sum(len(sample.text) for sample in some)
                    distinct.update((question.question, sample.text) for sample in some)
                yield question

        begin = time.monotonic()
        write_page(dataclasses.replace(page, samples=counted()), file)
        size = file.stat().st_size / 1e6
        print(
            f"{args.rows} rows, {len(log)} questions, {samples:,} samples ({len(distinct):,} distinct),"
        )
        print(
            f"{letters / 1e6:.1f} million characters: {size:.2f} MB,"
            f" written in {time.monotonic() - begin:.0f} s"
        )
        times = [measure(file) for _ in range(args.times)]
    for what in times[0]:
        print(f"{what:28} " + "  ".join(f"{one[what]:.2f} s" for one in times))
    worst = max(one["it is sorted by a press"] for one in times)
    well = size <= args.megabytes and worst <= args.seconds
    print(f"{'within' if well else 'ABOVE'} {args.megabytes:g} MB and {args.seconds:g} s")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
