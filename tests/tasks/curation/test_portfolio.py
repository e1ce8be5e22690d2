"""A set drawn by a portfolio: the split of a sweep's logs, the samples that are drawn, and what is refused."""

import json
from collections import Counter
from pathlib import Path

import pytest

from hm_tasks.curation.draw import Draw
from hm_tasks.curation.errors import CurationError
from hm_tasks.curation.pipeline import Curation
from hm_tasks.curation.settings import CurationSettings
from tests.entry_points import run
from tests.metrics.report.made_runs import code, merge, write_run
from tests.tasks.curation.made_samples import demo

QUESTIONS, SAMPLES = 10, 4


def log(folder: Path, alpha: float, right: range, questions: int = QUESTIONS) -> Path:
    """A run whose samples of these questions are all right, and of the others all wrong."""
    words = ["+-"[number not in right] * SAMPLES for number in range(questions)]
    task = code(words)
    for line, problem in zip(task["lines"], demo(questions), strict=True):
        line["doc"] |= {"task_id": problem.task_id, "entry_point": problem.entry_point}
        solution = problem.canonical_solution.strip()
        if line["doc_id"] not in right:
            solution = f"{solution.splitlines()[0]}\n    return 'never'"
        texts = [f"{solution}\n# sample {sample} at {alpha}" for sample in range(SAMPLES)]
        made = [json.loads(verdict) for verdict in line["filtered_resps"][0]]
        line["resps"] = [texts]
        line["filtered_resps"] = [
            [json.dumps(one | {"program": text}) for one, text in zip(made, texts, strict=True)]
        ]
    return write_run(folder, merge(alpha), {"demo_passk": task}).parent


@pytest.fixture
def sweep(tmp_path):
    """Half of the questions are solved by one row, the other half by another, none by the third."""
    log(tmp_path / "sweep" / "0.5", 0.5, range(QUESTIONS // 2))
    log(tmp_path / "sweep" / "0.8", 0.8, range(0))
    log(tmp_path / "sweep" / "1", 1.0, range(QUESTIONS // 2, QUESTIONS))
    return tmp_path / "sweep"


def read(out, *samples, **changes):
    """What the first step says, and its records."""
    settings = CurationSettings(samples=samples, **changes)
    found = Curation(settings, None, quiet=True).run(out, "read")["steps"]["read"]
    lines = (out / "1_samples.jsonl").read_text().splitlines()
    return found, [json.loads(line) for line in lines]


def test_each_row_gives_each_question_its_part_of_the_budget(tmp_path, sweep):
    found, records = read(tmp_path / "out", sweep, portfolio=4)
    (told,) = found["settings"]["portfolio"]
    split = {label: samples for label, samples in told["split"].items() if samples}
    assert sum(split.values()) == 4
    assert len(split) == 2, "the row that solves nothing gets nothing"
    assert told["solved"] == 1.0
    by_row = Counter((r["provenance"]["alpha"], r["problem"]) for r in records)
    assert set(by_row.values()) <= set(split.values())
    assert Counter(r["problem"] for r in records) == dict.fromkeys(
        (problem.task_id for problem in demo(QUESTIONS)), 4
    )
    drawn = {source["alpha"]: (source["draws"], source["records"]) for source in found["sources"]}
    assert drawn[0.8] == (0, 0)
    assert all(records == QUESTIONS * draws for draws, records in drawn.values())
    assert found["left_out"] == {"sample that the portfolio does not draw": 3 * 40 - 4 * QUESTIONS}


def test_draws_are_the_seeds_and_not_the_first_samples(tmp_path, sweep):
    def texts(out, **changes):
        return [record["text"] for record in read(tmp_path / out, sweep, portfolio=2, **changes)[1]]

    one = texts("one")
    assert one == texts("again")
    assert one != texts("other", seed=1)
    assert len({text.rpartition("# sample ")[2][0] for text in one}) > 1
    everywhere = Counter(p for n in range(4000) for p in Draw(2, 0).places(str(n), 5))
    assert all(1450 < count < 1750 for count in everywhere.values()), everywhere


def test_without_a_portfolio_every_sample_is_taken_and_nothing_is_noted(tmp_path, sweep):
    found, records = read(tmp_path / "out", sweep)
    assert len(records) == 3 * 40
    assert "portfolio" not in found["settings"]
    assert "draws" not in found["sources"][0]


def refused(tmp_path, *samples, k=4):
    with pytest.raises(CurationError) as error:
        read(tmp_path / "out", *samples, portfolio=k)
    return str(error.value)


def test_one_row_alone_is_refused(tmp_path, sweep):
    message = refused(tmp_path, sweep / "1")
    assert "samples_demo_passk_" in message
    assert "is no row that shares a budget with others" in message


def test_a_budget_above_what_the_rows_have_is_refused(tmp_path, sweep):
    message = refused(tmp_path, sweep, k=13)
    assert "k=13: 3 rows of 4, 4, 4 samples a question can give 1 to 12" in message


def test_rows_of_other_questions_are_refused(tmp_path, sweep):
    log(sweep / "0.3", 0.3, range(2), questions=6)
    assert "not measured as the other rows are: alpha=0.3" in refused(tmp_path, sweep)


def test_a_file_without_results_is_refused(tmp_path, sweep):
    alone = tmp_path / "samples.jsonl"
    alone.write_text(json.dumps({"task_id": "Demo/1", "solution": "def f(): ..."}) + "\n")
    message = refused(tmp_path, sweep, alone)
    assert f"{alone} is no row" in message


@pytest.mark.parametrize("k", [0, -1])
def test_a_budget_below_one_is_refused(k):
    with pytest.raises(CurationError, match=f"--portfolio {k}: expected a whole number above 0"):
        CurationSettings(portfolio=k)


def test_the_card_of_the_set_says_how_it_was_drawn(tmp_path, sweep, monkeypatch):
    monkeypatch.setenv("HM_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "out"
    asked = ("--portfolio", "2", "--export", "openai", "--decontaminate", "none")
    done = run("hm-curate", sweep, "--output_path", out, *asked)
    assert done.returncode == 0, done.stderr
    assert "split: 1 x alpha=0.5" in done.stdout
    card = (out / "export" / "openai" / "README.md").read_text()
    assert '"k": 2' in card
    assert '"solved": 1.0' in card
    assert "sample that the portfolio does not draw 100" in card
