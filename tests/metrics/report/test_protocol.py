"""Rows that were measured in another way carry another mark, which says in what they differ."""

import pytest

from hm_metrics.logs.results import find_runs
from hm_metrics.report.points import join
from hm_metrics.report.protocol import DATE, comparable, letter, mark
from hm_metrics.report.rows import make_rows
from tests.metrics.report.made_runs import CODE, REFUSALS, code, merge, refusals, write_run


def facts(folder, task=CODE) -> dict[str, dict[str, str]]:
    rows = make_rows(join(find_runs([folder]).runs), "none", quiet=True).rows
    return {row.point.label: row.facts[task] for row in rows}


def test_most_rows_are_a_and_what_differs_is_named():
    notes, marks = mark({"t": {"1": {"n": "5"}, "2": {"n": "11"}, "3": {"n": "11"}}})
    assert marks == {"1": {"t": "B"}, "2": {"t": "A"}, "3": {"t": "A"}}
    assert [(note.mark, note.facts, note.differs) for note in notes] == [
        ("A", {"n": "11"}, ["n"]),
        ("B", {"n": "5"}, ["n"]),
    ]


def test_a_fact_that_one_row_lacks_makes_another_mark():
    notes, _ = mark({"t": {"1": {"n": "5"}, "2": {"n": "5", "limit": "3"}}})
    assert [note.mark for note in notes] == ["A", "B"]
    assert notes[0].differs == ["limit"]


def test_letters_do_not_end_at_z():
    assert [letter(n) for n in (0, 25, 26, 51, 52, 701, 702)] == [
        *("A", "Z", "AA", "AZ", "BA", "ZZ", "AAA")
    ]


@pytest.mark.parametrize(
    ("other", "fact"),
    [
        (code(["+--", "---"]), "samples a question"),
        (code(["+-", "--"], temperature=1.0), "temperature"),
        (code(["+-", "--"], dataset_sha256="cd" * 32), "data"),
        (code(["+-"]), "questions"),
        (code(["+-", "--"], isolation="rlimit"), "isolation"),
        (code(["+-", "--"], embedding={"embedder": "m", "embedded": "text"}), "embedder"),
        (code(["+-", "--"], prompts={"style": "chat", "sha256": "cd" * 32}), "prompts"),
        (code(["+-", "--"], prompts={"style": "completion"}), "prompt style"),
    ],
)
def test_whatever_shapes_a_number_is_a_fact(tmp_path, other, fact):
    write_run(tmp_path / "a", merge(0.7), {CODE: code(["+-", "--"])})
    write_run(tmp_path / "b", merge(0.9), {CODE: other})
    first, second = facts(tmp_path).values()
    assert fact in {key for key, _ in first.items() ^ second.items()}


def test_prompt_style_and_judge_are_facts_but_not_the_judges_address(tmp_path):
    one, two = refusals([1]), refusals([1])
    two["config"]["metadata"]["judging"]["endpoint"] = "http://2"
    write_run(tmp_path / "a", merge(0.7), {REFUSALS: one})
    write_run(tmp_path / "b", merge(0.9), {REFUSALS: two})
    write_run(tmp_path / "c", merge(0.0), {REFUSALS: refusals([1], judge="other")})
    base, first, second = facts(tmp_path, REFUSALS).values()
    assert first == second
    assert {key for key, _ in base.items() ^ first.items()} == {"judge", "prompt style"}


def test_only_prompt_style_and_temperature_may_differ_in_a_ranking():
    ways = {
        "usual": {"n": "11", "temperature": "0.7"},
        "warm": {"n": "11", "temperature": "1", "prompt style": "completion"},
        "small": {"n": "5", "temperature": "0.7"},
    }
    kept, others = comparable(list(ways), lambda name: [ways[name]])
    assert kept == ["usual", "warm"]
    assert others == [("small", ["n"])]


