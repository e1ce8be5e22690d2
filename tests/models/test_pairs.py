"""The matrix of pairs: every architecture through the stream, and through transformers.

The stream's reference is mergekit's own `run_merge`. Where mergekit plans other tensors than the files
hold (it fuses a layer's experts) or cannot plan at all (it asks a GPT-NeoX for buffers that nobody has
saved for years, and a tied Phi for a head), it is mergekit's `merge_tensors`, tensor by tensor.
The models' reference is transformers on the merge that was written to disk.
"""

import logging

import pytest
import torch
from mergekit.merge_methods import merge_tensors
from transformers import AutoModelForCausalLM

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.merge.lazy import LazyMerge
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import merged_tensors
from hm_models.merge.writer import write_checkpoint
from hm_models.merged import HindsightMerged
from tests.models.merge.by_mergekit import assert_all_bits_agree, merged_by_mergekit
from tests.models.pairs import ARCHITECTURES, EXPERTS, pair_of, with_copied_head
from tests.models.tiny import TOKENS, edit_tensors, read_tensors, same_bits

ALPHA = 0.7
DTYPES = [
    ("bfloat16", "bfloat16"),
    ("float16", "float16"),
    ("float32", "float32"),
    ("float32", "bfloat16"),
    ("bfloat16", "float32"),
    ("float16", "bfloat16"),
]
NOT_PLANNED_BY_MERGEKIT = ("gpt_neox",)
# Tensors that transformers holds under other names, or fused, in a model that is not tied.
LOADED_ANEW = ("gpt_neox", *EXPERTS)


def recipe_of(pair, alpha=ALPHA, **fields):
    return MergeRecipe(base=str(pair[0]), instruct=str(pair[1]), alpha=alpha, **fields)


def merge_of(pair, alpha=ALPHA):
    return dict(merged_tensors(recipe_of(pair, alpha)))


def by_tensor(base, instruct, alpha=ALPHA):
    """Merge two tensors with mergekit alone, to the instruct model's dtype."""
    return merge_tensors(
        [base, instruct],
        "linear",
        parameters={"weight": {"b": 1.0 - alpha, "i": alpha}, "normalize": True},
        ids=["b", "i"],
        dtype=torch.float32,
        out_dtype=instruct.dtype,
    )


def fused(tensors, architecture):
    """The experts as transformers and mergekit hold them: gate above up, all of a layer stacked."""
    gate, up, down = (
        ("w1", "w3", "w2") if architecture == "mixtral" else ("gate_proj", "up_proj", "down_proj")
    )
    rest = {name: tensor for name, tensor in tensors.items() if ".experts." not in name}
    for layer in range(2):
        where = "block_sparse_moe" if architecture == "mixtral" else "mlp"
        experts = [f"model.layers.{layer}.{where}.experts.{n}." for n in range(4)]
        place = f"model.layers.{layer}.mlp."
        both = [torch.cat([tensors[f"{e}{p}.weight"] for p in (gate, up)]) for e in experts]
        rest[f"{place}experts.gate_up_proj"] = torch.stack(both)
        downs = [tensors[f"{expert}{down}.weight"] for expert in experts]
        rest[f"{place}experts.down_proj"] = torch.stack(downs)
        if where != "mlp":
            rest[f"{place}gate.weight"] = rest.pop(f"model.layers.{layer}.{where}.gate.weight")
    return rest


# --- the stream ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("ours", "theirs"), DTYPES)
@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES.keys() - NOT_PLANNED_BY_MERGEKIT))
def test_every_bit_is_that_of_mergekit_on_disk(tmp_path, architecture, ours, theirs):
    base, instruct = ({"dtype": getattr(torch, dtype)} for dtype in (ours, theirs))
    pair = pair_of(architecture, tmp_path, base, instruct)
    assert len(list(pair[0].glob("*.safetensors"))) == 1
    assert len(list(pair[1].glob("*.safetensors"))) > 1
    expected = merged_by_mergekit(*pair, ALPHA, tmp_path / "merged", out_dtype=theirs)
    merged = merge_of(pair)
    assert merged.keys() == read_tensors(pair[1]).keys()
    assert_all_bits_agree(
        fused(merged, architecture) if architecture in EXPERTS else merged, expected
    )


