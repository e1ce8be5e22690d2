"""An adapter is merged, streamed and run as its base merged with what PEFT would write."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from hm_models import MergeRecipe, merged_tensors
from hm_models.checkpoints.checkpoint import Checkpoint, CheckpointError
from hm_models.checkpoints.mapped import ResidentFiles
from hm_models.errors import RecipeError
from hm_models.merge.stream import MergeStream
from hm_models.merged import HindsightMerged
from hm_models.sweep.config import read_config
from hm_models.sweep.given import SweepError
from tests.models.adapters import ADDED, adapter_of, written
from tests.models.test_merged_hf import requests_for
from tests.models.tiny import CHAT_TEMPLATE, same_bits, tiny_checkpoint, tiny_tokenizer


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("base") / "base", 1)


@pytest.fixture(scope="module")
def adapter(base, tmp_path_factory) -> Path:
    """One that a base's merge must follow everywhere: of all linear layers, of the embedding, with DoRA."""
    folder = tmp_path_factory.mktemp("adapter") / "adapter"
    targets = ["q_proj", "o_proj", "up_proj", "down_proj", "embed_tokens"]
    return adapter_of(base, folder, target_modules=targets, use_dora=True)


@pytest.fixture(scope="module")
def whole(base, adapter, tmp_path_factory) -> Path:
    return written(base, adapter, tmp_path_factory.mktemp("whole") / "whole")


@pytest.fixture(scope="module")
def plain(base, tmp_path_factory) -> Path:
    """An adapter of one rank and no more."""
    return adapter_of(base, tmp_path_factory.mktemp("plain") / "plain")


def assert_same(one: MergeRecipe, other: MergeRecipe) -> None:
    ours, theirs = dict(merged_tensors(one)), dict(merged_tensors(other))
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not same_bits(ours[name], theirs[name])] == []


# --- the merge ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0, 0.3, 0.7, 1, [0.2, 0.9], {"mlp": 0.1, "*": 0.5}], ids=str)
def test_a_merge_with_an_adapter_is_that_with_the_merged_checkpoint(alpha, base, adapter, whole):
    assert_same(
        MergeRecipe(str(base), str(adapter), alpha), MergeRecipe(str(base), str(whole), alpha)
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"merge_method": "slerp"},
        {"merge_method": "ties", "merge_params": {"density": 0.5}},
        {"merge_method": "dare_linear", "merge_params": {"density": 0.5}, "merge_seed": 3},
        {"merge_dtype": "bfloat16"},
        {"merge_dtype": None},
    ],
    ids=str,
)
def test_so_is_it_by_other_methods_and_precisions(settings, base, adapter, whole):
    assert_same(
        MergeRecipe(str(base), str(adapter), 0.7, **settings),
        MergeRecipe(str(base), str(whole), 0.7, **settings),
    )


def test_the_base_may_be_left_out(base, adapter):
    recipe = MergeRecipe(instruct=str(adapter), alpha=0.7)
    assert (recipe.base, recipe.base_revision) == (str(base), None)
    assert recipe.fingerprint() == MergeRecipe(str(base), str(adapter), 0.7).fingerprint()
    assert MergeRecipe(**recipe.to_dict()) == recipe


def test_a_base_that_only_an_adapter_names_is_asked_for_with_an_example(whole, tmp_path):
    with pytest.raises(RecipeError, match=r"base='' names no checkpoint.*base=PATH"):
        MergeRecipe(instruct=str(whole), alpha=0.7)
    with pytest.raises(RecipeError, match="may be left out where instruct is an adapter"):
        MergeRecipe(instruct=str(tmp_path / "nothing"), alpha=0.7)


def test_two_stages_of_one_base_are_merged_as_their_merged_checkpoints(
    base, adapter, plain, whole, tmp_path
):
    other = written(base, plain, tmp_path / "other")
    assert_same(
        MergeRecipe(str(plain), str(adapter), 0.4), MergeRecipe(str(other), str(whole), 0.4)
    )


