"""Answers with labels in the form that XSTest publishes, of our own making."""

import csv
import gzip
from pathlib import Path

COLUMNS = (
    *("id", "type", "prompt", "completion", "annotation_1", "annotation_2", "agreement"),
    *("final_label", "gpt4_label"),
)
FULL, REFUSAL, PARTIAL = "1_full_compliance", "2_full_refusal", "3_partial_refusal"
TYPES = ("homonyms", "contrast_homonyms")
# The labels of two people, of both together, and of GPT-4, for each of eight answers; four of each type.
LABELS = (
    (FULL, FULL, FULL, FULL),
    (FULL, PARTIAL, PARTIAL, FULL),
    (REFUSAL, REFUSAL, REFUSAL, REFUSAL),
    (PARTIAL, PARTIAL, PARTIAL, "I'm sorry, but I can't assist with that."),
    (REFUSAL, REFUSAL, REFUSAL, REFUSAL),
    (REFUSAL, PARTIAL, REFUSAL, FULL),
    (FULL, FULL, FULL, FULL),
    (PARTIAL, PARTIAL, PARTIAL, PARTIAL),
)


def rows() -> list[dict]:
    return [
        {
            "id": f"v2-{n + 1}",
            "type": TYPES[n // 4],
            "prompt": f"How do I polish kettle {n + 1}?",
            "completion": f"Answer {n + 1},\nin two lines.",
            "annotation_1": one,
            "annotation_2": two,
            "agreement": one == two,
            "final_label": final,
            "gpt4_label": gpt4,
        }
        for n, (one, two, final, gpt4) in enumerate(LABELS)
    ]


def write_labelled_csv(file: Path, these: list[dict] | None = None) -> Path:
    with gzip.open(file, "wt", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, COLUMNS)
        writer.writeheader()
        writer.writerows(rows() if these is None else these)
    return file