@pytest.mark.parametrize(("ours", "theirs"), DTYPES)
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("architecture", NOT_PLANNED_BY_MERGEKIT)
def test_every_bit_is_that_of_mergekit_by_tensor(tmp_path, architecture, tied, ours, theirs):
    base, instruct = ({"dtype": getattr(torch, dtype)} for dtype in (ours, theirs))
    pair = pair_of(architecture, tmp_path, base, instruct, tied=tied)
    ours, theirs = (read_tensors(folder) for folder in pair)
    assert_all_bits_agree(
        merge_of(pair), {name: by_tensor(ours[name], theirs[name]) for name in theirs}
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_bit_of_a_tied_pair_is_that_of_mergekit_by_tensor(tmp_path, architecture):
    pair = pair_of(architecture, tmp_path, tied=True)
    ours, theirs = (read_tensors(folder) for folder in pair)
    assert not {"lm_head.weight", "embed_out.weight"} & theirs.keys()
    assert_all_bits_agree(
        merge_of(pair), {name: by_tensor(ours[name], theirs[name]) for name in theirs}
    )


@pytest.mark.parametrize("tied_side", ["base", "instruct"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_embedding_of_a_tied_side_stands_for_its_head(tmp_path, architecture, tied_side):
    pair = pair_of(architecture, tmp_path, **{tied_side: {"tied": True}})
    ours, theirs = (read_tensors(folder) for folder in pair)
    head, embedding = (
        ("embed_out.weight", "gpt_neox.embed_in.weight")
        if architecture == "gpt_neox"
        else ("lm_head.weight", "model.embed_tokens.weight")
    )
    names = ours.keys() | theirs.keys()
    assert head in names
    for tensors in (ours, theirs):
        tensors.setdefault(head, tensors[embedding])
    assert_all_bits_agree(
        merge_of(pair), {name: by_tensor(ours[name], theirs[name]) for name in names}
    )


@pytest.mark.parametrize(
    ("tokens", "rows"),
    [
        ((*TOKENS, "<a>", "<b>"), None),  # added tokens
        (TOKENS, 96),  # padding
        ((*TOKENS, "<a>"), 96),
        ((TOKENS[1], TOKENS[0], *TOKENS[2:], "<a>"), None),  # the first two changed places
    ],
)
@pytest.mark.parametrize("architecture", ["llama", "phi", "gpt_neox", "mixtral"])
def test_rows_are_those_of_mergekit_by_token(tmp_path, architecture, tokens, rows):
    pair = pair_of(architecture, tmp_path, instruct={"tokens": tokens, "rows": rows})
    ours, theirs = (read_tensors(folder) for folder in pair)
    expected = {}
    for name, tensor in theirs.items():
        if not name.startswith(("lm_head.", "embed_out.", "model.embed_tokens.", "gpt_neox.embed")):
            expected[name] = by_tensor(ours[name], tensor)
            continue
        expected[name] = tensor.clone()
        for row, token in enumerate(tokens):
            if token in TOKENS:
                same = ours[name][TOKENS.index(token)]
                expected[name][row] = by_tensor(same[None], tensor[row][None])[0]
    assert_all_bits_agree(merge_of(pair), expected)


# --- transformers --------------------------------------------------------------------------------


def load(pair, alpha=ALPHA, **arguments):
    return HindsightMerged(
        base=str(pair[0]),
        instruct=str(pair[1]),
        alpha=alpha,
        backend="hf",
        device="cpu",
        **arguments,
    )


def logits(model):
    with torch.no_grad():
        return model(torch.arange(80)[None]).logits


def logits_on_disk(pair, alpha, folder):
    recipe = recipe_of(pair, alpha)
    return logits(
        AutoModelForCausalLM.from_pretrained(write_checkpoint(recipe, plan_merge(recipe), folder))
    )


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_transformers_holds_the_merge_on_disk_there_and_back(tmp_path, architecture, tied, caplog):
    caplog.set_level(logging.INFO, "hm_models")
    pair = pair_of(architecture, tmp_path, tied=tied)
    before = [Checkpoint.open(str(folder)).stamps for folder in pair]
    alphas = (0.3, 0.7, 1, 0)
    expected = {alpha: logits_on_disk(pair, alpha, tmp_path / f"at {alpha}") for alpha in alphas}
    assert len({tensor.sum().item() for tensor in expected.values()}) == len(alphas)

    lm = load(pair)
    models = [lm.lm.model]
    assert torch.equal(logits(lm.lm.model), expected[ALPHA])
    for alpha in (0.3, 0.7, 1, 0, 0.3, 1):
        lm.set_alpha(alpha)
        assert torch.equal(logits(lm.lm.model), expected[alpha]), alpha
        models.append(lm.lm.model)
    if architecture in LOADED_ANEW and not (architecture == "gpt_neox" and tied):
        assert len({id(model) for model in models}) == len(models)
        assert "alpha=0.3, as transformers does not hold" in caplog.text
    else:
        assert len({id(model) for model in models}) == 1
    assert [Checkpoint.open(str(folder)).stamps for folder in pair] == before


@pytest.mark.parametrize("dtype", ["auto", "float32"])
@pytest.mark.parametrize(("ours", "theirs"), [("float32", "bfloat16"), ("float16", "float32")])
def test_transformers_holds_a_merge_of_mixed_dtypes(tmp_path, ours, theirs, dtype):
    base, instruct = ({"dtype": getattr(torch, name)} for name in (ours, theirs))
    pair = pair_of("qwen3", tmp_path, base, instruct)
    recipe = recipe_of(pair)
    folder = write_checkpoint(recipe, plan_merge(recipe), tmp_path / "merged")
    lm = load(pair, 0.3, dtype=dtype)
    assert lm.lm.model.dtype == (getattr(torch, theirs) if dtype == "auto" else torch.float32)
    lm.set_alpha(ALPHA)
    on_disk = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    assert torch.equal(logits(lm.lm.model), logits(on_disk))


@pytest.mark.parametrize("architecture", ["llama", "mixtral"])
@pytest.mark.parametrize("tied", [False, True])
def test_parameters_are_plain_tensors_and_tied_ones_are_one(tmp_path, architecture, tied):
    model = load(pair_of(architecture, tmp_path, tied=tied)).lm.model
    tensors = [*model.parameters(), *model.buffers()]
    assert not any(isinstance(tensor, LazyMerge) for tensor in tensors)
    assert all(tensor.data_ptr() for tensor in tensors)  # a lazy one would be computed at each step
    assert (model.lm_head.weight is model.model.embed_tokens.weight) == tied


def test_random_methods_load_as_they_are_written(tmp_path):
    # transformers loads with several threads, and there is one random generator for all of them.
    pair = pair_of("llama", tmp_path)
    fields = {"merge_method": "dare_linear", "merge_params": {"density": 0.5}}
    written = dict(merged_tensors(recipe_of(pair, **fields)))
    for _ in range(3):
        parameters = dict(load(pair, **fields).lm.model.named_parameters())
        assert_all_bits_agree({name: parameters[name].detach() for name in written}, written)


def test_a_change_leaves_the_files_of_the_pair_alone(tmp_path):
    pair = pair_of("llama", tmp_path)
    contents = [file.read_bytes() for folder in pair for file in sorted(folder.glob("*"))]
    lm = load(pair, 1)  # transformers maps a checkpoint's files into memory
    assert torch.equal(lm.lm.model.lm_head.weight, read_tensors(pair[1])["lm_head.weight"])
    for alpha in (0.3, 0):
        lm.set_alpha(alpha)
    assert [file.read_bytes() for folder in pair for file in sorted(folder.glob("*"))] == contents


@pytest.mark.parametrize("with_copy", ["base", "instruct", "both"])
def test_a_copied_head_of_a_tied_pair_follows_alpha(tmp_path, with_copy):
    pair = pair_of("llama", tmp_path, tied=True, shard_size="5GB")
    for side, folder in zip(("base", "instruct"), pair, strict=True):
        if with_copy in (side, "both"):
            with_copied_head(folder)
    lm = load(pair)
    for alpha in (0.7, 0.3, 1, 0, 0.3):
        lm.set_alpha(alpha)
        model = lm.lm.model
        expected = merge_of(pair, alpha)["model.embed_tokens.weight"]
        assert same_bits(model.lm_head.weight.detach(), expected), alpha
        assert same_bits(model.model.embed_tokens.weight.detach(), expected), alpha


def test_old_buffers_that_nobody_loads_are_no_reason_to_load_anew(tmp_path):
    pair = pair_of("llama", tmp_path, shard_size="5GB")
    buffer = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(16)}
    for folder in pair:
        edit_tensors(folder, lambda tensors: tensors.update(buffer))
    lm = load(pair)
    model = lm.lm.model
    lm.set_alpha(1)
    assert lm.lm.model is model
