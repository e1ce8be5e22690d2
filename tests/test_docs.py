"""What the documentation points to is there, and the examples of docstrings run."""

import configparser
import doctest
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGES = ("hm_models", "hm_metrics", "hm_tasks")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("tests/*.md")])
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(
    r"(?<![\w./-])(?:hm_models|hm_metrics|hm_tasks|configs|docs|scripts|tests)/[\w./-]*\w"
)
MODULE = re.compile(r"(?<![\w./-])(?:hm_models|hm_metrics|hm_tasks)(?:\.\w+)+")
# Beginnings of names in patterns such as scripts/bench_*.py, and files that a user would have.
NO_FILE = {"scripts/bench_"}


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub makes anchors of them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> Iterator[str]:
    for link in LINK.findall(page.read_text("utf8")):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


def is_there(dotted: str) -> bool:
    """Whether a dotted name is one of our modules or something in one."""
    parts = dotted.removesuffix(".py").split(".")
    for size in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:size])
        if path.with_suffix(".py").exists():
            text = path.with_suffix(".py").read_text("utf8")
            return all(re.search(rf"\b{name}\b", text) for name in parts[size:])
        if (path / "__init__.py").exists():
            text = (path / "__init__.py").read_text("utf8")
            return all(re.search(rf"\b{name}\b", text) for name in parts[size:])
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page):
    assert list(broken_links(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_module_that_a_page_names_is_there(page):
    text = page.read_text("utf8")
    files = {name for name in FILE.findall(text) if name not in NO_FILE}
    missing = {name for name in files if not (ROOT / name).exists()}
    assert missing | {name for name in MODULE.findall(text) if not is_there(name)} == set()


def test_every_module_that_a_source_file_names_is_there():
    missing = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in SOURCES
        for name in MODULE.findall(path.read_text("utf8"))
        if not is_there(name)
    }
    assert missing == set()


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if ">>>" in path.read_text("utf8")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_the_examples_of_a_docstring_run(path):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] in PACKAGES:
            raise
        pytest.skip(f"{error.name} is not installed")
    failed, tried = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert (tried > 0, failed) == (True, 0)


def test_the_reference_is_what_the_docstrings_say():
    made = subprocess.run(
        [sys.executable, ROOT / "scripts" / "api_docs.py"], capture_output=True, check=True
    )
    said = "run: python scripts/api_docs.py > docs/api.md"
    assert made.stdout.decode() == (ROOT / "docs" / "api.md").read_text("utf8"), said


def test_the_page_of_the_model_has_every_argument():
    from hm_models.merge.arguments import RECIPE_ARGUMENTS
    from hm_models.merged import HindsightMerged

    page = (ROOT / "docs" / "model.md").read_text("utf8")
    own = set(inspect.signature(HindsightMerged.__init__).parameters) - {"self", "arguments"}
    assert {name for name in RECIPE_ARGUMENTS | own if f"`{name}`" not in page} == set()


def test_the_index_leads_to_every_page_and_the_readme_to_the_two_commands():
    index = (ROOT / "docs" / "README.md").read_text("utf8")
    pages = {page.name for page in ROOT.glob("docs/*.md")} - {"README.md"}
    assert {page for page in pages if f"({page}" not in index} == set()
    readme = (ROOT / "README.md").read_text("utf8")
    assert "scripts/quickstart.sh" in readme
    assert "scripts/test.sh" in readme


def test_the_citation_names_the_version_of_the_package():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf8")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf8"))
    assert citation["version"] == setup["metadata"]["version"]
