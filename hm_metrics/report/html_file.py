"""The text of a report's file: the page's own HTML, CSS and JS around its data.

    write_page(page, Path("REPORT/report.html"))

The JS and CSS are in `static/`; they are ours alone, and a content security policy names them by
their hashes, so that a browser runs nothing else and fetches nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hm_metrics.report.page import Cell, Page
from hm_metrics.report.samples_blob import pack
from hm_models.files.text_files import read_text, write_pieces

STATIC = Path(__file__).parent / "static"
SCRIPTS = (
    "dom.js",
    "marks.js",
    "leaderboard.js",
    "controls.js",
    "changes.js",
    "cards.js",
    "sections.js",
    "samples.js",
    "start.js",
)


def write_page(page: Page, file: Path) -> None:
    """Write `page` to `file`, by way of a file beside it, so that nobody sees half a report.

    Raises:
        OSError: `file` cannot be written.
    """
    write_pieces(file, pieces(page))


def pieces(page: Page) -> Iterator[str]:
    """The file from top to bottom. All of it is ASCII: no character depends on the reader's guess.

    The leaderboard comes before the samples, and is drawn while a browser still reads those.
    """
    style = read_text(STATIC / "report.css")
    parts = [read_text(STATIC / name) for name in SCRIPTS]
    script = "'use strict';\n(() => {\n" + "\n".join(parts) + "})();\n"
    head, foot = read_text(STATIC / "report.html").split("{{samples}}")
    values = {
        "title": html.escape(page.title).encode("ascii", "xmlcharrefreplace").decode("ascii"),
        "style hash": _hash(style),
        "script hash": _hash(script),
        "style": style,
        "page": _json(_content(page)),
        "script": script,
    }
    # In one pass: a title may well hold "{{script}}".
    yield re.sub(r"\{\{([a-z ]+)\}\}", lambda found: values[found[1]], head)
    for number, figure in enumerate(page.figures):
        data = base64.b64encode(figure.png).decode("ascii")
        yield f'<script type="text/plain" id="figure-{number}">{data}</script>\n'
    numbers = {row.id: at for at, row in enumerate(page.rows)}
    tasks: dict[str, int] = {}
    questions: list[tuple[int, str, list[list[int]]]] = []
    for question in page.samples:
        packed = pack(question, numbers)
        yield f'<script type="text/plain" id="question-{len(questions)}">{packed.data}</script>\n'
        task = tasks.setdefault(question.task, len(tasks))
        questions.append((task, question.question, packed.counts))
    yield foot.replace("{{index}}", _json({"tasks": list(tasks), "questions": questions}))


def _content(page: Page) -> dict[str, Any]:
    """What the page's script reads, but for pictures and samples."""
    return {
        "title": page.title,
        "summary": list(page.summary),
        "columns": [asdict(column) for column in page.columns],
        "rows": [
            asdict(row) | {"cells": {key: _cell(cell) for key, cell in row.cells.items()}}
            for row in page.rows
        ],
        "protocols": [asdict(note) for note in page.protocols],
        "tables": [asdict(table) for table in page.tables],
        "figures": [[f.title, f.caption, f.file] for f in page.figures],
        "notes": list(page.notes),
    }


def _cell(cell: Cell) -> list[Any]:
    value = cell.value if isinstance(cell.value, str) else _number(cell.value)
    return [value, _number(cell.low), _number(cell.high), None if cell.n is None else int(cell.n)]


def _number(value: float | None) -> float | None:
    """A plain float (numpy's are none to json), or None for what is no finite number."""
    if value is None or not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() else round(float(value), 6)


def _json(value: Any) -> str:
    """JSON that is harmless in a script element: ASCII, and without an angle bracket."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e")


def _hash(text: str) -> str:
    """What a content security policy calls a piece of code by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
