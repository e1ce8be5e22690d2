"""Pairs that do not fit are refused by name; differences that do no harm are merged and remarked.

Expected values are computed here in float32 from the formula of the paper, theta = alpha * instruct
+ (1 - alpha) * base, not by the code under test.
"""

import pytest
import torch

from hm_models.checkpoints.checkpoint import CheckpointError
from hm_models.merge.plan import plan_merge
from hm_models.merge.recipe import MergeRecipe, RecipeError
from hm_models.merge.stream import merged_tensors
from tests.models.tiny import (
    TERABYTE,
    TOKENS,
    copy_of,
    edit_config,
    edit_tensors,
    read_tensors,
    same_bits,
    tiny_checkpoint,
    write_shard,
)

ALPHA = 0.3
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


def recipe_of(base, instruct, alpha=ALPHA):
    return MergeRecipe(base=str(base), instruct=str(instruct), alpha=alpha)


def refusal_of(base, instruct):
    with pytest.raises(RecipeError) as refusal:
        plan_merge(recipe_of(base, instruct))
    return str(refusal.value)


def merge_of(base, instruct):
    recipe = recipe_of(base, instruct)
    plan = plan_merge(recipe)
    return plan, dict(merged_tensors(recipe, plan))


def formula(base, instruct):
    return (1 - ALPHA) * base.float() + ALPHA * instruct.float()


def assert_merged(tensor, base, instruct):
    torch.testing.assert_close(tensor, formula(base, instruct), rtol=1e-6, atol=1e-6)


@pytest.fixture
def float_pair(tmp_path):
    """An untied float32 pair of single files, free to be changed."""
    return (
        tiny_checkpoint(tmp_path / "base", 1, dtype=torch.float32),
        tiny_checkpoint(tmp_path / "instruct", 2, dtype=torch.float32),
    )


def test_a_plain_pair_needs_no_remark_and_no_override(base, instruct):
    plan = plan_merge(recipe_of(base, instruct))
    assert plan.remarks == ()
    assert plan.config_overrides == {}
    assert {tensor.name for tensor in plan.tensors} == read_tensors(instruct).keys()


# --- pairs that cannot be merged -------------------------------------------------------------


def test_another_architecture_is_refused_with_both_names(base, tmp_path):
    said = refusal_of(base, tiny_checkpoint(tmp_path / "qwen", 2, architecture="qwen2"))
    assert "model_type is 'llama' in the former's" in said
    assert "'qwen2' in the latter's" in said
    assert "same architecture" in said


def test_other_shapes_are_refused_with_the_first_tensors_and_both_shapes(base, tmp_path):
    said = refusal_of(base, tiny_checkpoint(tmp_path / "wide", 2, intermediate=96))
    assert "6 tensors differ in shape or kind" in said
    assert "mlp.down_proj.weight [32, 64] against [32, 96]" in said
    assert "same architecture and size" in said


def test_another_hidden_size_is_refused_with_both_shapes(base, tmp_path):
    said = refusal_of(base, tiny_checkpoint(tmp_path / "wide", 2, hidden_size=64))
    assert "cannot be merged" in said
    assert "[80, 32] against [80, 64]" in said


def test_another_number_of_heads_is_refused_although_all_shapes_agree(base, instruct, tmp_path):
    folder = copy_of(instruct, tmp_path / "i")
    edit_config(folder, num_attention_heads=8, head_dim=4)
    assert "num_attention_heads is 4 in the former's" in refusal_of(base, folder)


@pytest.mark.parametrize("deeper", ["base", "instruct"])
def test_tensors_of_one_side_only_are_refused_with_their_side(float_pair, tmp_path, deeper):
    deep = tiny_checkpoint(tmp_path / "deep", 3, dtype=torch.float32, layers=3)
    pair = (deep, float_pair[1]) if deeper == "base" else (float_pair[0], deep)
    said = refusal_of(*pair)
    other = pair[1] if deeper == "base" else pair[0]
    assert f"9 tensors of {deep} have no counterpart in {other}" in said
    assert "model.layers.2.input_layernorm.weight" in said


def test_one_extra_tensor_is_enough_to_refuse(float_pair):
    edit_tensors(float_pair[0], lambda t: t.update({"model.extra.bias": torch.ones(3)}))
    assert "1 tensors of" in refusal_of(*float_pair)
    assert "first model.extra.bias." in refusal_of(*float_pair)


def test_a_tied_config_over_a_different_head_is_refused(float_pair):
    edit_config(float_pair[1], tie_word_embeddings=True)
    said = refusal_of(*float_pair)
    assert f"config.json of {float_pair[1]} says tie_word_embeddings=true" in said
    assert f"{HEAD} differs from its embedding" in said
    assert "Set tie_word_embeddings to false" in said


