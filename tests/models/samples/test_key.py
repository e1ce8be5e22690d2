"""Keys and seeds: what makes another sample does, and nothing else."""

import pytest

from hm_models.errors import RecipeError
from hm_models.merge.recipe import MergeRecipe
from hm_models.samples.key import ModelKey, jobs_of, same_again
from hm_models.samples.sampler import PARAMETERS, VERBALIZED
from tests.instances import instance

SAMPLED = {"until": ["\n"], "do_sample": True, "temperature": 0.7, "top_p": 0.95}
GREEDY = {"until": ["\n"], "do_sample": False}
MODEL = ModelKey("m", {})


def request(prompt="w1 w2", gen_kwargs=SAMPLED, doc_id=0, task="task"):
    return instance("generate_until", {}, (prompt, gen_kwargs), 0, metadata=(task, doc_id, 1))


def jobs(requests, n=3, model=MODEL, seed=0):
    return jobs_of([request for request in requests for _ in range(n)], model, seed)


def keys_and_seeds(found):
    return [(job.key, job.seed) for job in found]


def model_key(base, instruct, backend="vllm", arguments=None, **fields):
    recipe = MergeRecipe(base=str(base), instruct=str(instruct), **{"alpha": 0.7} | fields)
    return ModelKey.of(recipe, backend, arguments or {}).fingerprint


def test_another_model_has_another_key(base, instruct):
    plain = model_key(base, instruct)
    others = [
        model_key(base, instruct, alpha=0.9),
        model_key(base, instruct, alpha=0),
        model_key(base, instruct, alpha=1),
        model_key(instruct, base),
        model_key(base, instruct, merge_method="slerp"),
        model_key(base, instruct, merge_dtype="bfloat16"),
        model_key(base, instruct, backend="hf"),
        model_key(base, instruct, arguments={"dtype": "float32"}),
        model_key(base, instruct, arguments={"max_model_len": 64}),
        model_key(base, instruct, arguments={"an_argument_of_tomorrow": 1}),
    ]
    assert len({plain, *others}) == 11


def test_another_machine_is_no_other_model(base, instruct):
    elsewhere = {"tensor_parallel_size": 4, "gpu_memory_utilization": 0.5, "batch_size": 8}
    assert model_key(base, instruct, arguments=elsewhere) == model_key(base, instruct)


def test_an_edited_chat_template_is_another_model(base, instruct, tmp_path):
    from tests.models.tiny import copy_of

    other = copy_of(instruct, tmp_path / "i")
    assert model_key(base, other) == model_key(base, instruct), "a copy is the same model"
    (other / "chat_template.jinja").write_text("{{ messages[0].content }}")
    assert model_key(base, other) != model_key(base, instruct)


def test_prompt_parameters_and_sampling_seed_are_part_of_the_key():
    (plain, *_) = jobs([request()])
    for other in (
        jobs([request("w1")]),
        jobs([request(gen_kwargs=SAMPLED | {"temperature": 0.8})]),
        jobs([request(gen_kwargs=SAMPLED | {"until": []})]),
        jobs([request()], seed=1),
        jobs([request()], model=ModelKey("other", {})),
    ):
        assert other[0].key != plain.key


def test_every_sample_has_its_own_key_and_seed():
    found = jobs([request(), request("w3", doc_id=1)], n=11)
    assert len({job.key for job in found}) == 22
    assert len({job.seed for job in found}) == 22


def test_samples_depend_neither_on_order_nor_on_n_nor_on_what_else_is_asked():
    one, two, three = request("a"), request("b", doc_id=1), request("c", doc_id=2)
    few = keys_and_seeds(jobs([one], n=3))
    many = keys_and_seeds(jobs([three, two, one], n=50))
    assert many[100:103] == few
    mixed = jobs_of([two, one, two, one, one], MODEL, 0)
    assert keys_and_seeds(job for job in mixed if job.request is one) == few


def test_samples_of_two_alphas_and_temperatures_share_their_seeds_and_no_keys():
    hot = request(gen_kwargs=SAMPLED | {"temperature": 1.0})
    plain, other = jobs([request()]), jobs([hot], model=ModelKey("other", {}))
    assert [job.seed for job in plain] == [job.seed for job in other]
    assert not {job.key for job in plain} & {job.key for job in other}


@pytest.mark.parametrize("name", [name for name in PARAMETERS if name != VERBALIZED])
def test_samples_of_two_samplers_share_their_seeds_and_no_keys(name):
    plain, narrow, narrower = (
        jobs([request(gen_kwargs=SAMPLED | given)]) for given in ({}, {name: 0.9}, {name: 0.8})
    )
    assert [job.seed for job in plain] == [job.seed for job in narrow]
    assert len({job.key for found in (plain, narrow, narrower) for job in found}) == 9


def test_two_documents_with_one_prompt_have_samples_of_their_own_in_any_order():
    first, second = request(doc_id=1), request(doc_id=2)
    ahead, back = jobs([first, second]), jobs([second, first])
    assert len({job.key for job in ahead}) == len({job.seed for job in ahead}) == 6
    assert keys_and_seeds(ahead[:3]) == keys_and_seeds(back[3:])


def test_two_tasks_with_one_prompt_share_its_samples():
    ours, theirs = request(task="a"), request(task="b")
    found = jobs([ours, theirs])
    assert keys_and_seeds(found[:3]) == keys_and_seeds(found[3:])


@pytest.mark.parametrize("gen_kwargs", [GREEDY, {"until": []}, SAMPLED | {"temperature": 0.0}])
def test_greedy_answers_are_one_answer_without_a_seed(gen_kwargs):
    found = jobs([request(gen_kwargs=gen_kwargs), request(gen_kwargs=gen_kwargs, doc_id=1)])
    assert len({job.key for job in found}) == 1
    assert {job.seed for job in found} == {None}


def test_a_temperature_without_do_sample_is_sampling():
    found = jobs([request(gen_kwargs={"until": [], "temperature": 0.7})])
    assert len({job.key for job in found}) == 3


def test_one_seed_for_all_samples_is_refused():
    with pytest.raises(RecipeError, match=r"seed=1 .*--gen_kwargs.* sampling_seed"):
        jobs([request(gen_kwargs=SAMPLED | {"seed": 1})])


def test_what_is_guaranteed_follows_the_dtype(base, instruct, monkeypatch):
    recipe = MergeRecipe(base=str(base), instruct=str(instruct), alpha=0.7)
    assert same_again(recipe, {}) == "up to rounding"  # the pair is bfloat16
    assert same_again(recipe, {"dtype": "float32"}) == "exact"
    monkeypatch.setenv("VLLM_BATCH_INVARIANT", "1")
    assert same_again(recipe, {}) == "exact"
