"""A parameter of sampling that nobody would take is a sentence, before a weight is read."""

import importlib.util

import pytest

from hm_models.engines.hf import HfEngine
from hm_models.errors import RecipeError
from hm_models.merged import HindsightMerged
from tests.instances import instance

needs_vllm = pytest.mark.skipif(
    importlib.util.find_spec("vllm") is None, reason="vLLM is not installed"
)
BACKENDS = ["hf", pytest.param("vllm", marks=needs_vllm)]
DRAWN = {"do_sample": True, "temperature": 0.7}


def ask(pair, backend, settings, **arguments):
    """Ask a model of the pair for a sample, as a task would."""
    base, instruct = pair
    model = HindsightMerged(
        base=str(base), instruct=str(instruct), alpha=0.7, backend=backend, **arguments
    )
    request = instance("generate_until", {}, ("w1", settings), 0, metadata=("task", 0, 1))
    return model.generate_until([request], disable_tqdm=True)


@pytest.fixture
def pair(base, instruct):
    return base, instruct


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"min_pp": 0.1}, "min_pp is no sampling parameter of backend .*Did you mean min_p?"),
        ({"nucleus": 0.1}, "nucleus is no sampling parameter of backend .* nobody would take it"),
        ({"top_p": 1.5}, "top_p=1.5 among the sampling parameters: expected a number above 0, 1"),
        ({"min_p": "much"}, "min_p='much' among the sampling parameters: expected a number from 0"),
        ({"top_k": 2.5}, "top_k=2.5 among the sampling parameters: expected a whole number"),
        ({"top_n_sigma": -1}, "top_n_sigma=-1 among the sampling parameters: expected a number"),
        ({"repetition_penalty": 0}, "repetition_penalty=0 among the sampling parameters: expected"),
        ({"temperature": float("inf")}, "temperature=inf among the sampling parameters"),
        ({"seed": 3}, "seed=3 among the sampling parameters .*would make all samples"),
    ],
)
def test_both_backends_refuse_it_before_a_weight_is_read(pair, backend, given, said, no_weights):
    with pytest.raises(RecipeError, match=said):
        ask(pair, backend, DRAWN | given)


@needs_vllm
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"typical_p": 0.9}, "typical_p=0.9 .* is nothing that vLLM has. Use backend=hf"),
        ({"temperature": 2.5}, "temperature=2.5 .* is above 2, the most that vLLM allows"),
        ({"logprobs": 3}, "logprobs=3 .* is hm-merged's to set"),
        ({"epsilon_cutoff": 0.1}, "epsilon_cutoff is no sampling parameter of backend vllm"),
        ({"extra_args": {"x": 1}}, "is for logits processors, of which --model_args names none"),
        (
            {"top_n_sigma": 1.0, "repetition_penalty": 1.1},
            "top_n_sigma=1.0 .* and repetition_penalty: which of them vLLM applies first",
        ),
    ],
)
def test_vllm_refuses_by_name_what_it_does_not_have(pair, given, said, no_weights):
    with pytest.raises(RecipeError, match=said):
        ask(pair, "vllm", DRAWN | given)


@needs_vllm
@pytest.mark.parametrize(
    "drafting", [{"speculative_config": {"method": "ngram"}}, {"spec_method": "ngram"}], ids=str
)
def test_top_n_sigma_is_refused_where_vllm_takes_no_logits_processor(pair, no_weights, drafting):
    with pytest.raises(RecipeError, match="vLLM does not take with speculative_config"):
        ask(pair, "vllm", DRAWN | {"top_n_sigma": 1.0}, **drafting)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"presence_penalty": 0.5}, "presence_penalty is no sampling parameter of backend hf"),
        ({"top_k": -1}, "top_k=-1 .* for transformers write top_k=0"),
        ({"return_dict_in_generate": True}, "return_dict_in_generate is no sampling parameter"),
        ({"prompt_lookup_num_tokens": 3}, "prompt_lookup_num_tokens is no sampling parameter"),
    ],
)
def test_transformers_refuses_by_name_what_it_does_not_have(pair, given, said, no_weights):
    with pytest.raises(RecipeError, match=said):
        ask(pair, "hf", DRAWN | given)


def test_greedy_answers_take_a_tasks_idle_parameters(pair):
    settings = {"until": [], "do_sample": False, "temperature": 0.0, "top_p": 0, "max_gen_toks": 2}
    assert ask(pair, "hf", settings, device="cpu")


def test_what_transformers_is_said_to_take_it_has():
    from transformers import GenerationConfig

    assert HfEngine.known_sampling() - {"top_n_sigma"} <= set(GenerationConfig().to_dict())
