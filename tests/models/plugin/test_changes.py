"""Each change to the harness has a file of its own, which says what for, and stands in the docs' table."""

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import hm_models.plugin
from hm_models.plugin.autoload import CHANGES

ROOT = Path(__file__).parents[3]
FILES = sorted({name for names in CHANGES.values() for name in names})
NO_CHANGE = {"__init__", "autoload", "contracts", "versions"}


def test_every_file_of_the_plugin_is_called_by_the_hook():
    there = {file.stem for file in Path(hm_models.plugin.__path__[0]).glob("*.py")} - NO_CHANGE
    # These two are asked for by name: at an import of vLLM's metadata, and by a sweep.
    assert there == {*FILES, "vllm_metadata", "once_for_all"}


@pytest.mark.parametrize("name", [*FILES, "vllm_metadata", "once_for_all"])
def test_a_change_says_for_which_versions_it_is_and_what_would_make_it_unnecessary(name):
    said = import_module(f"hm_models.plugin.{name}").__doc__
    assert re.search(r"\nHarness: 0\.(4\.13|5\.0\.dev1)", said)
    assert "\nUnnecessary: " in said
    assert f"plugin/{name}.py" in (ROOT / "docs" / "discovery.md").read_text()


def test_every_module_that_is_changed_is_there():
    for module in CHANGES:
        assert find_spec(module), module
