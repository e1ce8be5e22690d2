"""What is wrapped: a task of the harness by its name, or with what is to differ in it."""

from hm_tasks.any_passk.inner import load_inner
from tests.tasks.any_passk.sums import manager, write


def test_a_mapping_names_a_task_and_what_differs_in_it(tmp_path):
    known = manager(write(tmp_path))
    plain = load_inner("sums", "mine", known).config
    differs = {"task": "sums", "doc_to_text": "{{question}} Say a number."}
    other = load_inner(differs, "mine", known).config
    assert other.doc_to_text == "{{question}} Say a number."
    assert plain.doc_to_text == "Q: {{question}}\nA:"
    assert (other.task, other.filter_list) == ("sums", plain.filter_list)
