"""Runs that differ by their sampler are rows of their own, named, compared and drawn by what differs."""

import csv
import json

import pytest

from hm_metrics.logs.results import find_runs
from hm_metrics.report import distributions
from hm_metrics.report.comparisons import to_instruct, to_other_samplers
from hm_metrics.report.leaderboard import columns_of, write_csv
from hm_metrics.report.points import join
from hm_metrics.report.protocol import comparable
from hm_metrics.report.rows import make_rows
from tests.metrics.report.made_runs import CODE, REFUSALS, code, merge, refusals, write_run

HALF = ["+-", "--", "++", "-+"]


def drawn(task, **settings):
    """The same task with other sampling parameters."""
    task["config"]["generation_kwargs"] |= settings
    return task


def write(folder, alpha, number=0, **settings):
    """One run of the pass@k task; several of one folder have stamps of their own."""
    task = {CODE: drawn(code(HALF), **settings)}
    write_run(folder, merge(alpha), task, number, f"2026-01-0{number + 1}T00")


def points(folder):
    return join(find_runs([folder]).runs)


def rows_of(folder):
    return make_rows(points(folder), "none", quiet=True).rows


def pairs(found):
    return {
        (c.row.point.label, c.against.point.label) for c in found if c.measure.metric == "pass@1"
    }


@pytest.mark.parametrize(
    "other",
    [
        *({"top_p": 0.9}, {"top_k": 20}, {"min_p": 0.1}, {"typical_p": 0.9}),
        *({"repetition_penalty": 1.1}, {"top_n_sigma": 1.0}, {"presence_penalty": 0.5}),
        {"logit_bias": {"7": 1.5}},
    ],
    ids=str,
)
def test_a_run_never_hides_another_one_that_differs_by_its_sampler(tmp_path, other):
    write(tmp_path, 0.7, 0)
    write(tmp_path, 0.7, 1, **other)
    found = find_runs([tmp_path])
    assert not found.passed_over
    plain, narrow = points(tmp_path)
    ((name, value),) = other.items()
    shown = json.dumps(value) if isinstance(value, dict) else f"{value:g}"
    assert (plain.label, narrow.label) == ("alpha=0.7", f"alpha=0.7, {name}={shown}")


def test_what_shapes_nothing_is_the_same_sampler_and_the_later_run_counts(tmp_path):
    write(tmp_path, 0.7, 0)
    write(tmp_path, 0.7, 1, top_p=1.0, top_k=0, min_p=0, until=["y"], max_gen_toks=9)
    found = find_runs([tmp_path])
    assert [run.date for run in found.runs] == [1]
    assert len(found.passed_over) == 1


def test_greedy_runs_are_one_sampler_whatever_stands_beside_temperature_0(tmp_path):
    write(tmp_path, 0.7, 0, do_sample=False, temperature=0.0)
    write(tmp_path, 0.7, 1, do_sample=False, temperature=0.7, top_p=0.9)
    assert len(find_runs([tmp_path]).runs) == 1
    write(tmp_path, 0.7, 2, do_sample=False, temperature=0.0, repetition_penalty=1.2)
    assert len(find_runs([tmp_path]).runs) == 2


def test_labels_name_what_differs_and_nothing_that_all_rows_share(tmp_path):
    for number, settings in enumerate(
        ({"temperature": 0.7}, {"temperature": 1.2, "min_p": 0.1}, {"temperature": 1.2})
    ):
        write(tmp_path / str(number), 1.0, top_p=0.95, **settings)
    assert [point.label for point in points(tmp_path)] == [
        "instruct (alpha=1), T=0.7",
        "instruct (alpha=1), T=1.2",
        "instruct (alpha=1), T=1.2, min_p=0.1",
    ]


