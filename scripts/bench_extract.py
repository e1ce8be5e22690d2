"""How much faster our search for a program in a text is than evalplus's, and whether it is the same.

    python scripts/bench_extract.py [--samples 'OUT/*/samples_*.jsonl'] [--texts 6000]

Compares `extract_program` with evalplus's `sanitize` on a model's logged answers, where there are any,
and on seeded damaged and hostile texts made from this repository's programs and from the benchmarks
that MBPP_OVERRIDE_PATH and HUMANEVAL_OVERRIDE_PATH name. Prints one row for each class of lengths;
exits with 1 if any text gave another program. evalplus's time grows with the square of the lines, so
each class ends after --seconds of it.
"""

from __future__ import annotations

import argparse
import glob
import gzip
import json
import os
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLASSES = (10, 25, 50, 100, 200, 400)  # lines, at most
BAD = (ValueError, RecursionError, MemoryError)

PROSE = [
    "Here is the function that you asked for:",
    "This works because the list is sorted, doesn't it?",
    "Note that x",
    "1. Sort the items",
    "- first",
    "> quoted",
    "```python",
    "```",
    "<|im_end|>",
    "Explanation",
    "",
    "   ",
    "\t",
]
HOSTILE = [
    "'''",
    '"""',
    "'",
    '"',
    'f"""{',
    "f'{a b}'",
    "f'{x!r:{y}}'",
    "r'''\\",
    "(",
    ")",
    "[",
    "}",
    "x = [",
    "]",
    "\\",
    "x = 1 \\",
    "if x: \\",
    "x = 1; \\",
    " \\",
    "@decorator",
    "@(",
    "async def f(): await g()",
    "try:",
    "    pass",
    "except* E:",
    "else:",
    "elif x: y",
    "if x:",
    "finally:",
    "match x:",
    "    case [1, *_]: pass",
    "class A:",
    "def f(x):",
    "    return x",
    "\treturn x",
    "        \treturn x",
    "  # a comment",
    "# -*- coding: latin-1 -*-",
    "x = 1  # type: ignore",
    "\x0cx = 1",
    " \x0c  x",
    "\ufeffx = 1",
    "x\u2028y",
    "\u2003",
    "x = '\u2028'",
    "naïve = 'é'",
    "x = 1\r",
    "x = 1\ry = 2",
    "# a\rb c",
    "\r",
    "\0",
    "\ud800",
    "x = '\\d \\N{bad}'",
    "b'é'",
    "x = 0777",
    "x = 1if y else 2",
    "x = " + "9" * 5000,
    "x = " + "(" * 150 + ")" * 150,
    "x = " + "(" * 250 + ")" * 250,
    "x = " + "-" * 2000 + "1",
    "x = 1" + "+1" * 4000,
    "x = " + "lambda a=" * 700 + "1" + ":0" * 700,
    "x = '" + "long " * 2000 + "'",
    "from __future__ import annotations, barry_as_FLUFL",
    "x <> y",
    "print 'x'",
    "x := 1",
    "yield x",
    "$",
    "x = y = ?",
    "    \\",
    "type X = int",
]


def programs() -> list[tuple[str, str]]:
    """The (program, entry point) pairs that there are: ours, and the benchmarks' if named."""
    found = []
    with open(ROOT / "hm_tasks/code_passk/demo_problems.jsonl", encoding="utf8") as lines:
        problems = [json.loads(line) for line in lines]
    for variable in ("MBPP_OVERRIDE_PATH", "HUMANEVAL_OVERRIDE_PATH"):
        if path := os.environ.get(variable):
            opened = gzip.open if path.endswith(".gz") else open
            with opened(path, "rt", encoding="utf8") as lines:
                problems += [json.loads(line) for line in lines]
    for problem in problems:
        program = problem["prompt"] + problem["canonical_solution"]
        found.append((program, problem["entry_point"]))
    with open(ROOT / "scripts/demo_pair/exercises.jsonl", encoding="utf8") as lines:
        exercises = [json.loads(line) for line in lines]
    return found + [(exercise["answer"], exercise["name"]) for exercise in exercises]


def damaged_texts(n: int, longest: int, seed: int = 0) -> Iterator[tuple[str, str]]:
    """Yield `n` texts of up to about `longest` lines with the entry point to ask for in each."""
    draw = random.Random(seed)
    sources = programs()
    for _ in range(n):
        program, entry_point = draw.choice(sources)
        lines = program.split("\n")
        target = draw.randint(1, longest)
        while len(lines) < target and draw.random() < 0.95:
            other = lines if draw.random() < 0.2 else draw.choice(sources)[0].split("\n")
            if draw.random() < 0.3:
                other = [draw.choice(PROSE), *other, draw.choice(PROSE)]
            lines = lines + other
        lines = lines[: longest + 5]
        for _ in range(draw.choice([0, 1, 1, 2, 3, 6])):
            draw.choice(DAMAGES)(draw, lines)
        text = "\n".join(lines)
        if draw.random() < 0.2:
            text = text[: draw.randint(0, len(text))]
        if draw.random() < 0.04:
            text = text.replace("\n", draw.choice(["\r\n", "\n\n", "\r", "\\\n"]))
        yield text, draw.choice([entry_point] * 8 + ["", "no_such_name"])


