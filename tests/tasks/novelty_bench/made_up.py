"""Mild prompts of our own in the shape of NoveltyBench's, and a judge that goes by the first word."""

import json
from pathlib import Path


def rows(n: int = 3) -> list[dict]:
    return [
        {
            "id": f"curated-{number}",
            "category": "Creativity" if number % 2 else "Factual Knowledge",
            "prompt": f"Name a fruit, number {number}.",
            "prompt_paraphrases": [],
        }
        for number in range(n)
    ]


def write_set(file: Path, these: list[dict] | None = None) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in (rows() if these is None else these)))
    return file


def verdict(question: str) -> str:
    """Two answers are the same if their first words are; a rating is the number at the end."""
    parts = question.split("\n")
    quoted = [line[2:] for line in parts if line.startswith("> ")]
    if "#therating" in question:
        return f"So so.\n#therating: {quoted[-1].rstrip('.').split()[-1]}"
    first, second = (text.split()[0] for text in quoted[1:])
    return f"So it is.\n#thescore: {int(first == second)}"