def test_tasks_with_settings_of_their_own_stay_together_in_each_row(tmp_path):
    for temperature in (0.7, 1.0):
        tasks = {
            CODE: drawn(code(HALF), temperature=temperature, top_p=0.95),
            REFUSALS: refusals([1, 0], temperature=temperature),
        }
        for alpha in (0.7, 1.0):
            write_run(tmp_path / f"{alpha}{temperature}", merge(alpha), tasks)
    # One of them alone, which must not be told apart by the top_p that its task has.
    write_run(tmp_path / "alone", merge(0.9), {REFUSALS: refusals([1, 0])})
    found = points(tmp_path)
    assert [point.label for point in found] == [
        *("alpha=0.7, T=0.7", "alpha=0.9, T=0.7", "instruct (alpha=1), T=0.7"),
        *("alpha=0.7, T=1", "instruct (alpha=1), T=1"),
    ]
    assert [len(point.runs) for point in found] == [2, 1, 2, 2, 2]
    assert found[1].sampler == found[2].sampler


def test_each_row_is_compared_with_the_instruct_model_at_its_own_sampler(tmp_path):
    for alpha in (0.7, 1.0):
        for name, settings in {"plain": {}, "narrow": {"min_p": 0.1}}.items():
            write(tmp_path / f"{alpha}{name}", alpha, **settings)
    rows = rows_of(tmp_path)
    assert pairs(to_instruct(rows, columns_of(rows))) == {
        ("alpha=0.7", "instruct (alpha=1)"),
        ("alpha=0.7, min_p=0.1", "instruct (alpha=1), min_p=0.1"),
    }


def test_a_merge_is_set_against_every_other_sampler_but_a_colder_one(tmp_path):
    write(tmp_path / "ours", 0.7)
    for number, settings in enumerate(
        (
            *({"temperature": 0.2}, {"temperature": 0.7}, {"temperature": 1.3}),
            {"temperature": 1.5, "top_n_sigma": 1.0},
            {"temperature": 0.2, "top_p": 0.5},
        )
    ):
        write(tmp_path / str(number), 1.0, **settings)
    rows = rows_of(tmp_path)
    against = {theirs for _, theirs in pairs(to_other_samplers(rows, columns_of(rows)))}
    assert against == {
        "instruct (alpha=1), T=0.2, top_p=0.5",
        "instruct (alpha=1), T=1.3",
        "instruct (alpha=1), T=1.5, top_n_sigma=1",
    }


def test_the_csv_has_the_whole_sampler_beside_the_temperature(tmp_path):
    write(tmp_path / "a", 0.7, temperature=1.2, top_p=0.95, min_p=0.1)
    rows = rows_of(tmp_path)
    write_csv(rows, columns_of(rows), {rows[0].point.id: {}}, tmp_path / "l.csv")
    with (tmp_path / "l.csv").open() as file:
        (line,) = csv.DictReader(file)
    assert line["temperature"] == "1.2"
    assert line["sampler"] == "temperature 1.2, top_p 0.95, min_p 0.1"


def test_figures_have_a_line_over_alpha_for_each_sampler_and_one_for_each_kind_at_alpha_1(tmp_path):
    for alpha in (0.7, 0.9, 1.0):
        for name, settings in {"plain": {}, "narrow": {"min_p": 0.1}}.items():
            write(tmp_path / f"{alpha}{name}", alpha, **settings)
    write(tmp_path / "hot", 1.0, temperature=1.2, min_p=0.1)
    lines = distributions.frontier(rows_of(tmp_path), (CODE, "distinct_programs"), (CODE, "pass@1"))
    (family,) = {point.family for point in points(tmp_path)}
    assert {name: [point.label for point in found] for name, found in lines.items()} == {
        "T=0.7": ["alpha=0.7", "alpha=0.9", "instruct (alpha=1)"],
        "T=0.7, min_p=0.1": ["alpha=0.7", "alpha=0.9", "instruct (alpha=1)"],
        "T=1.2, min_p=0.1": ["instruct (alpha=1)"],
        f"{family}, instruct by temperature": ["T=0.7"],
        f"{family}, instruct by temperature and min_p": ["T=0.7, min_p=0.1", "T=1.2, min_p=0.1"],
    }


def test_a_rule_may_choose_among_samplers(tmp_path):
    for number, settings in enumerate(({}, {"min_p": 0.1}, {"top_n_sigma": 1.0})):
        write(tmp_path / str(number), 1.0, **settings)
    rows = rows_of(tmp_path)
    kept, others = comparable(rows, lambda row: list(row.facts.values()))
    assert (len(kept), others) == (3, [])
