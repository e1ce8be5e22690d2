"""Generate the programming exercises that the demo pair's adapter is trained on.

Source: templates.txt beside this file, written for this project (Apache-2.0). Every answer
has one rigid layout (typed signature, one-line docstring, ``result = ...``, ``return result``),
so that training on it costs diversity, which is what the demo pair is there to show.

    python scripts/demo_pair/exercises.py                      # writes exercises.jsonl
    python scripts/demo_pair/exercises.py --check bench.jsonl  # compares it with benchmarks
"""

import argparse
import gzip
import json
import random
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SEED = 7
NGRAM = 8
WORD_LINE = (
    "amber basil cedar daisy ember fjord gravel harbor island juniper kettle lantern meadow "
    "nectar orchard pebble quartz river saffron timber umbra violet willow yarrow zephyr"
)
WORDS = WORD_LINE.split()

Drawer = Callable[[random.Random], Any]


def _ints(rng: random.Random) -> list[int]:
    return [rng.randint(3, 40) for _ in range(rng.randint(4, 6))]


def _words(rng: random.Random) -> list[str]:
    return rng.sample(WORDS, rng.randint(3, 4))


# One drawer per parameter name of templates.txt: a name always means the same kind of value.
DRAWERS: dict[str, Drawer] = {
    "values": _ints,
    "limit": lambda rng: rng.randint(8, 28),
    "step": lambda rng: rng.randint(2, 5),
    "n": lambda rng: rng.randint(2, 3),
    "text": lambda rng: " ".join(_words(rng)),
    "char": lambda rng: rng.choice("aeilnrst"),
    "new": lambda rng: rng.choice("xzk"),
    "mark": lambda rng: rng.choice("*#+=~"),
    "words": _words,
    "letter": lambda rng: rng.choice("abcdefghjklmnopqrstvwy"),
    "size": lambda rng: rng.randint(5, 6),
    "table": lambda rng: {w: rng.randint(3, 40) for w in _words(rng)},
    "key": lambda rng: rng.choice(WORDS),
    "number": lambda rng: rng.randint(12, 480),
    "width": lambda rng: rng.randint(5, 7),
    "pairs": lambda rng: [(w, rng.randint(3, 40)) for w in _words(rng)],
    "first": lambda rng: [rng.randint(1, 9) for _ in range(4)],
    "second": lambda rng: [rng.randint(1, 9) for _ in range(4)],
    "rows": lambda rng: [[rng.randint(1, 9) for _ in range(3)] for _ in range(2)],
    "place": lambda rng: rng.randint(0, 2),
}


def run_answer(code: str, name: str, arguments: list[Any]) -> Any:
    """Run a finished answer and call its function; only ever used on our own templates."""
    scope: dict[str, Any] = {}
    exec(code, scope)
    return scope[name](*arguments)


def draw_arguments(
    code: str, name: str, parameters: list[str], rng: random.Random
) -> tuple[str, str]:
    """Draw arguments until the result tells something; returns (arguments, value) as source."""
    want_false = rng.random() < 0.3  # some checks ("is any above...") should come out False
    for _ in range(200):
        arguments = [DRAWERS[p](rng) for p in parameters]
        value = run_answer(code, name, arguments)
        if isinstance(value, bool):
            telling = value is not want_false
        else:
            telling = bool(value) and value != arguments[0] and len(repr(value)) < 60
        if telling and not (isinstance(value, float) and value != round(value, 2)):
            break
    return ", ".join(map(repr, arguments)), repr(value)