def test_runs_whose_prompts_say_other_days_carry_other_marks_and_are_not_ranked_together(tmp_path):
    for alpha, day in ((0.7, "2026-11-28"), (0.9, "2026-11-29"), (1.0, "2026-11-28")):
        config = merge(alpha) | {"chat_date": day}
        write_run(tmp_path / str(alpha), config, {CODE: code(["+-", "--"])})
    found = facts(tmp_path)
    _, marks = mark({CODE: found})
    assert len({marks[row][CODE] for row in found}) == 2
    same, ((_, why),) = comparable(list(found), lambda row: [found[row]])
    assert (len(same), why) == (2, ["date in the prompts"])


def test_other_prompts_of_another_template_are_marked_and_may_be_ranked(tmp_path):
    for alpha, sha256 in ((0.7, "ab" * 32), (0.9, "cd" * 32)):
        task = code(["+-", "--"], prompts={"style": "chat", "sha256": sha256})
        write_run(tmp_path / str(alpha), merge(alpha), {CODE: task})
    found = facts(tmp_path)
    notes, _ = mark({CODE: found})
    assert [note.differs for note in notes] == [["prompts"], ["prompts"]]
    assert len(comparable(list(found), lambda row: [found[row]])[0]) == 2


def test_cut_prompts_and_copies_are_marked(tmp_path):
    cut, copies = code(["+-", "--"]), code(["++", "--"])
    cut["results"] |= {"truncated_prompts,scored": 3, "equal_samples,scored": 1}
    copies["results"] |= {"truncated_prompts,scored": 0, "equal_samples,scored": 2}
    write_run(tmp_path / "a", merge(0.7), {CODE: cut})
    write_run(tmp_path / "b", merge(0.9), {CODE: copies})
    one, two = make_rows(join(find_runs([tmp_path]).runs), "none", quiet=True).rows
    assert one.facts[CODE]["truncated prompts"] == "3"
    assert "truncated prompts" not in two.facts[CODE]
    assert any("3 samples were longer than the context" in text for text in one.warnings)
    assert not any("copies" in text for text in one.warnings)
    assert any("copies of one" in text for text in two.warnings)


def test_answers_without_a_word_are_said_where_they_are_more_than_a_few(tmp_path):
    for alpha, empty in ((0.7, 2), (0.9, 0)):
        task = code(["+-", "--"])
        task["results"] |= {"empty_answers,scored": empty}
        write_run(tmp_path / str(alpha), merge(alpha), {CODE: task})
    one, two = make_rows(join(find_runs([tmp_path]).runs), "none", quiet=True).rows
    assert any("2 of 4 answers are empty" in text for text in one.warnings)
    assert not any("empty" in text for text in two.warnings)


def test_a_base_by_completion_is_ranked_beside_its_merges_under_its_own_mark(tmp_path):
    for alpha in (0.0, 0.7, 1.0):
        task = code(
            ["+-", "--"], prompts={"style": "chat" if alpha else "completion", "sha256": "ab"}
        )
        config = merge(alpha) | ({"chat_date": "2026-11-28"} if alpha else {})
        write_run(tmp_path / str(alpha), config, {CODE: task})
    found = facts(tmp_path)
    notes, marks = mark({CODE: found})
    assert [(note.mark, note.beside) for note in notes] == [("A", ""), ("B", "A")]
    assert [marks[row][CODE] for row in found] == ["B", "A", "A"]
    assert len(comparable(list(found), lambda row: [found[row]])[0]) == 3


def test_whoever_tells_no_date_joins_one_side_and_never_two_dates():
    base, first, second = {"n": "1"}, {"n": "1", DATE: "1"}, {"n": "1", DATE: "2"}
    ways = {"base": base, "first": first, "second": second, "again": first}
    notes, marks = mark({"t": {name: way for name, way in ways.items()}})
    beside = {note.mark: note.beside or note.mark for note in notes}
    ranked = {name: beside[marks[name]["t"]] for name in ways}
    assert ranked["base"] == ranked["first"] == ranked["again"] != ranked["second"]
    kept, others = comparable(list(ways), lambda name: [ways[name]])
    assert (kept, others) == (["base", "first", "again"], [("second", [DATE])])
