"""The same, of the pages that read what runs have left; and the tutorial from its first to its last line."""

import json

import pytest

from tests.documented import Shown
from tests.documents.pages import OF_RESULTS, TUTORIAL

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("page", OF_RESULTS)
def test_the_commands_of_a_page_that_reads_results_run(page, reader_of):
    reader = reader_of(page)
    for shown in reader.commands():
        reader.types(shown)


def test_the_tutorial_leads_from_its_first_line_to_an_exported_alpha(reader_of):
    reader, names, said = reader_of(TUTORIAL), {}, []
    for item in reader.reads():
        if isinstance(item, Shown):
            done = reader.types(item)
            said.append(done.stdout + done.stderr)
        else:
            reader.executes(item, names)
    made, headers, look, plan, sweep, report, chosen, taken = said
    assert "already complete" in made
    assert "tensors" in headers
    assert "licence" in headers
    assert "|pass@10" in look
    assert "a difference of 0.05 in pass@1 shows" in plan
    assert "4 of 4 points" in plan
    assert "4 of 4 points are done" in sweep
    assert "instruct" in report
    assert "stands out" in chosen, "two questions settle nothing, which is said"
    assert "Wrote " in taken
    (file,) = reader.folder.glob("runs/sweep/demo/alpha0.7/*/results_*.json")
    numbers = json.loads(file.read_text())["results"]["demo_passk"]
    assert (numbers["generated,scored"], numbers["reused,scored"]) == (0, 22), "those of step 2"
    assert "pass@10" in (reader.folder / "runs/chosen/README.md").read_text("utf8")
    assert names["lm"].recipe.alpha == 1
    assert names["model"].config.vocab_size == names["model"].lm_head.weight.shape[0]
