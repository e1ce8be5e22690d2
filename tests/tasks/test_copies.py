"""n samples that are n copies: refused where sampling parameters say so, else found in the answers."""

import pytest

from hm_models.plugin.contracts import DrawsModels
from hm_models.samples.request import Sample
from hm_models.settings import ProtocolError
from hm_tasks import copies
from tests.tasks.code_passk.benchmarks import load

GREEDY = [
    {"do_sample": False},
    {"do_sample": False, "temperature": 0.7},
    {"temperature": 0},
    {"temperature": 0.0, "do_sample": True},
    {"temperature": 0.7, "do_sample": True, "top_k": 1},
    {"temperature": 0.7, "do_sample": True, "min_p": 1.0},
]


def task_with(gen_kwargs, task="demo_passk", **metadata):
    made = load(task, **metadata)
    made.set_config(key="generation_kwargs", value=gen_kwargs, update=True)
    return made


@pytest.mark.parametrize("gen_kwargs", GREEDY, ids=str)
def test_several_greedy_samples_are_refused_with_the_remedy(gen_kwargs):
    task = task_with(gen_kwargs)
    with pytest.raises(
        ProtocolError, match=r"11 samples.*copies.*n_samples\": 1.*temperature above 0"
    ):
        task.build_all_requests(limit=1)


@pytest.mark.parametrize("gen_kwargs", GREEDY, ids=str)
def test_one_greedy_sample_is_none(gen_kwargs):
    task_with(gen_kwargs, n_samples=1, k=[1]).build_all_requests(limit=1)


@pytest.mark.parametrize("name", ["top_p", "top_k", "min_p", "typical_p", "top_n_sigma"])
def test_samples_that_are_drawn_from_fewer_tokens_are_no_copies(name):
    fewer = {"temperature": 1.5, "do_sample": True, name: 2 if name == "top_k" else 0.5}
    task_with(fewer).build_all_requests(limit=1)


def test_one_seed_for_several_samples_is_refused_whatever_the_model():
    with pytest.raises(ProtocolError, match=r"one seed for all \(seed=3\)"):
        task_with({"seed": 3}).build_all_requests(limit=1)


def test_a_model_that_switches_at_random_may_be_greedy():
    class Named:
        draws_when_greedy = True

    class Switched(Named, DrawsModels):
        pass

    task = task_with({"do_sample": False})
    task.meet(Switched())
    task.build_all_requests(limit=1)
    task.meet(Named())  # another project's model that happens to have the word
    with pytest.raises(ProtocolError, match="draw nothing"):
        task.build_all_requests(limit=1)


def test_copies_are_counted_and_a_run_of_nothing_else_is_a_warning(caplog):
    task = load("demo_passk", n_samples=3, k=[1], diversity=[])
    task.build_all_requests(limit=2)
    one, two = task.instances
    one.resps, two.resps = ["no idea"] * 3, ["a", "b", "b"]
    task.apply_filters()
    found = [
        task.process_results(r.doc, [r.filtered_resps["scored"]])["equal_samples"]
        for r in (one, two)
    ]
    assert found == [2, 1]
    assert "one and the same text" not in caplog.text
    two.resps = ["b"] * 3
    task.apply_filters()
    assert "demo_passk: all samples of a question have one and the same text" in caplog.text


@pytest.mark.parametrize(
    ("questions", "warns"),
    [
        ([["a", "a"], ["b", "b", "b"]], True),
        ([["a", "a"], ["b"]], True),
        ([["a"], ["b"]], False),
        ([["a", "a"], ["b", "c"]], False),
        ([], False),
    ],
)
def test_only_runs_whose_every_question_has_one_text_are_suspicious(questions, warns):
    assert bool(copies.warning(questions)) == warns


def test_prompts_that_were_cut_are_counted_in_the_results():
    task = load("demo_passk", n_samples=2, k=[1], diversity=[])
    task.build_all_requests(limit=1)
    (request,) = task.instances
    for nth, facts in enumerate(({}, {"prompt_tokens_cut": 3})):
        request.take_sample(nth, Sample(f"no idea {nth}", False, facts))
        request.resps.append(f"no idea {nth}")
    task.apply_filters()
    metrics = task.process_results(request.doc, [request.filtered_resps["scored"]])
    assert metrics["truncated_prompts"] == 1
    assert task.aggregation()["truncated_prompts"]([1, 2]) == 3
