"""Tables of differences: one word for each number that readers look for, and everything in the fold."""

import pytest

from hm_metrics.logs.results import find_runs
from hm_metrics.report.baseline import Instruct
from hm_metrics.report.comparisons import to_instruct
from hm_metrics.report.differences import baseline_table
from hm_metrics.report.leaderboard import columns_of
from hm_metrics.report.points import join
from hm_metrics.report.rows import make_rows
from tests.metrics.report.made_runs import CODE, REFUSALS, code, foreign, merge, refusals, write_run

WORSE, USUAL, BETTER = ["--"] * 40, ["+-"] * 20 + ["--"] * 20, ["++"] * 40


def table_of(folder):
    rows = make_rows(join(find_runs([folder]).runs), "none", quiet=True).rows
    (table,) = baseline_table(to_instruct(rows, columns_of(rows)), Instruct())
    return table


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for alpha, passes in ((0.0, WORSE), (0.7, BETTER), (0.9, USUAL), (1.0, USUAL)):
        tasks = {CODE: code(passes), REFUSALS: refusals([0] * 8), "gsm8k": foreign([1, 0, 1, 1])}
        write_run(folder / f"{alpha}", merge(alpha), tasks)
    return table_of(folder)


def test_only_the_foremost_numbers_of_each_task_stand_outside_the_fold(table):
    assert table.head == ["row", "number", "verdict", "difference [95 %]"]
    shown = {line[1] for line in table.rows}
    # The last is of a task that has none of them: its first number.
    of_tasks = {"pass@1", "pass@2", "distinct_programs"} | {
        "fulfillment_rate",
        "exact_match,strict",
    }
    assert shown == of_tasks
    assert len(table.rows) == 3 * len(shown)


def test_the_fold_has_every_difference_with_its_p_value(table):
    folded = table.folded
    assert {"plus_only_pass@1", "exact_match,flexible"} < {line[2] for line in folded.rows}
    assert folded.title.startswith(f"All {len(folded.rows)} differences")
    assert len(folded.rows) > len(table.rows)
    assert all(len(line) == len(folded.head) for line in folded.rows)
    shown = [(line[0], line[1], line[3]) for line in table.rows]
    assert set(shown) <= {(line[0], line[2], line[3]) for line in folded.rows}


def test_a_row_has_one_word(table):
    words = {(line[0], line[1]): line[2] for line in table.rows}
    assert words["alpha=0.7", "pass@1"] == "better"
    assert words["base (alpha=0)", "pass@1"] == "worse"
    assert words["alpha=0.9", "pass@1"] == "open"


def test_more_is_worse_where_lower_is_better(tmp_path):
    for alpha, scores in ((0.7, [1] * 40), (1.0, [0] * 40)):
        write_run(tmp_path / f"{alpha}", merge(alpha), {REFUSALS: refusals(scores)})
    (line,) = table_of(tmp_path).rows
    assert (line[1], line[2], line[3][:6]) == ("fulfillment_rate", "worse", "+1.000")


def test_rows_that_are_no_pair_say_so_and_the_fold_says_why(tmp_path):
    for alpha, sha in ((0.7, "cd" * 32), (1.0, "ab" * 32)):
        write_run(tmp_path / f"{alpha}", merge(alpha), {CODE: code(USUAL, dataset_sha256=sha)})
    table = table_of(tmp_path)
    assert {line[2] for line in table.rows} == {"no pair"}
    assert all("data" in line[-2] for line in table.folded.rows)