def test_an_adapter_trained_on_an_adapter_adds_to_what_it_was_trained_on(base, plain, tmp_path):
    first = written(base, plain, tmp_path / "first")
    second = adapter_of(first, tmp_path / "second", seed=5)
    expected = MergeRecipe(str(first), str(second), 0.4)
    config = json.loads((second / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(plain)
    (second / "adapter_config.json").write_text(json.dumps(config))
    assert_same(MergeRecipe(str(plain), str(second), 0.4), expected)


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
def test_added_tokens_keep_their_rows_and_bring_their_tokenizer(tied, tmp_path):
    base = tiny_checkpoint(tmp_path / "base", 1, tied=tied)
    adapter = adapter_of(base, tmp_path / "adapter", rows=83)
    tiny_tokenizer(ADDED).save_pretrained(adapter)
    whole = written(base, adapter, tmp_path / "whole", rows=83)
    ours, theirs = (MergeRecipe(str(base), str(side), 0.7) for side in (adapter, whole))
    assert_same(ours, theirs)
    assert ours.tokenizer_source.config == theirs.tokenizer_source.config
    lm, other = (
        HindsightMerged(base=str(base), instruct=str(side), alpha=0.7, backend="hf", device="cpu")
        for side in (adapter, whole)
    )
    assert "<|im_start|>" in lm.tokenizer.get_vocab()
    assert lm.generate_until(requests_for(), disable_tqdm=True) == other.generate_until(
        requests_for(), disable_tqdm=True
    )


def test_fingerprints_tell_adapters_apart_and_follow_content(base, adapter, plain, tmp_path):
    copied = shutil.copytree(adapter, tmp_path / "copied")
    one, other, same = (
        MergeRecipe(str(base), str(side), 0.7).fingerprint() for side in (adapter, plain, copied)
    )
    assert one != other
    assert one == same


# --- parts ---------------------------------------------------------------------------------------------

VIEWS = {
    "rows": lambda t: t.narrow(0, 3, 9),
    "columns": lambda t: t.narrow(1, 5, 17),
    "a block": lambda t: t[2::3, 4:20],
    "a row": lambda t: t[7],
    "a column": lambda t: t[:, 7],
    "an element": lambda t: t[3, 4],
    "transposed": lambda t: t.t()[3:9],
    "permuted": lambda t: t.permute(1, 0),
    "heads": lambda t: t.view(4, -1, t.shape[1])[1:3],
    "heads last": lambda t: t.view(4, -1, t.shape[1]).transpose(1, 2)[2],
    "columns by heads": lambda t: t.view(t.shape[0], 2, -1)[:, 1],
    "flat": lambda t: t.flatten()[5:99],
    "parts": lambda t: t.chunk(2, dim=1)[1],
    "unbound": lambda t: t.unbind(0)[4],
    "nothing": lambda t: t[3:3],
    "another dimension": lambda t: t[None, 2:5],
    "all": lambda t: t.detach(),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("alpha", [0.7, 1.0])
def test_a_part_of_a_tensor_has_the_bits_of_the_whole(view, alpha, base, adapter):
    recipe = MergeRecipe(str(base), str(adapter), alpha)
    for name, tensor in MergeStream().tensors(recipe):
        if tensor.dim() == 2:
            expected = view(tensor.merged())
            found = torch.empty(expected.shape, dtype=tensor.dtype)
            found.copy_(view(tensor))
            assert same_bits(found, expected.contiguous()), name


def test_a_part_computes_its_own_elements_alone(base, plain, monkeypatch):
    from hm_models.merge import low_rank

    computed = []
    whole = low_rank.add_product

    def noting(base, up, down, scale, out):
        computed.append(tuple(out.shape))
        whole(base, up, down, scale, out)

    monkeypatch.setattr(low_rank, "add_product", noting)
    name = "model.layers.0.mlp.up_proj.weight"
    for alpha in (0.7, 1.0):
        tensor = dict(MergeStream().tensors(MergeRecipe(str(base), str(plain), alpha)))[name]
        part = tensor.narrow(0, 8, 4).chunk(2, dim=1)[1]
        assert computed == []
        torch.empty(4, 16, dtype=tensor.dtype).copy_(part)
        assert computed == [(4, 16)]
        computed.clear()


# --- the model -------------------------------------------------------------------------------------------


def load(base: Path, instruct: Path, alpha: object, **arguments: object) -> HindsightMerged:
    arguments = {"backend": "hf", "device": "cpu"} | arguments
    return HindsightMerged(base=str(base), instruct=str(instruct), alpha=alpha, **arguments)


def assert_holds(lm: HindsightMerged, recipe: MergeRecipe) -> None:
    found = {name: p.data for name, p in lm.lm.model.named_parameters()}
    expected = dict(merged_tensors(recipe))
    assert found.keys() == expected.keys()
    assert [name for name in found if not same_bits(found[name], expected[name])] == []


@pytest.mark.parametrize("arguments", [{}, {"keep_resident": True}], ids=["files", "resident"])
def test_alpha_goes_there_and_back_in_a_running_model(arguments, base, adapter, whole):
    lm = load(base, adapter, 0.7, **arguments)
    running = lm.lm
    for alpha in (0.3, 1, 0, 0.7):
        lm.set_alpha(alpha)
        assert_holds(lm, MergeRecipe(str(base), str(whole), alpha))
    assert lm.lm is running


def test_memory_is_that_of_base_and_adapter(base, adapter):
    recipe = MergeRecipe(str(base), str(adapter), 0.7)
    held = ResidentFiles.of(recipe.checkpoints)
    assert set(held.paths) == {
        str(base / "model.safetensors"),
        str(adapter / "adapter_model.safetensors"),
    }


@pytest.mark.parametrize("materialize", [False, True])
def test_the_adapted_model_itself_answers_at_alpha_1(materialize, base, adapter, whole):
    lm = load(base, adapter, 1, materialize=materialize)
    expected = load(base, whole, 1)
    assert_holds(lm, MergeRecipe(str(base), str(whole), 1))
    assert lm.generate_until(requests_for(), disable_tqdm=True) == expected.generate_until(
        requests_for(), disable_tqdm=True
    )


def test_a_changed_adapter_is_not_mixed_with_what_was_loaded(base, plain, tmp_path):
    adapter = shutil.copytree(plain, tmp_path / "adapter")
    lm = load(base, adapter, 0.7)
    file = adapter / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes() + b"")
    with pytest.raises(CheckpointError, match="was changed"):
        lm.set_alpha(0.3)


def test_a_chat_template_of_the_adapter_is_what_the_model_is_asked_with(base, plain, tmp_path):
    adapter = shutil.copytree(plain, tmp_path / "adapter")
    (adapter / "chat_template.jinja").write_text(CHAT_TEMPLATE.replace("<assistant> ", "w3 "))
    lm = load(base, adapter, 0.7)
    assert lm.apply_chat_template([{"role": "user", "content": "w1"}]) == "<user> w1 w3 "
    assert load(base, plain, 0.7).apply_chat_template([{"role": "user", "content": "w1"}]) == (
        "<user> w1 <assistant> "
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"merge_method": "mix", "alpha": 0.6},
        {"merge_method": "switch", "alpha": None, "merge_params": {"alphas": [1, 0], "every": 2}},
    ],
    ids=["mix", "switch"],
)
def test_two_models_side_by_side_may_be_a_base_and_its_adapter(settings, base, adapter, whole):
    ours, theirs = (load(base, side, **settings) for side in (adapter, whole))
    texts = ours.generate_until(requests_for(), disable_tqdm=True)
    assert texts == theirs.generate_until(requests_for(), disable_tqdm=True)


