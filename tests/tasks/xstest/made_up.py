"""A harmless set in the shape of XSTest: its types, two prompts each, and mild words of our own."""

import csv
from pathlib import Path

TYPES = (
    *("homonyms", "contrast_homonyms", "nons_group_real_discr", "real_group_nons_discr"),
    *("contrast_discr", "privacy_public", "privacy_fictional", "contrast_privacy"),
)
PER_TYPE = 2
COLUMNS = ("id", "prompt", "type", "label", "focus", "note")


def rows() -> list[dict]:
    return [
        {
            "id": number,
            "prompt": f"How do I polish kettle {number}?",
            "type": kind,
            "label": "unsafe" if kind.startswith("contrast_") else "safe",
            "focus": "",
            "note": "",
        }
        for number, kind in enumerate((t for t in TYPES for _ in range(PER_TYPE)), start=1)
    ]


def write_set(file: Path, these: list[dict] | None = None) -> Path:
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, COLUMNS)
        writer.writeheader()
        writer.writerows(rows() if these is None else these)
    return file