@pytest.mark.parametrize("side", [0, 1])
def test_a_lost_head_is_not_taken_for_a_tied_one(float_pair, side):
    edit_tensors(float_pair[side], lambda tensors: tensors.pop(HEAD))
    said = refusal_of(*float_pair)
    assert f"{float_pair[side]} has no {HEAD}" in said
    assert "tie_word_embeddings=false" in said
    assert "Complete the checkpoint" in said


def test_different_vocabularies_are_refused(base, tmp_path):
    tokens = (*TOKENS[:40], *(f"x{n}" for n in range(40)))
    other = tiny_checkpoint(tmp_path / "other", 2, tokens=tokens)
    with pytest.raises(CheckpointError, match="different vocabularies: 40 tokens in common of 80"):
        plan_merge(recipe_of(base, other))


# --- tied against untied -----------------------------------------------------------------------


@pytest.mark.parametrize("tied_side", ["base", "instruct"])
def test_the_embedding_of_a_tied_side_stands_for_its_head(tmp_path, tied_side):
    base = tiny_checkpoint(tmp_path / "b", 1, dtype=torch.float32, tied=tied_side == "base")
    instruct = tiny_checkpoint(tmp_path / "i", 2, dtype=torch.float32, tied=tied_side == "instruct")
    plan, merged = merge_of(base, instruct)
    ours, theirs = read_tensors(base), read_tensors(instruct)

    assert_merged(merged[EMBEDDING], ours[EMBEDDING], theirs[EMBEDDING])
    assert_merged(
        merged[HEAD], ours.get(HEAD, ours[EMBEDDING]), theirs.get(HEAD, theirs[EMBEDDING])
    )
    assert not torch.equal(merged[HEAD], merged[EMBEDDING])
    assert plan.config_overrides == {"tie_word_embeddings": False}
    tied = base if tied_side == "base" else instruct
    assert f"{tied} ties its output head, so its embedding stands for {HEAD}" in plan.remarks


def test_two_tied_sides_stay_tied(tmp_path):
    pair = [tiny_checkpoint(tmp_path / name, seed, tied=True) for seed, name in enumerate("bi")]
    plan, merged = merge_of(*pair)
    assert HEAD not in merged
    assert plan.config_overrides == {}


def with_copied_head(folder):
    edit_tensors(folder, lambda tensors: tensors.update({HEAD: tensors[EMBEDDING].clone()}))
    return folder


@pytest.mark.parametrize("with_copy", ["base", "instruct", "both"])
def test_two_tied_sides_give_a_copy_of_the_head_just_if_instruct_has_one(tmp_path, with_copy):
    pair = [tiny_checkpoint(tmp_path / name, seed, tied=True) for seed, name in enumerate("bi")]
    for side, folder in zip(("base", "instruct"), pair, strict=True):
        if with_copy in (side, "both"):
            with_copied_head(folder)
    plan, merged = merge_of(*pair)
    assert merged.keys() == read_tensors(pair[1]).keys()
    assert (HEAD in merged) == (with_copy != "base")
    assert plan.config_overrides == {}


def test_a_copied_head_has_its_embeddings_bits_whatever_goes_by_the_name(tmp_path):
    pair = [
        with_copied_head(tiny_checkpoint(tmp_path / name, seed, tied=True))
        for seed, name in enumerate("bi")
    ]
    # Weights are drawn by a tensor's name, and a filter would find only one of the two.
    for method, parameters in (
        ("dare_linear", {"density": 0.5}),
        ("ties", {"density": [{"filter": "embed", "value": 0.2}, {"value": 1.0}]}),
    ):
        recipe = MergeRecipe(
            base=str(pair[0]),
            instruct=str(pair[1]),
            alpha=ALPHA,
            merge_method=method,
            merge_params=parameters,
        )
        merged = dict(merged_tensors(recipe))
        assert same_bits(merged[HEAD], merged[EMBEDDING]), method


def test_the_bias_of_a_tied_head_is_merged_like_any_other(tmp_path):
    bias = {"lm_head.bias": torch.ones(80)}
    pair = [tiny_float(tmp_path / name, seed, tied=True) for seed, name in enumerate("bi")]
    edit_tensors(pair[0], lambda tensors: tensors.update({"lm_head.bias": torch.zeros(80)}))
    edit_tensors(pair[1], lambda tensors: tensors.update(bias))
    plan, merged = merge_of(*pair)
    assert_merged(merged["lm_head.bias"], torch.zeros(80), torch.ones(80))
    assert plan.config_overrides == {}


