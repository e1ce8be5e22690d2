"""What people read on a terminal goes through `say`: escaped, and in the terminal's own encoding."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What prints by itself, and why it may.
ALLOWED = {
    "hm_models/shown/screen.py": "it is the one",
    "hm_models/commands/command_line.py": "its own name and version",
    "hm_models/plugin/autoload.py": "loads nothing before Python itself has started",
    "hm_models/plugin/versions.py": "the same",
    "hm_models/smoke.py": "its one line",
    "hm_tasks/smoke.py": "its one line",
    "hm_metrics/definitions.py": "a page, into a file",
    "hm_tasks/sandbox/isolation/prove.py": "its own words, in a process that has nothing else",
}


def test_nothing_else_prints():
    found = [
        f"{name}:{node.lineno}"
        for part in ("hm_models", "hm_metrics", "hm_tasks")
        for file in sorted((ROOT / part).rglob("*.py"))
        if (name := file.relative_to(ROOT).as_posix()) not in ALLOWED
        for node in ast.walk(ast.parse(file.read_text("utf8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert found == []
