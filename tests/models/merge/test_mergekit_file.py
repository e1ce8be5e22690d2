"""mergekit_config.yml: mergekit itself makes of it the tensors that were written, or it says why not."""

import pytest
import torch
import yaml

from hm_models.merge.mergekit_file import DRAWING, mergekit_file, other_bits
from hm_models.merge.mergekit_yaml import read_recipe
from hm_models.merge.methods import two_model_methods
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import merged_tensors
from tests.models.merge.by_mergekit import assert_all_bits_agree, run_mergekit
from tests.models.tiny import TOKENS, copy_of, edit_tensors, tiny_checkpoint
from tests.models.vicuna import vicuna_pair

NEEDED = {"nearswap": {"t": 0.1}}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a pair")  # a blank in the path
    return [str(tiny_checkpoint(folder / n, seed)) for seed, n in enumerate(("base", "instruct"))]


def recipe_of(pair, **fields):
    return MergeRecipe(*pair, **fields)


def text_of(recipe):
    return mergekit_file(recipe, plan_merge(recipe))


def assert_mergekit_makes_it_again(recipe, folder):
    text = text_of(recipe)
    assert "not give the same bits" not in text
    made = run_mergekit(yaml.safe_load(text), folder / "mergekit", text)
    assert_all_bits_agree(dict(merged_tensors(recipe)), made)
    (folder / "config.yml").write_text(text)
    if recipe.unmerged is None:
        ours = read_recipe(folder / "config.yml")
        assert_all_bits_agree(dict(merged_tensors(ours)), made)


@pytest.mark.parametrize("method", sorted(two_model_methods() - {*DRAWING}))
def test_every_method_that_draws_nothing(pair, tmp_path, method):
    fields = {"merge_method": method, "merge_params": NEEDED.get(method, {})}
    recipe = recipe_of(pair, alpha=0.7, **fields)
    assert_mergekit_makes_it_again(recipe, tmp_path)


@pytest.mark.parametrize(
    "fields",
    [
        {"alpha": [0.2, 0.9]},
        {"alpha": {"self_attn": [0.3, 1], "mlp": 0.5, "*": 0.7}},
        {"alpha": [0.1, 0.6], "merge_method": "slerp"},
        {"alpha": 0.6, "merge_method": "ties", "merge_params": {"density": [0.3, 0.9]}},
        {"alpha": 0.7, "merge_dtype": "bfloat16"},
        {"alpha": 0.7, "merge_dtype": None},
        {"alpha": 0.7, "out_dtype": "float16"},
        {"alpha": 0.7, "out_dtype": "float32", "merge_method": "task_arithmetic"},
        {"alpha": 0},
        {"alpha": 1},
        {"base_params": {"weight": 0.4}, "instruct_params": {"weight": 0.9}},
        {"alpha": 0.3, "merge_params": {"normalize": False}},
        {"alpha": 1.2, "extrapolate": True},
    ],
    ids=str,
)
def test_alphas_parameters_and_dtypes(pair, tmp_path, fields):
    assert_mergekit_makes_it_again(recipe_of(pair, **fields), tmp_path)


def test_a_float32_pair_and_a_sign_of_mergekits_in_its_path(tmp_path):
    folders = (tmp_path / "base+lora@main", tmp_path / "instruct")
    pair = [
        str(tiny_checkpoint(f, seed, dtype=torch.float32, tied=True))
        for seed, f in enumerate(folders)
    ]
    assert_mergekit_makes_it_again(recipe_of(pair, alpha=0.7), tmp_path)


def test_bin_files(tmp_path):
    assert_mergekit_makes_it_again(recipe_of(map(str, vicuna_pair(tmp_path)), alpha=0.7), tmp_path)


def other_vocabulary(folder):
    return tiny_checkpoint(folder, 1, tokens=(*TOKENS[:-1], "new", "token"))


def other_dtype(folder):
    folder = tiny_checkpoint(folder, 1)
    edit_tensors(folder, lambda t: t.update({"model.norm.weight": t["model.norm.weight"].float()}))
    return folder


@pytest.mark.parametrize(
    ("make", "fields", "said"),
    [
        (other_vocabulary, {}, "the vocabularies differ"),
        (lambda folder: tiny_checkpoint(folder, 1, tied=True), {}, "ties its output head"),
        (other_dtype, {}, "dtypes of their own"),
        (
            lambda folder: tiny_checkpoint(folder, 1),
            {"merge_method": "dare_ties"},
            "draws at random",
        ),
    ],
)
def test_where_mergekit_would_write_other_bits_the_file_says_so(pair, tmp_path, make, fields, said):
    recipe = recipe_of([pair[0], str(make(tmp_path / "instruct"))], alpha=0.7, **fields)
    text = text_of(recipe)
    (why,) = other_bits(recipe, plan_merge(recipe))
    assert said in why
    assert f"\n# - {why}\n" in text
    assert yaml.safe_load(text)["models"]


def test_a_model_of_the_hub_is_named_with_its_commit(pair, tmp_path, monkeypatch):
    from hm_models.checkpoints import checkpoint

    snapshot = copy_of(tmp_path / pair[0], tmp_path / "c0ffee")
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(snapshot))
    assert checkpoint.Checkpoint.open("org/base", "main").revision == "c0ffee"
    recipe = recipe_of(["org/base", pair[1]], base_revision="main", alpha=0.7)
    content = yaml.safe_load(text_of(recipe))
    assert content["models"][0]["model"] == {"model": {"path": "org/base", "revision": "c0ffee"}}
