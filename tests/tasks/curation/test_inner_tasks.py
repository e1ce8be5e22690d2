"""The questions of an inner task: found by what they say, and named so that other runs name them alike."""

import json

import pytest

from hm_models.errors import UsageError
from hm_models.plugin.task_manager import LOADING
from hm_tasks.curation.inner_tasks import InnerTask, InnerTasks
from hm_tasks.curation.provenance import Wrapped
from tests.tasks.any_passk.sums import manager, write

ASKED = Wrapped("sums", "strict", "exact_match", 5.0, 1024)


@pytest.fixture
def inner(tmp_path):
    """A function that loads the sums with some fields added to each question."""

    def load(*more: dict) -> InnerTask:
        data = write(tmp_path) / "sums.jsonl"
        docs = [json.loads(line) for line in data.read_text().splitlines()]
        docs = [doc | added for doc, added in zip(docs, more or [{}] * len(docs), strict=True)]
        data.write_text("".join(json.dumps(doc) + "\n" for doc in docs))
        token = LOADING.set(manager(tmp_path))
        try:
            return InnerTasks().of(ASKED)
        finally:
            LOADING.reset(token)

    return load


def test_a_question_has_its_own_id_where_all_have_one(inner):
    of = inner({"id": "a"}, {"id": "b"}, {"id": "c"}, {"id": "d"})
    assert [of.problem(number) for number in range(4)] == ["sums/a", "sums/b", "sums/c", "sums/d"]


def test_an_id_that_several_questions_share_is_none(inner):
    of = inner({"id": "a"}, {"id": "a"}, {"id": "c"}, {"id": "d"})
    assert of.problem(1) == f"sums/1@{of.sha256[:8]}"


def test_other_questions_give_other_names(inner):
    assert inner().problem(0) != inner({"why": "1"}, *[{"why": ""}] * 3).problem(0)


def test_a_question_is_found_by_what_it_says_whatever_the_order_of_its_fields(inner):
    of = inner()
    doc = of.docs[2]
    assert of.find(dict(reversed(doc.items()))) == 2
    assert of.find(doc | {"answer": "13"}) is None
    assert of.find(None) is None


def test_who_grades_is_told_by_the_scoring_and_not_by_what_a_run_asks(inner, tmp_path):
    before = inner()
    identity = before.identity
    before.task.set_config("generation_kwargs", {"temperature": 0.7})
    assert before.identity == identity
    before.task.set_config("doc_to_target", "{{question}}")
    assert before.identity["config_sha256"] != identity["config_sha256"]


@pytest.mark.parametrize("name", ["suns", ""])
def test_what_is_no_task_to_wrap_is_refused(tmp_path, name):
    token = LOADING.set(manager(write(tmp_path)))
    try:
        with pytest.raises(UsageError, match="hm-curate: passk_of="):
            InnerTasks().of(Wrapped(name, "strict", "exact_match", 5.0, 1024))
    finally:
        LOADING.reset(token)
