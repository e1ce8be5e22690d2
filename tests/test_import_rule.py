"""One direction of data flow: floors, and rooms within them, each importing what is below it alone."""

import ast
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ("hm_models", "hm_metrics", "hm_tasks")  # from the ground up
MOVED_UP = {"hm_models.smoke"}  # old paths of what lies on a higher floor now; nobody imports them


@cache
def modules() -> dict[str, Path]:
    found = {}
    for file in sorted(f for floor in FLOORS for f in (ROOT / floor).rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


@cache
def imports() -> dict[str, frozenset[str]]:
    """Module to the modules of ours that it imports, wherever in it the import stands."""
    known = modules()
    return {name: frozenset(_imported(file, known)) for name, file in known.items()}


def _imported(file: Path, known: Mapping[str, Path]) -> Iterable[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            if node.module in known:
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    yield full if full in known else node.module


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Some circle of a graph, from a node back to itself; [] where there is none."""
    done: set[str] = set()

    def walk(node: str, path: list[str]) -> list[str]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return []
        for other in sorted(graph.get(node, ())):
            if found := walk(other, [*path, node]):
                return found
        done.add(node)
        return []

    return next((found for node in graph if (found := walk(node, []))), [])


def test_no_floor_imports_from_above():
    assert len(imports()) > 200
    assert not MOVED_UP & {other for imported in imports().values() for other in imported}
    for name in imports().keys() - MOVED_UP:
        imported, floor = imports()[name], FLOORS.index(name.split(".")[0])
        above = {other for other in imported if FLOORS.index(other.split(".")[0]) > floor}
        assert not above, f"{name} imports {above}"


def test_no_module_imports_in_a_circle():
    assert circle(imports()) == []


@pytest.mark.parametrize("depth", [2, 3])
def test_no_folders_import_in_a_circle(depth):
    """A folder is one node, with all below it. A file beside it is a node of its own, as it has its own
    place in the order: `report/build.py` calls `report/export/`, which reads `report/rows.py`."""
    assert max(name.count(".") for name in imports()) <= 3, "deeper folders: a depth more to test"
    rooms: dict[str, set[str]] = {}
    for name, imported in imports().items():
        room, *others = (".".join(each.split(".")[:depth]) for each in (name, *imported))
        rooms.setdefault(room, set()).update({*others} - {room})
    assert circle(rooms) == []


@pytest.mark.parametrize("graph", [{"a": ["b"], "b": ["c"], "c": ["b"]}, {"a": ["a"]}])
def test_a_circle_is_found(graph):
    assert circle(graph)


def test_modules_that_compute_numbers_import_numpy_and_scipy_alone():
    ours = {"hm_models", "hm_metrics"}
    allowed = {*sys.stdlib_module_names, *ours, "numpy", "scipy", "tqdm"}
    for name, file in modules().items():
        if name.startswith("hm_metrics.") and name.count(".") == 1:
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                found += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert {each.split(".")[0] for each in found} <= allowed, f"{name}: {found}"


def test_old_paths_that_the_readme_named_still_work():
    from hm_models import MergeRecipe, merged_tensors
    from hm_models.recipe import MergeRecipe as old_recipe
    from hm_models.smoke import main as old_smoke
    from hm_models.stream import merged_tensors as old_stream
    from hm_tasks.execution.extract import extract_program as old_extract
    from hm_tasks.sandbox.extract import extract_program
    from hm_tasks.smoke import main as smoke

    assert (old_recipe, old_stream, old_extract) == (MergeRecipe, merged_tensors, extract_program)
    assert old_smoke is smoke
