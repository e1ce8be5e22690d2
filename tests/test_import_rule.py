"""One direction of data flow: hm_models < hm_metrics < hm_tasks, each imports what is below it."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "hm_models": {"hm_models"},
    "hm_metrics": {"hm_metrics", "hm_models"},
    "hm_tasks": {"hm_tasks", "hm_metrics", "hm_models"},
}


def imported_packages(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").split(".")[0])
    return names


def test_packages_import_only_what_the_rule_allows():
    checked = 0
    for package, allowed in ALLOWED.items():
        for file in (ROOT / package).rglob("*.py"):
            ours = imported_packages(file) & ALLOWED.keys()
            assert ours <= allowed, f"{file} imports {ours - allowed}"
            checked += 1
    assert checked > 20
