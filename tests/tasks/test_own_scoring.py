"""What a task of ours cannot be made of is refused by a sentence, with every harness."""

import pytest
from lm_eval.tasks import TaskManager

from hm_models.settings import ProtocolError
from hm_tasks.any_passk.inner import load_inner
from tests.instances import HAS_SCORERS

FORMATS = pytest.mark.skipif(not HAS_SCORERS, reason="formats are 0.5's")
OURS = ["demo_passk", "any_passk", "xstest"]


@pytest.fixture(scope="module")
def known(our_tasks_alone):
    return TaskManager()


@pytest.mark.parametrize("task", OURS)
def test_metadata_that_are_replaced_as_a_whole_are_refused_with_how_to_change_some(known, task):
    differing = {"task": task, "metadata": {"n_samples": 2, "k": [1]}}
    with pytest.raises(ProtocolError, match=f"{task}: the metadata of its YAML.*--metadata"):
        known.load([{"group": "mine", "task": [differing]}])


@FORMATS
def test_metadata_of_overrides_are_refused_too(known):
    with pytest.raises(ProtocolError, match="demo_passk: the metadata of its YAML"):
        known.load(["demo_passk"], overrides={"demo_passk": {"metadata": {"n_samples": 2}}})


@FORMATS
@pytest.mark.parametrize("asked", ["@cot", "@generate"])
@pytest.mark.parametrize("task", OURS)
def test_a_prompt_format_is_refused(known, task, asked):
    with pytest.raises(ProtocolError, match=f"{task}: .*no format '{asked[1:]}'"):
        known.load([task + asked])


@FORMATS
def test_a_prompt_format_in_a_group_is_refused(known):
    with pytest.raises(ProtocolError, match=r"demo_passk: .*no format 'cot'"):
        known.load([{"group": "mine", "task": [{"task": "demo_passk", "formats": "cot"}]}])


def test_a_prompt_format_of_a_wrapped_task_is_refused_with_its_name(known):
    with pytest.raises(ProtocolError, match=r"demo_math@cot.*formats.*Name 'demo_math'"):
        load_inner("demo_math@cot", "mine", known)