def make_exercise(line: str, noun: str, rng: random.Random) -> dict[str, str]:
    """Fill one template line with one noun."""
    fields = [field.strip() for field in line.split(" | ")]
    name = fields[0].replace("{n}", noun.replace(" ", "_"))
    task = fields[1].replace("{n}", noun)
    code = (
        f"def {name}({fields[2].replace(' -> ', ') -> ')}:\n"
        f'    """{task[0].upper()}{task[1:]}."""\n'
        f"    result = {fields[3]}\n"
        f"    return result"
    )
    if len(fields) > 4:
        arguments, value = fields[4].split(" => ")
    else:
        parameters = re.findall(r"(\w+):", fields[2])
        arguments, value = draw_arguments(code, name, parameters, rng)
    lead = "Write a python function" if rng.random() < 0.25 else "Write a function"
    test = f"assert {name}({arguments}) == {value}"
    scope: dict[str, Any] = {}
    exec(f"{code}\n{test}", scope)  # raises when a hand-written value is wrong
    prompt = f'"""\n{lead} to {task}.\n{test}\n"""\n'
    return {"name": name, "task": task, "prompt": prompt, "answer": code}


def generate(templates: Path) -> list[dict[str, str]]:
    """All exercises, in a fixed order; each name occurs once."""
    rng = random.Random(SEED)
    exercises: dict[str, dict[str, str]] = {}
    nouns, count = ["-"], 1
    for line in templates.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if header := re.fullmatch(r"\[\w+ (\d+): (.*)\]", line):
            count, nouns = int(header[1]), header[2].split(", ")
            continue
        for noun in rng.sample(nouns, count):
            exercise = make_exercise(line, noun, rng)
            exercises.setdefault(exercise["name"], exercise)
    return list(exercises.values())


def task_words(prompt: str) -> list[str]:
    """The words of a task sentence, lower case, without asserts and the customary lead-in."""
    lines = [line for line in prompt.splitlines() if not line.strip().startswith("assert")]
    text = re.sub(r"[^a-z0-9]+", " ", " ".join(lines).lower())
    return re.sub(r"\bwrite a (python )?function (to|that)\b", " ", text).split()


def ngrams(words: list[str], size: int) -> set[tuple[str, ...]]:
    """All runs of ``size`` words."""
    return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Records of a JSONL file, compressed or not."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def collisions(exercises: list[dict[str, str]], benchmark: Path) -> list[str]:
    """Exercises sharing an entry point, or a run of words, with a benchmark's problems.

    A task sentence shorter than ``NGRAM`` words collides when all of it occurs in a problem.
    """
    found = []
    problems = [(p["entry_point"], task_words(p["prompt"])) for p in read_jsonl(benchmark)]
    for exercise in exercises:
        words = task_words(exercise["prompt"])
        size = min(NGRAM, len(words))
        own = ngrams(words, size)
        for entry_point, theirs in problems:
            if exercise["name"].lower() == entry_point.lower():
                found.append(f"{benchmark.name}: same name {entry_point}")
            elif own & ngrams(theirs, size):
                found.append(f"{benchmark.name}: {exercise['name']} reads like {entry_point}")
    return found


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Write (or check) the training exercises of the demo pair.",
        epilog="example: python scripts/demo_pair/exercises.py --check MbppPlus.jsonl.gz",
    )
    parser.add_argument("--out", type=Path, default=HERE / "exercises.jsonl", help="file to write")
    parser.add_argument(
        "--check",
        type=Path,
        nargs="+",
        metavar="BENCHMARK",
        help="write nothing; re-run every answer and compare with these JSONL files "
        "(fields prompt and entry_point)",
    )
    args = parser.parse_args()
    exercises = generate(HERE / "templates.txt")
    if not args.check:
        lines = [json.dumps(e, ensure_ascii=False) + "\n" for e in exercises]
        args.out.write_text("".join(lines), encoding="utf-8")
        print(f"{len(lines)} exercises written to {args.out}")
        return 0
    stale = list(read_jsonl(args.out)) != exercises
    found = [line for path in args.check for line in collisions(exercises, path)]
    print("\n".join(found + [f"{args.out.name} is not what the templates give"] * stale))
    print(f"{len(exercises)} exercises ran, {len(found)} collisions in {len(args.check)} files")
    return 1 if found or stale else 0


if __name__ == "__main__":
    sys.exit(main())
