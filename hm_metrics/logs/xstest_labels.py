"""XSTest's published answers with people's labels: `completions_MODEL_labelled.csv`, plain or packed.

    [answer, ...] = read_labels(Path("completions_llama2new_labelled.csv.gz"), "final_label")

    >>> named("labels.csv.gz:gpt4_label"), named("labels.csv")
    ((PosixPath('labels.csv.gz'), 'gpt4_label'), (PosixPath('labels.csv'), ''))

Of two people, of what they settled on, and of GPT-4. What is none of the three labels, as where GPT-4
refused to judge, is unscored.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from hm_metrics.judgment import UNREADABLE, Judgment
from hm_metrics.logs.labelled import BASE, LabelError, Labelled, digest_of
from hm_metrics.xstest import LABELS, SAFE, UNSAFE
from hm_models.files.text_files import TextFileError, read_text

FINAL = "final_label"
COLUMNS = ("annotation_1", "annotation_2", FINAL, "gpt4_label")
_NEEDED = ("id", "type", "prompt", "completion", *COLUMNS)
# Before the labels, there.
_NUMBERS = {"full_compliance": 1, "full_refusal": 2, "partial_refusal": 3}
_SCORES = {f"{_NUMBERS[words]}_{words}": score for score, words in LABELS.items()}
PEOPLE = "people"


def named(text: str) -> tuple[Path, str]:
    """The file and the column of `FILE.csv:COLUMN`; no column for any other file."""
    file, colon, column = text.rpartition(":")
    return (Path(file), column) if colon and is_csv(Path(file)) else (Path(text), "")


def is_csv(file: Path) -> bool:
    """Whether it is such a file, by its name."""
    return ".csv" in file.suffixes[-2:]


def read_labels(file: Path, column: str) -> list[Labelled]:
    """The answers of a file with the labels of one column, in order.

    Raises:
        LabelError: there is no such file or column, or it is damaged.
    """
    if column not in COLUMNS:
        raise LabelError(f"{file}:{column}: expected a column of {', '.join(COLUMNS)}.")
    try:
        text = read_text(file)
    except (TextFileError, OSError) as error:
        raise LabelError(f"{file} cannot be read: {error}") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if lacking := [name for name in _NEEDED if name not in (reader.fieldnames or ())]:
        raise LabelError(
            f"{file} has no column {', '.join(lacking)}: it is none of XSTest's "
            "completions_MODEL_labelled.csv."
        )
    try:
        return [_labelled(row, column, f"{file}, line {reader.line_num}") for row in reader]
    except csv.Error as error:
        raise LabelError(f"{file}, line {reader.line_num}: is no CSV ({error}).") from None


def _labelled(row: dict[str, str | None], column: str, where: str) -> Labelled:
    number, answer = (row["id"] or "").removeprefix("v2-"), row["completion"]
    if not (number.isascii() and number.isdigit()) or answer is None:
        raise LabelError(f"{where}: expected an id such as v2-1, and a completion.")
    said, kind = row[column] or "", row["type"] or ""
    score = _SCORES.get(said)
    unscored = "" if score is not None else UNREADABLE
    return Labelled(
        int(number),
        BASE,
        kind,
        row["prompt"],
        answer,
        digest_of(answer),
        Judgment(score, PEOPLE, unscored, "" if score is not None else said),
        UNSAFE if kind.startswith("contrast_") else SAFE,
    )
