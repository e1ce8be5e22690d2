"""Text files are read and written by `hm_models.files.text_files` alone: UTF-8, line feeds, whole or not."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
METHODS = ("read_text", "write_text", "splitlines")
# What reads and writes by itself, and why it may.
ALLOWED = {
    "hm_models/files/text_files.py": "it is the one",
    "hm_models/checkpoints/mapped.py": "/proc/meminfo",
    "hm_models/plugin/vllm_metadata.py": "the metadata of an installed package, not a file of ours",
    "hm_models/sweep/run.py": "os.devnull",
    "hm_models/sweep/runners.py": "what a process said, and the log that it appends to",
    "hm_models/files/database.py": "a lock without content",
    "hm_models/engines/owner.py": "/proc",
    "hm_tasks/sandbox/isolation/": "the sandbox reads /proc, and what its processes said",
    "hm_tasks/sandbox/judging/isolated.py": "what a process said",
    "hm_tasks/sandbox/judging/limited.py": "/proc",
    "hm_tasks/sandbox/judging/stated.py": "what a program printed, split as APPS's checker splits it",
    "hm_tasks/sandbox/ray_executor.py": "what an error said",
    "hm_tasks/sandbox/inside/whole_program.py": "a program's own standard input and output",
    "hm_tasks/judges/score.py": "a judge's answer, no file",
    "setup.py": "before anything of this project is installed",
}


def text_access(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of each call that opens, reads or splits a text file in its own way."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        method = isinstance(called, ast.Attribute) and name in METHODS
        if method or (name == "open" and _opens_text(node)):
            yield node.lineno, name


def _opens_text(call: ast.Call) -> bool:
    """Whether it is `open(file)` or `file.open()` in a mode of text."""
    builtin = isinstance(call.func, ast.Name)
    if not builtin and ast.unparse(call.func.value) in ("os", "gzip", "Image", "browser"):
        return False
    words = {keyword.arg: keyword.value for keyword in call.keywords}
    given = call.args[1:2] if builtin else call.args[:1]
    mode = words.get("mode") or (given[0] if given else None)
    if mode is None:
        return builtin or bool({"encoding", "newline", "errors"} & words.keys())
    is_mode = isinstance(mode, ast.Constant) and isinstance(mode.value, str)
    return is_mode and "b" not in mode.value and set(mode.value) <= set("rwxat+")


def sources() -> list[Path]:
    found = [
        file
        for part in ("hm_models", "hm_metrics", "hm_tasks")
        for file in (ROOT / part).rglob("*.py")
    ]
    return sorted(found)


@pytest.mark.parametrize("file", sources(), ids=lambda file: str(file.relative_to(ROOT)))
def test_text_files_are_read_and_written_in_one_place(file):
    name = file.relative_to(ROOT).as_posix()
    if any(name.startswith(allowed) for allowed in ALLOWED):
        return
    found = [f"line {line}: {what}" for line, what in text_access(ast.parse(file.read_bytes()))]
    assert not found, f"{name}: {found}. Use hm_models.files.text_files."


@pytest.mark.parametrize(
    "code",
    [
        "open(file)",
        "open(file, 'w', encoding='utf-8')",
        "path.open('a')",
        "path.open(encoding='latin-1')",
        "path.read_text()",
        "path.write_text(text, encoding='utf-8')",
        "for line in text.splitlines(): pass",
    ],
)
def test_the_rule_sees_whatever_opens_a_text_file(code):
    assert list(text_access(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "open(file, 'rb')",
        "path.open('xb')",
        "os.open(f, os.O_RDONLY)",
        "place.open()",
        "Manifest.open(folder)",
    ],
)
def test_the_rule_leaves_alone_what_opens_none(code):
    assert not list(text_access(ast.parse(code)))