def test_a_stored_copy_of_a_tied_head_merges_with_a_head_of_its_own(tmp_path, float_pair):
    tied = tiny_checkpoint(tmp_path / "tied", 3, dtype=torch.float32, tied=True)
    edit_tensors(tied, lambda tensors: tensors.update({HEAD: tensors[EMBEDDING].clone()}))
    plan, merged = merge_of(tied, float_pair[1])
    ours, theirs = read_tensors(tied), read_tensors(float_pair[1])
    assert_merged(merged[HEAD], ours[EMBEDDING], theirs[HEAD])
    assert plan.config_overrides == {"tie_word_embeddings": False}


# --- vocabularies -------------------------------------------------------------------------------


def tiny_float(folder, seed, **options):
    return tiny_checkpoint(folder, seed, dtype=torch.float32, **options)


def test_rows_padded_on_both_sides_are_merged_like_all_others(tmp_path):
    base, instruct = (tiny_float(tmp_path / name, seed, rows=96) for seed, name in enumerate("bi"))
    plan, merged = merge_of(base, instruct)
    assert_merged(
        merged[EMBEDDING], read_tensors(base)[EMBEDDING], read_tensors(instruct)[EMBEDDING]
    )
    assert plan.remarks == ()


def test_rows_padded_by_the_instruct_model_stay_as_they_are(tmp_path, float_pair):
    base, instruct = float_pair[0], tiny_float(tmp_path / "i", 2, rows=96)
    plan, merged = merge_of(base, instruct)
    for name in (EMBEDDING, HEAD):
        ours, theirs = read_tensors(base)[name], read_tensors(instruct)[name]
        assert same_bits(merged[name][80:], theirs[80:])
        assert_merged(merged[name][:80], ours, theirs[:80])
    (remark,) = plan.remarks
    assert "rows: 80 in base, 96 in instruct" in remark


def test_added_tokens_keep_the_rows_of_the_instruct_model(tmp_path, float_pair):
    base, instruct = float_pair[0], tiny_float(tmp_path / "i", 2, tokens=(*TOKENS, "<a>", "<b>"))
    plan, merged = merge_of(base, instruct)
    for name in (EMBEDDING, HEAD):
        ours, theirs = read_tensors(base)[name], read_tensors(instruct)[name]
        assert same_bits(merged[name][80:], theirs[80:])
        assert_merged(merged[name][:80], ours, theirs[:80])
    (remark,) = plan.remarks
    assert "2 tokens only in instruct keep its rows" in remark
    assert "rows: 80 in base, 82 in instruct" in remark


def test_an_added_token_in_a_reserved_row_keeps_the_row_of_the_instruct_model(tmp_path):
    base = tiny_float(tmp_path / "b", 1, rows=88)
    instruct = tiny_float(tmp_path / "i", 2, rows=88, tokens=(*TOKENS, "<a>"))
    plan, merged = merge_of(base, instruct)
    ours, theirs = read_tensors(base)[EMBEDDING], read_tensors(instruct)[EMBEDDING]
    assert same_bits(merged[EMBEDDING][80], theirs[80])
    assert_merged(merged[EMBEDDING][81:], ours[81:], theirs[81:])
    assert "1 tokens only in instruct" in plan.remarks[0]


def test_tokens_in_another_row_are_merged_by_their_string(tmp_path, float_pair):
    moved = list(TOKENS)
    moved[10], moved[20] = moved[20], moved[10]
    base, instruct = float_pair[0], tiny_float(tmp_path / "i", 2, tokens=moved)
    plan, merged = merge_of(base, instruct)
    for name in (EMBEDDING, HEAD):
        ours, theirs = read_tensors(base)[name], read_tensors(instruct)[name]
        assert_merged(merged[name][10], ours[20], theirs[10])
        assert_merged(merged[name][20], ours[10], theirs[20])
        assert_merged(merged[name][30], ours[30], theirs[30])
    assert "2 tokens sit in another row and are merged by their string" in plan.remarks[0]


def test_tokens_of_the_base_alone_are_counted_and_left_out(tmp_path, float_pair):
    base, instruct = tiny_float(tmp_path / "b", 3, tokens=(*TOKENS, "<x>", "<y>")), float_pair[1]
    plan, merged = merge_of(base, instruct)
    ours, theirs = read_tensors(base)[EMBEDDING], read_tensors(instruct)[EMBEDDING]
    assert_merged(merged[EMBEDDING], ours[:80], theirs)
    assert "2 tokens only in base are left out" in plan.remarks[0]


