"""One tensor has several names; two tensors never get one."""

import pytest

from hm_models.checkpoints.names import (
    bare,
    is_computed,
    is_embedding,
    is_extra_head,
    is_head,
    is_vocabulary,
    spelled_as,
    unwrapped,
)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("_orig_mod.model.norm.weight", "model.norm.weight"),
        ("module.model.norm.weight", "model.norm.weight"),
        ("module._orig_mod.module.model.norm.weight", "model.norm.weight"),
        ("model.layers.0._orig_mod.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("_fsdp_wrapped_module.model.layers.1._checkpoint_wrapped_module.a", "model.layers.1.a"),
        ("model.module.weight", "model.module.weight"),  # a layer that somebody called so
        ("my_orig_mod.weight", "my_orig_mod.weight"),
    ],
)
def test_what_wrappers_put_into_a_name_is_taken_out(name, plain):
    assert unwrapped(name) == plain


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("language_model.model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("model.language_model.norm.weight", "model.norm.weight"),
        ("language_model.lm_head.weight", "lm_head.weight"),
        ("h.0.ln_1.bias", "transformer.h.0.ln_1.bias"),
        ("vision_tower.vision_model.post_layernorm.bias", "model.vision_tower.post_layernorm.bias"),
    ],
)
def test_versions_and_libraries_name_one_tensor_alike_within_the_body(one, other):
    assert bare(one) == bare(other)
    assert spelled_as([one], [other]) == {one: other}


def test_names_that_the_body_alone_tells_apart_stay():
    names = ["model.norm.weight", "norm.weight"]
    assert spelled_as(names, ["norm.weight"]) == {name: name for name in names}
    assert spelled_as(["norm.weight"], names) == {"norm.weight": "norm.weight"}


@pytest.mark.parametrize(
    "name",
    [
        "model.embed_tokens.weight",
        "transformer.wte.weight",
        "wte.weight",
        "gpt_neox.embed_in.weight",
        "backbone.embeddings.weight",
        "model.tok_embeddings.weight",
        "model.language_model.embed_tokens.weight",
    ],
)
def test_an_embedding_is_known_by_the_names_of_the_hub(name):
    assert is_embedding(name)
    assert is_vocabulary(name)
    assert not is_head(name)


def test_a_head_is_known_and_words_of_deeper_layers_are_none():
    assert is_head("lm_head.weight")
    assert is_head("embed_out.weight")
    assert is_head("output.weight")
    assert not is_head("lm_head.bias")
    assert is_vocabulary("lm_head.bias")
    for name in ("encoder.layers.0.output.weight", "vision_tower.embeddings.weight"):
        assert not is_vocabulary(name)


def test_masks_are_known_by_their_shape_and_biases_are_weights():
    mask = (1, 1, 1024, 1024)
    assert is_computed("h.0.attn.bias", mask)
    assert is_computed("gpt_neox.layers.0.attention.bias", mask)
    assert is_computed("gpt_neox.layers.0.attention.masked_bias", ())
    assert is_computed("model.layers.0.self_attn.rotary_emb.inv_freq", (16,))
    assert not is_computed("h.0.attn.bias", (768,))
    assert not is_computed("h.0.attn.c_attn.bias", (768,))


def test_heads_that_no_causal_model_loads_are_known():
    assert is_extra_head("mtp.layers.0.input_layernorm.weight")
    assert is_extra_head("v_head.summary.weight")
    assert not is_extra_head("lm_head.weight")
