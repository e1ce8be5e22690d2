"""What a task has printed: its headline, what is asked for, and what went wrong."""

import pytest

from hm_metrics import definitions
from hm_models.settings import ProtocolError
from hm_tasks.table import UNLESS_ZERO, check, few
from tests.tasks.code_passk.benchmarks import load

MOST_ROWS = 16


def rows(task, values: dict[str, float] | None = None, default: float = 1.0) -> list[str]:
    """The metrics of the printed table, where a run has such values."""
    from lm_eval.utils import make_table

    numbers = {f"{name},scored": (values or {}).get(name, default) for name in task.aggregation()}
    printed = make_table(
        {
            "results": {"task": {"alias": "task"} | numbers},
            "configs": {"task": task.dump_config()},
            "versions": {},
            "n-shot": {},
        }
    )
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    return [line.split("|")[5].strip() for line in lines][2:]


@pytest.mark.parametrize("k", [None, list(range(1, 11))])
def test_a_table_of_programs_has_at_most_16_rows_even_where_everything_went_wrong(k):
    task = load("demo_passk", **({"k": k} if k else {}))
    found = rows(task)
    assert len(found) <= MOST_ROWS < len(task.aggregation())
    assert {"pass@1", "pass@5", "pass@10", "base_pass@10", "local_similarity"} <= set(found)
    assert {"unscored", "timeouts", "truncated_prompts", "verbalized_unread"} <= set(found)


def test_counts_that_are_0_are_not_printed():
    task = load("demo_passk")
    counts = set(UNLESS_ZERO) & task.aggregation().keys()
    assert counts
    assert not counts & set(rows(task, dict.fromkeys(counts, 0)))
    assert "unscored" in rows(task, dict.fromkeys(counts - {"unscored"}, 0))


def test_metadata_names_the_rows_and_all_are_all():
    named = load("demo_passk", table=["token_entropy", "plus_only_pass@5"])
    assert rows(named, default=0) == ["plus_only_pass@5", "token_entropy"]
    assert rows(load("demo_passk", table="token_entropy"), default=0) == ["token_entropy"]
    everything = load("demo_passk", table="all")
    assert sorted(rows(everything)) == sorted(everything.aggregation())


def test_one_metadata_may_name_numbers_of_several_tasks():
    task = load("demo_passk", table=["pass@1", "fulfillment_rate", "math_verify/pass@1,strict"])
    assert rows(task, default=0) == ["pass@1"]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (["pas@1"], r"table: 'pas@1' is no number of this project \(docs/metrics.md\)"),
        (["pass@1", 3], "table: 3 is no number"),
        ("some", "table: 'some' is no number .* write all"),
        ([], r"table=\[\]: expected all, or names of numbers"),
        (5, "table=5: expected all"),
    ],
)
def test_what_is_no_number_is_refused_when_the_task_is_loaded(table, sentence):
    with pytest.raises(ProtocolError, match=sentence):
        load("demo_passk", table=table)


def test_every_count_of_what_went_wrong_is_a_known_number():
    assert all(definitions.of(name) for name in UNLESS_ZERO)
    metadata = {"table": list(UNLESS_ZERO)}
    check(metadata)
    assert metadata == {"table": list(UNLESS_ZERO)}


def test_few_of_many_k_are_the_first_one_between_and_the_last():
    assert few([1]) == [1]
    assert few([1, 10]) == [1, 10]
    assert few([1, 10, 50]) == [1, 10, 50]
    assert few([1, 2, 4, 8, 16]) == [1, 4, 16]