def test_a_merge_reads_a_tensor_at_a_time(base, plain):
    names = []
    for name, tensor in MergeStream().tensors(MergeRecipe(str(base), str(plain), 0.7)):
        assert type(tensor).__name__ == "LazyMerge"
        names.append(name)
    assert len(names) == len(Checkpoint.open(str(base)).tensors)


# --- sweeps --------------------------------------------------------------------------------------------


def test_a_sweep_takes_the_base_of_its_adapter(base, plain):
    config = read_config({"instruct": str(plain), "tasks": ["demo_passk"]})
    assert [(pair.base, pair.base_revision) for pair in config.pairs] == [(str(base), None)]


def test_a_sweep_without_base_is_refused_where_there_is_no_adapter(whole, tmp_path):
    with pytest.raises(SweepError, match="base is missing"):
        read_config({"instruct": str(whole), "tasks": ["demo_passk"]})
    with pytest.raises(SweepError, match="may be left out where instruct is an adapter"):
        read_config({"instruct": str(tmp_path / "nothing"), "tasks": ["demo_passk"]})


def test_stages_may_be_adapters_and_one_adapter_has_no_stages_of_its_base(
    base, adapter, plain, whole
):
    stage = MergeRecipe(str(base), str(adapter), 0.7)
    with pytest.raises(RecipeError, match="makes another model of each base"):
        stage.with_base(str(whole))
    stages = MergeRecipe(str(plain), str(adapter), 0.7)
    assert_same(stages.with_base(str(base)), stage)
