"""XSTest in a report: both rates with intervals, the maps, what is chosen by several conditions."""

import numpy as np
import pytest

from hm_metrics.logs.results import find_runs
from hm_metrics.logs.task_log import CONTRASTS
from hm_metrics.report import distributions, pictures
from hm_metrics.report.browser import questions
from hm_metrics.report.choice import choose
from hm_metrics.report.leaderboard import columns_of, main_number
from hm_metrics.report.points import join
from hm_metrics.report.rows import make_rows
from tests.metrics.report.made_contrasts import TASK, contrasts
from tests.metrics.report.made_runs import code, merge, refusals, write_run

OVER, UNSAFE = "over_refusal_rate", "unsafe_compliance_rate"


def rows_of(folder, by_alpha):
    """Rows of merges with XSTest's scores of 2 x 20 prompts, a code task and SORRY-Bench."""
    for alpha, (safe, unsafe, passes, fulfilled) in by_alpha.items():
        tasks = {
            TASK: contrasts({"homonyms": safe, "contrast_homonyms": unsafe}),
            "mbppplus_passk": code(passes),
            "sorry_bench": refusals(fulfilled),
        }
        write_run(folder / f"alpha{alpha}", merge(alpha), tasks)
    return make_rows(join(find_runs([folder]).runs), quiet=True).rows


BY_ALPHA = {
    # refuses much and answers nothing unsafe; in between; refuses nothing and answers all; weak
    1.0: ([0] * 12 + [1] * 8, [0] * 20, ["+-"] * 20, [0] * 20),
    0.7: ([2] + [1] * 19, [0] * 19 + [1], ["++"] * 15 + ["+-"] * 5, [0] * 18 + [1] * 2),
    0.3: ([1] * 20, [1] * 18 + [0] * 2, ["++"] * 20, [1] * 20),
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return rows_of(tmp_path_factory.mktemp("runs"), BY_ALPHA)


def by_label(rows, part):
    return next(row for row in rows if part in row.point.label)


def test_rates_are_means_over_their_own_half_with_intervals_over_its_prompts(rows):
    row = by_label(rows, "0.7")
    log = row.logs[TASK]
    assert log.kind == CONTRASTS
    over, unsafe = row.values[TASK][OVER], row.values[TASK][UNSAFE]
    assert (over.value, over.questions) == (0.05, 20)
    assert (unsafe.value, unsafe.questions) == (0.05, 20)
    assert row.values[TASK][f"{OVER}_full"].value == 0.0
    assert 0.0 <= over.low < 0.05 < over.high < 0.4
    assert np.isnan(log.values[OVER]).sum() == 20, "unsafe prompts are no part of it"


def test_an_unscored_answer_is_no_part_of_a_rate_and_is_counted(tmp_path):
    (row,) = rows_of(tmp_path, {0.5: ([0, None, 1], [0, 1, None], ["+-"] * 3, [0] * 3)})
    assert row.values[TASK][OVER].value == row.values[TASK][UNSAFE].value == 0.5
    assert row.logs[TASK].unscored == 2
    assert any("2 of 6 samples are unscored" in text for text in row.warnings)


def test_several_conditions_choose_the_merge_that_keeps_all_of_them_surely_or_perhaps(rows):
    columns = columns_of(rows)

    def chosen(text):
        (choice,) = choose(text, rows, columns)
        return choice

    rule = f"pass@1 subject to fulfillment_rate<=0.35 and {OVER}<=0.3 and {UNSAFE}<=0.3"
    both = chosen(rule)
    assert "0.7" in both.row.point.label
    satisfies = {label.split()[-1]: how for label, how in both.selection.satisfies.items()}
    assert sorted(satisfies.values()) == ["not", "not", "surely"]
    for number in ("fulfillment_rate 0.1 [", f"{OVER} 0.05 [", f"{UNSAFE} 0.05 ["):
        assert number in both.selection.sentence, "each condition with its interval"
    # Without the condition on compliance the model that answers everything wins.
    assert "0.3" in chosen(f"pass@1 subject to {OVER}<=0.3").row.point.label
    # A limit within the interval is satisfied perhaps.
    near = chosen(f"pass@1 subject to {OVER}<=0.06 and {UNSAFE}<=0.3")
    assert "perhaps" in near.selection.satisfies.values()
    assert "is not sure" in near.selection.sentence
    assert chosen(f"min xstest:{OVER} subject to {UNSAFE}<=0.3").row is both.row


def test_the_map_has_a_row_for_each_type_and_no_mean_of_both_halves(rows):
    columns, means, _ = distributions.categories(rows, TASK)
    of = next(found for label, found in columns.items() if "0.3" in label)
    assert of == {"contrast_homonyms": 0.9, "homonyms": 0.0}
    assert means == {}


def test_both_rates_are_drawn_against_each_other_along_alpha(rows, tmp_path):
    problems = []
    drawn = pictures.draw(rows, tmp_path / "figures", problems)
    titles = [figure.title for figure in drawn]
    assert problems == []
    assert f"Over-refusal against unsafe compliance, {TASK}" in titles
    assert f"Refusals by type of prompt, {TASK}" in titles
    files = {figure.file.split("/")[-1] for figure in drawn}
    assert {"contrast_xstest.pdf", "refusals_xstest.pdf", "refusals_sorry_bench.pdf"} <= files
    assert "frontier_mbppplus_passk_xstest_over_refusal.pdf" in files
    lines = distributions.frontier(rows, (TASK, UNSAFE), (TASK, OVER))
    (points,) = lines.values()
    assert [(point.x, point.y) for point in points] == [(0.9, 0.0), (0.05, 0.05), (0.0, 0.6)]


def test_the_page_shows_prompts_answers_and_labels(rows):
    found = next(q for q in questions(rows) if q.task == TASK and q.question.endswith(": homonyms"))
    assert found.prompt == "Polish kettle 0?"
    assert sorted(sample.base for (sample,) in found.samples.values()) == [
        *("full compliance", "full refusal", "partial refusal"),
    ]
    assert {sample.text for (sample,) in found.samples.values()} == {"answer 0"}


def test_the_number_that_novelty_bench_is_about_is_that_of_different_answers(tmp_path):
    task = {
        "results": {"utility_k,scored": 2.0, "distinct_k,scored": 3.0},
        "config": {"metadata": {}},
        "better": {"distinct_k": True, "utility_k": True},
        "lines": [],
    }
    write_run(tmp_path, merge(0.5), {"novelty_bench": task})
    found = make_rows(join(find_runs([tmp_path]).runs), quiet=True).rows
    assert main_number(found, "novelty_bench") == "distinct_k"
    assert main_number(found, TASK) == ""
