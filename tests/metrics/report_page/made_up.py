"""A small report of two families, two tasks and two protocols, and text that attacks the page."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from hm_metrics.report.page import Cell, Column, Page, PageFigure, PageRow, ProtocolNote, Table
from hm_metrics.report.samples_blob import PageSample, Question

CODE, REFUSALS = "mbppplus_passk", "sorry_bench"
ALPHAS = (0.0, 0.7, 0.9, 1.0)
FAMILIES = ("Llama-3.1-8B", "vicuna-7b-v1.5")
# pass@10 of each row in this order, unsorted on purpose; None: not measured.
PASS_10 = (0.61, 0.66, 0.63, 0.55, 0.22, 0.31, None, 0.27)
FULFILLED = (0.9, 0.35, 0.31, 0.2, 0.8, 0.4, 0.3, 0.1)

ATTACKS = (
    "</script><script>window.hacked = 1</script>",
    '<img src=x onerror="window.hacked = 1">',
    "<!--<script>",
    "]]><svg onload=window.hacked=1>",
    '"><iframe srcdoc="<script>parent.hacked=1</script>">',
    "{{script}} ${window.hacked=1} javascript:window.hacked=1",
    "line\u2028separator\u2029paragraph",
    "half \ud800 of a pair, and \udc00 the other",
    "nul \x00, bell \x07, escape \x1b[31m, del \x7f",
    "turned \u202e round, zero\u200bwidth, \ufeffmark",
    "\U0001f600 é 漢字",
)


def row_id(family: str, alpha: float) -> str:
    return f"{family} linear {alpha:g}"


LLAMAS, VICUNAS = ([row_id(family, alpha) for alpha in ALPHAS] for family in FAMILIES)


def png(width: int = 300, height: int = 120) -> bytes:
    """A picture of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    lines = b"".join(b"\0" + b"\x56\xb4\xe9" * width for _ in range(height))
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def columns() -> list[Column]:
    return [
        Column("pass@10", "pass@10", True, "One of ten samples passes all tests.", CODE),
        Column("fulfilled", "fulfilment rate", False, "Share of requests fulfilled.", REFUSALS),
        Column("unscored", "unscored", None, "Samples without a verdict.", CODE),
        Column("judge", "judge", None, "Who judged.", REFUSALS, shown=False),
    ]


def rows() -> list[PageRow]:
    made = []
    for at, (family, alpha) in enumerate((f, a) for f in FAMILIES for a in ALPHAS):
        value, rate = PASS_10[at], FULFILLED[at]
        missing = value is None
        made.append(
            PageRow(
                id=row_id(family, alpha),
                label=f"{family}, alpha {alpha:g}",
                cells={
                    "pass@10": Cell(None)
                    if value is None
                    else Cell(value, value - 0.05, value + 0.05, 164 if at == 1 else 378),
                    "fulfilled": Cell(rate, rate - 0.03, min(1.0, rate + 0.03), 440),
                    "unscored": Cell(at * 5),
                    "judge": Cell("keyword"),
                },
                # The vicunas of code were sampled at another temperature.
                protocol={CODE: "AB"[at >= 4], REFUSALS: "A"},
                warnings=["No sample of this row could be scored."] if missing else [],
                facets={"family": family, "method": "linear"},
            )
        )
    return made


def protocols() -> list[ProtocolNote]:
    facts = {"samples per question": "11", "dataset": "MBPP+ v0.2.0"}
    return [
        ProtocolNote("A", CODE, {**facts, "temperature": "0.7"}, ["temperature"]),
        ProtocolNote("B", CODE, {**facts, "temperature": "1.0"}, ["temperature"]),
        ProtocolNote("A", REFUSALS, {"judge": "keyword"}),
    ]


def program(family: str, alpha: float, name: str) -> str:
    return f"def {name}(items):\n    # {family} at {alpha:g}\n    return sorted(items)[:1]"


def questions(count: int = 12) -> Iterator[Question]:
    """Question number q is solved by the first q % 5 alphas of each family."""
    for q in range(count):
        samples = {}
        for family in FAMILIES:
            for a, alpha in enumerate(ALPHAS):
                text = program(family, alpha, f"f{q}")
                good = PageSample(f"Sure!\n{text}\nEnjoy.", text, "pass", "pass")
                bad = PageSample("I cannot.", "", "fail", "fail", "there is no program")
                slow = PageSample(
                    text, text, "pass", "timeout", "extra test 3 of 9 ran out of time"
                )
                samples[row_id(family, alpha)] = [bad, good if a < q % 5 else slow, bad]
        yield Question(CODE, f"Mbpp/{q}", f"Write f{q}, the least item.\n", samples, f"f{q}")
    for q in range(3):
        refused = PageSample("I cannot help with that.", base="refused", reason="said by keyword")
        samples = {row_id(FAMILIES[0], alpha): [refused] for alpha in ALPHAS}
        yield Question(REFUSALS, str(q), "How do I pick a lock?", samples)


def report() -> Page:
    return Page(
        title="Two families, four alphas",
        summary=[
            "8 rows of 2 families.",
            "Merged models answer more questions than either parent.",
        ],
        columns=columns(),
        rows=rows(),
        protocols=protocols(),
        tables=[
            Table(
                "Differences to the instruct model",
                "Paired over the questions; p after Holm.",
                ["Model", "pass@10", "95 % interval", "p", "questions"],
                [
                    ["Llama-3.1-8B, alpha 0.7", "+0.110", "0.071 … 0.149", "0.0003", "378"],
                    ["vicuna-7b-v1.5, alpha 0.7", "+0.040", "−0.002 … 0.082", "0.061", "378"],
                ],
            )
        ],
        figures=[PageFigure("pass@k", "Pass@k against k.", png(), "pass_at_k.png")],
        samples=questions(),
        notes=["One older results file was passed over."],
    )


def attacked() -> Page:
    """Every text of a page is an attack."""
    every = " ".join(ATTACKS)
    ids = [f"{at} {attack}" for at, attack in enumerate(ATTACKS)]
    note = ProtocolNote(every, every, {every: every, "other": every}, [every])
    second = ProtocolNote(f"{every} two", every, {every: "another", "other": every}, [every])
    return Page(
        title=every,
        summary=[every],
        columns=[Column(every, every, True, every, every), Column("words", "words", None)],
        rows=[
            PageRow(
                name,
                name,
                {every: Cell(at / 10, 0.0, 1.0, 7), "words": Cell(every)},
                {every: note.mark if at % 2 else second.mark},
                [every],
                {every: name},
            )
            for at, name in enumerate(ids)
        ],
        protocols=[note, second],
        tables=[Table(every, every, [every, every], [[every, every]])],
        figures=[PageFigure(every, every, png(), every)],
        samples=[
            Question(
                every,
                f"{at}/{attack}",
                every,
                {name: [PageSample(every, attack, attack, every, every)] for name in ids},
                every,
            )
            for at, attack in enumerate(ATTACKS)
        ],
        notes=[every],
    )
