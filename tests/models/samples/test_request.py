"""A request keeps to the contract between model and task, or it is one like any other."""

import copy
import pickle

from hm_metrics.entropy import TokenSums
from hm_models.prompts.conversation import PromptOrigin, TracedArguments, note_origin, was_rendered
from hm_models.samples.request import TaskRequest, measure_of
from hm_tasks.code_passk.prompts import CodeRequest
from hm_tasks.judges.request import BareRequest
from hm_tasks.traces.prompts import TraceRequest
from tests.instances import instance

PLAIN = ("generate_until", {"request": "?", "prompt": "?"}, ("2+2?", {"until": []}), 0)


def test_requests_of_our_tasks_keep_to_the_contract_and_others_do_not():
    for kind in (CodeRequest, TraceRequest, BareRequest):
        assert isinstance(instance(*PLAIN, made_as=kind), TaskRequest)
    assert not isinstance(instance(*PLAIN), TaskRequest)


def test_only_a_request_of_the_contract_has_its_tokens_measured():
    asked, other = instance(*PLAIN, made_as=BareRequest), instance(*PLAIN)
    assert measure_of(asked) is None
    asked.measure_tokens = TokenSums
    other.measure_tokens = TokenSums
    assert measure_of(asked) is TokenSums
    assert measure_of(other) is None


class Task:
    def __init__(self):
        self.instances = [instance(*PLAIN)]


def test_who_made_a_prompt_is_noted_at_its_request():
    assert was_rendered(instance(*PLAIN)) is None
    for rendered in (False, True):
        task = Task()
        note_origin(task, "Be terse.", rendered)
        assert was_rendered(task.instances[0]) is rendered
        assert task.instances[0] == instance(*PLAIN), "for everybody else it is what it was"


def test_copies_of_a_requests_arguments_carry_no_task_along():
    traced = TracedArguments.of(("2+2?", {}), PromptOrigin("2+2?", task=object()))
    for copied in (copy.deepcopy(traced), pickle.loads(pickle.dumps(traced))):
        assert type(copied) is tuple
        assert copied == traced
