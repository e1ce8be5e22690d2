"""The harness's table has the rows that a task names; other tasks' tables are what the harness prints."""

import copy

from lm_eval.utils import make_table

TABLE = {"rows": ["pass@1"], "asked": False, "unless_zero": ["unscored"]}
OURS = {
    "name": "ours",
    "alias": "ours",
    "sample_len": 2,
    "pass@1,scored": 0.5,
    "pass@1_stderr,scored": 0.0625,
    "pass@1,strict": 0.25,
    "pass@5,scored": 0.75,
    "pass@5_stderr,scored": 0.125,
    "unscored,scored": 0,
    "unscored_stderr,scored": "N/A",
}
THEIRS = {
    "name": "theirs",
    "alias": "theirs",
    "acc,none": 0.5,
    "acc_stderr,none": 0.1,
    "unscored": 0,
}


def results(table=TABLE, **tasks):
    tasks = tasks or {"ours": OURS}
    configs = {name: {"table": table} if name == "ours" else {"metadata": {}} for name in tasks}
    return {"results": tasks, "configs": configs, "versions": {}, "n-shot": {}}


def rows(printed: str) -> list[str]:
    lines = printed.splitlines()
    return [line.split("|")[5].strip() for line in lines if line.startswith("|")][2:]


def test_the_rows_that_a_task_names_are_printed_with_their_errors():
    printed = make_table(results())
    assert rows(printed) == ["pass@1", "pass@1"]
    assert "0.0625" in printed
    assert "0.125" not in printed, "the error of a number that is left out"


def test_a_name_with_its_filter_is_that_filters_row_alone():
    assert rows(make_table(results(TABLE | {"rows": ["pass@1,strict"]}))) == ["pass@1"]


def test_a_count_of_what_went_wrong_is_printed_where_it_is_not_0():
    assert "unscored" not in rows(make_table(results()))
    printed = make_table(results(ours=OURS | {"unscored,scored": 3}))
    assert rows(printed) == ["pass@1", "pass@1", "unscored"]


def test_one_line_says_how_many_rows_are_left_out_and_where_they_are():
    *_, line = make_table(results()).splitlines()
    assert line.startswith("Rows left out: 2 of ours.")
    assert "results_*.json" in line
    assert """--metadata '{"table": "all"}'""" in line
    assert "left out" not in make_table(results(TABLE | {"rows": ["pass@1", "pass@5", "unscored"]}))


def test_a_number_that_was_asked_for_and_that_no_task_has_is_named():
    asked = TABLE | {"rows": ["pass@1", "pass@3"], "asked": True}
    *_, line = make_table(results(asked)).splitlines()
    assert line.endswith("not among the numbers: pass@3.")
    assert "pass@3" not in make_table(results(asked | {"asked": False}))


def test_all_other_tables_are_the_harnesss_own_and_nothing_is_taken_from_the_results():
    plain = make_table.__wrapped__
    theirs = results(theirs=THEIRS)
    assert make_table(theirs) == plain(theirs)
    assert make_table(results(None)) == plain(results(None))
    assert rows(make_table(results(ours=OURS, theirs=THEIRS)))[-1] == rows(plain(theirs))[-1]
    grouped = results(theirs=THEIRS) | {"groups": {"both": {"alias": "both", "acc,none": 0.5}}}
    assert make_table(grouped, "groups") == plain(grouped, "groups")
    found = results()
    before = copy.deepcopy(found)
    make_table(found, sort_results=True)
    assert found == before