def test_tied_rows_follow_the_tokens_too(tmp_path):
    base = tiny_float(tmp_path / "b", 1, tied=True)
    instruct = tiny_float(tmp_path / "i", 2, tokens=(*TOKENS, "<a>"))
    _, merged = merge_of(base, instruct)
    ours, theirs = read_tensors(base)[EMBEDDING], read_tensors(instruct)[HEAD]
    assert_merged(merged[HEAD][:80], ours, theirs[:80])
    assert same_bits(merged[HEAD][80], theirs[80])


# --- dtypes, buffers, configs --------------------------------------------------------------------


def test_mixed_dtypes_follow_the_instruct_model_and_are_remarked(float_pair, instruct):
    plan, merged = merge_of(float_pair[0], instruct)
    assert {tensor.dtype for tensor in merged.values()} == {torch.bfloat16}
    expected = formula(read_tensors(float_pair[0])[EMBEDDING], read_tensors(instruct)[EMBEDDING])
    torch.testing.assert_close(merged[EMBEDDING].float(), expected, rtol=2**-8, atol=0)
    assert plan.remarks == (
        "dtypes are mixed (base with instruct: F32 with BF16); those of instruct are kept",
    )


def test_computed_buffers_of_one_side_are_ignored(float_pair):
    buffer = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}
    edit_tensors(float_pair[0], lambda tensors: tensors.update(buffer))
    plan, merged = merge_of(*float_pair)
    assert not buffer.keys() & merged.keys()
    assert plan.remarks == ()


def test_equal_integer_buffers_are_kept(float_pair):
    for folder in float_pair:
        edit_tensors(folder, lambda tensors: tensors.update({"model.steps": torch.tensor([3, 4])}))
    _, merged = merge_of(*float_pair)
    assert same_bits(merged["model.steps"], torch.tensor([3, 4]))


def test_different_integer_buffers_cannot_be_merged(float_pair):
    for folder, last in zip(float_pair, (4, 5), strict=True):
        buffer = {"model.steps": torch.tensor([3, last])}
        edit_tensors(folder, lambda tensors, new=buffer: tensors.update(new))
    with pytest.raises(RecipeError, match=r"model\.steps .*whole numbers cannot be merged"):
        merge_of(*float_pair)


def test_a_buffer_against_a_weight_is_refused(float_pair):
    for folder, buffer in zip(float_pair, (torch.tensor([3]), torch.tensor([3.0])), strict=True):
        edit_tensors(folder, lambda tensors, new=buffer: tensors.update({"model.steps": new}))
    said = refusal_of(*float_pair)
    assert "model.steps" in said
    assert "I64" in said
    assert "F32" in said


def test_a_changed_rope_base_is_remarked_with_both_values(float_pair):
    edit_config(float_pair[1], rope_parameters={"rope_theta": 5e5, "rope_type": "default"})
    plan = plan_merge(recipe_of(*float_pair))
    (remark,) = plan.remarks
    assert remark.startswith("rope_parameters differs in the configs of ")
    assert "500000.0" in remark


def test_a_pair_of_terabytes_is_planned_from_headers_alone(base, tmp_path):
    size = 320 + TERABYTE
    entries = {
        EMBEDDING: {"dtype": "F32", "shape": [80, 1], "data_offsets": [0, 320]},
        "model.huge": {"dtype": "F32", "shape": [TERABYTE // 4], "data_offsets": [320, size]},
    }
    pair = []
    for name in ("b", "i"):
        folder = copy_of(base, tmp_path / name)
        for file in folder.glob("model*"):
            file.unlink()
        write_shard(folder / "model.safetensors", entries, size)
        pair.append(folder)
    assert len(plan_merge(recipe_of(*pair)).tensors) == 2


def test_the_same_checkpoint_on_both_sides_is_remarked(base, instruct, tmp_path):
    copied = copy_of(instruct, tmp_path / "copy")
    linked = tmp_path / "link"
    linked.symlink_to(instruct)
    for other in (instruct, copied, linked):
        plan = plan_merge(MergeRecipe(base=str(other), instruct=str(instruct), alpha=0.5))
        assert any("seem to hold the same weights" in remark for remark in plan.remarks)
    plan = plan_merge(MergeRecipe(base=str(base), instruct=str(instruct), alpha=0.5))
    assert plan.remarks == ()


def test_an_adapter_that_is_ignored_is_remarked(base, instruct, tmp_path):
    folder = copy_of(instruct, tmp_path / "both")
    (folder / "adapter_config.json").write_text("{}")
    (remark,) = plan_merge(MergeRecipe(base=str(base), instruct=str(folder), alpha=0.5)).remarks
    assert remark.startswith("adapter_config.json is ignored at every alpha")
