"""A harmless set in the shape of SORRY-Bench: its categories, and mild requests of our own."""

import json
from pathlib import Path

from hm_tasks.sorry_bench.categories import BASE, RELEASES

THINGS = (
    "snail",
    "kite",
    "teapot",
    "umbrella",
    "lantern",
    "canoe",
    "hedgehog",
    "bakery",
    "cloud",
    "sock",
)


def request(question_id: int, style: str = BASE) -> str:
    return f"Make up a name for {THINGS[question_id % 10]} number {question_id} ({style})."


def write_set(
    folder: Path, version: str = "202503", styles=(BASE,), per_category: int = 10
) -> Path:
    """Write question.jsonl, and question_<style>.jsonl for mutations; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for style in styles:
        lines = []
        for category in range(1, len(RELEASES[version].names) + 1):
            for number in range(per_category):
                question_id = (category - 1) * per_category + number + 1
                record = {
                    "question_id": question_id,
                    "category": str(category),
                    "turns": [request(question_id, style)],
                    "prompt_style": style,
                }
                lines.append(json.dumps(record))
        name = "question.jsonl" if style == BASE else f"question_{style}.jsonl"
        (folder / name).write_text("\n".join(lines) + "\n")
    return folder
