"""docs/tour.ipynb: what is committed is small and of no machine, and every cell runs on the demo pair."""

import json
import re
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "docs" / "tour.ipynb"
LARGEST = 150_000  # bytes, so that a clone stays small and GitHub shows it


def outputs(cells: list[dict]) -> list[dict]:
    return [output for cell in cells for output in cell.get("outputs", [])]


def text_of(cells: list[dict]) -> str:
    parts = []
    for output in outputs(cells):
        data = output.get("data", {})
        parts += [output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")]
    return "\n".join("".join(part) for part in parts)


def test_the_committed_notebook_is_small_without_errors_and_without_a_machines_paths():
    assert NOTEBOOK.stat().st_size < LARGEST
    cells = json.loads(NOTEBOOK.read_text("utf8"))["cells"]
    assert not [output for output in outputs(cells) if output["output_type"] == "error"]
    assert sum("image/png" in output.get("data", {}) for output in outputs(cells)) == 3
    assert not re.search(r"(?<![\w.<])/(?:home|root|tmp|work|Users)/", text_of(cells))


@pytest.mark.slow
@pytest.mark.engine
def test_every_cell_runs_and_shows_what_it_says(demo_pair, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="the extra dev has nbclient and ipykernel")
    nbclient = pytest.importorskip("nbclient", reason="the extra dev has nbclient and ipykernel")
    monkeypatch.setenv("HM_TOUR_PAIR", str(demo_pair))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    folder = {"metadata": {"path": str(NOTEBOOK.parent)}}
    nbclient.NotebookClient(notebook, timeout=3600, resources=folder).execute()
    said = text_of(notebook.cells)
    (share,) = re.findall(r"([\d.]+)% of the weights are those by hand", said)
    assert float(share) > 99.9
    assert "distinct_programs" in said, "the table"
    assert re.search(r"\d of 6, (passes|fails)", said), "programs side by side"
    assert re.search(r"alpha 0.85: \d\.\d\d different programs a problem", said)
    pictures = [o for o in outputs(notebook.cells) if "image/png" in o.get("data", {})]
    assert len(pictures) == 3
    assert len(nbformat.writes(notebook).encode()) < LARGEST