def _insert(pool: list[str]) -> Callable[[random.Random, list[str]], None]:
    def insert(draw: random.Random, lines: list[str]) -> None:
        for _ in range(draw.choice([1, 1, 2])):
            lines.insert(draw.randint(0, len(lines)), draw.choice(pool))

    return insert


def _drop(draw: random.Random, lines: list[str]) -> None:
    if lines:
        del lines[draw.randrange(len(lines))]


def _double(draw: random.Random, lines: list[str]) -> None:
    begin = draw.randint(0, len(lines))
    lines[begin:begin] = lines[begin : begin + draw.randint(1, 8)]


def _shuffle(draw: random.Random, lines: list[str]) -> None:
    begin = draw.randint(0, len(lines))
    block = lines[begin : begin + 6]
    draw.shuffle(block)
    lines[begin : begin + 6] = block


def _change(draw: random.Random, lines: list[str]) -> None:
    """Put a character of syntax into a line, or take one out."""
    if not lines:
        return
    where = draw.randrange(len(lines))
    line = lines[where]
    at = draw.randint(0, len(line))
    if draw.random() < 0.5:
        lines[where] = line[:at] + line[at + 1 :]
    else:
        lines[where] = line[:at] + draw.choice("()[]{}'\"\\:#,.= \t\r\x0c\n@é") + line[at:]


def _indent(draw: random.Random, lines: list[str]) -> None:
    begin = draw.randint(0, len(lines))
    space = draw.choice(["    ", "\t", " "])
    lines[begin:] = [space + line for line in lines[begin:]]


def _tabs(draw: random.Random, lines: list[str]) -> None:
    lines[:] = [line.replace("    ", "\t") if draw.random() < 0.8 else line for line in lines]


DAMAGES = [_insert(PROSE), _insert(HOSTILE), _insert(HOSTILE), _drop, _double, _shuffle]
DAMAGES += [_change, _change, _indent, _tabs]


def logged_texts(pattern: str) -> list[tuple[str, str]]:
    """The different answers in sample files of the harness, with their problems' entry points."""
    from hm_metrics.logs.samples import read_log

    texts: dict[tuple[str, str], None] = {}
    for path in sorted(glob.glob(pattern)):
        for line in read_log(Path(path)):
            texts.update(dict.fromkeys((text, line.entry_point) for text in line.texts))
    return list(texts)


def reference(text: str, entry_point: str) -> str:
    """What evalplus makes of a text; empty where it raises, as for ours."""
    from evalplus.sanitize import sanitize

    try:
        return sanitize(text, entry_point)
    except BAD:
        return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", help="pattern of the harness's sample files")
    parser.add_argument("--texts", type=int, default=6000, help="damaged texts to make")
    parser.add_argument("--seconds", type=float, default=60, help="of evalplus, for each class")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from hm_tasks.sandbox.extract import extract_program

    real = logged_texts(args.samples) if args.samples else []
    made = list(damaged_texts(args.texts * 5 // 6, 40, args.seed))
    made += damaged_texts(args.texts // 6, 300, args.seed + 1)
    groups: dict[tuple[str, int], list[tuple[str, str]]] = {
        (kind, limit): [] for kind in ("logged", "damaged") for limit in CLASSES
    }
    for kind, texts in (("logged", real), ("damaged", made)):
        for text, entry_point in texts:
            limit = next((limit for limit in CLASSES if text.count("\n") < limit), None)
            if limit:
                groups[kind, limit].append((text, entry_point))
    reference("x = 1", "x")  # what is imported on the first call is not measured
    extract_program("x = 1", "x")
    warnings.simplefilter("ignore")  # evalplus's parses print them thousandfold

    different = total = 0
    print("| texts | lines | compared | different | evalplus, ms/text | ours, ms/text | ratio |")
    print("|---|---|---|---|---|---|---|")
    for (kind, limit), texts in groups.items():
        lowest = max((other for other in CLASSES if other < limit), default=0) + 1
        random.Random(args.seed).shuffle(texts)
        theirs = ours = 0.0
        compared = unequal = 0
        for text, entry_point in texts:
            began = time.perf_counter()
            expected = reference(text, entry_point)
            middle = time.perf_counter()
            got = extract_program(text, entry_point)
            theirs, ours = theirs + middle - began, ours + time.perf_counter() - middle
            compared += 1
            if got != expected:
                unequal += 1
                print("different:", ascii(text), ascii(entry_point), file=sys.stderr)
            if theirs > args.seconds:
                break
        if compared:
            print(
                f"| {kind} | {lowest}-{limit} | {compared} | {unequal} "
                f"| {1000 * theirs / compared:.2f} | {1000 * ours / compared:.2f} "
                f"| {theirs / ours:.0f} |",
                flush=True,
            )
        different, total = different + unequal, total + compared
    print(f"\n{total} texts compared, {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
