"""The sandbox can be owned alone: what it imports, and that its page names each file."""

import ast
from pathlib import Path

import hm_tasks.sandbox

PACKAGE = Path(hm_tasks.sandbox.__file__).parent
FILES = sorted(file for file in PACKAGE.rglob("*.py") if file.name != "__init__.py")
MAY_IMPORT = ("hm_metrics.verdict", "hm_models.files", "hm_models.errors", "hm_tasks.sandbox")


def imported(file: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found.append(node.module or "")
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return [name for name in found if name.startswith("hm_")]


def test_it_imports_only_what_a_verdict_is_and_where_files_are():
    for file in FILES:
        for name in imported(file):
            allowed = any(name == one or name.startswith(f"{one}.") for one in MAY_IMPORT)
            assert allowed, f"{file.name} imports {name}"


def test_what_runs_programs_knows_nothing_of_the_judge():
    inside = [file for file in FILES if file.parent.name in ("inside", "isolation", "wire")]
    names = {name for file in inside for name in imported(file) if ".judging" in name}
    assert names == set()


def test_its_page_names_each_file():
    page = (PACKAGE / "README.md").read_text(encoding="utf-8")
    assert [file.name for file in FILES if f"{file.name}`" not in page] == []
