"""An adapter's checkpoint has the tensors that PEFT's merge_and_unload gives, in float32 and rounded once."""

from pathlib import Path

import pytest
import torch
import transformers

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.merge.adapted import AdaptedSources
from tests.models.adapters import adapter_of, merged_by_peft
from tests.models.pairs import checkpoint_of
from tests.models.tiny import TOKENS, same_bits, save_seeded, tiny_checkpoint


@pytest.fixture(scope="module")
def bases(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bases")
    gpt2 = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=80, n_embd=32, n_layer=2, n_head=4, n_positions=64, dtype=torch.float32
        )
    )
    return {
        "llama": tiny_checkpoint(folder / "llama", 1),
        "llama32": tiny_checkpoint(folder / "llama32", 1, dtype=torch.float32),
        "llama16": tiny_checkpoint(folder / "llama16", 1, dtype=torch.float16),
        "tied": tiny_checkpoint(folder / "tied", 1, tied=True),
        "qwen2": tiny_checkpoint(folder / "qwen2", 1, architecture="qwen2"),
        "gemma": checkpoint_of("gemma3", folder / "gemma", 1, tied=True),
        "gpt2": save_seeded(gpt2.to(torch.bfloat16), folder / "gpt2", 1, TOKENS, "5GB"),
    }


ATTENTION = ["q_proj", "v_proj"]
EMBEDDING, HEAD = "embed_tokens", "lm_head"
BOTH = [EMBEDDING, HEAD]
CASES: dict[str, tuple[str, dict]] = {
    "every linear layer": ("llama", {}),
    "float32": ("llama32", {}),
    "float16": ("llama16", {}),
    "in bfloat16 itself": ("llama", {"dtype": torch.bfloat16}),
    "in .bin": ("llama", {"safe_serialization": False}),
    "a list of modules": ("llama", {"target_modules": ATTENTION}),
    "a regular expression": ("llama", {"target_modules": r".*layers\.1\.mlp\.(up|down)_proj"}),
    "some layers": ("llama", {"target_modules": ATTENTION, "layers_to_transform": [1]}),
    "rsLoRA": ("llama", {"use_rslora": True}),
    "patterns": (
        "llama",
        {
            "rank_pattern": {"q_proj": 2, r"layers\.1\.mlp\.up_proj": 8},
            "alpha_pattern": {"^model.layers.0.self_attn.k_proj": 32, "down_proj": 1.5},
        },
    ),
    "patterns with rsLoRA": ("llama", {"use_rslora": True, "rank_pattern": {"q_proj": 16}}),
    "DoRA": ("llama", {"use_dora": True}),
    "DoRA in float32": ("llama32", {"use_dora": True}),
    "DoRA of an embedding": ("llama32", {"use_dora": True, "target_modules": [EMBEDDING]}),
    "DoRA of Conv1D": ("gpt2", {"use_dora": True, "target_modules": ["c_attn", "c_fc"]}),
    "Conv1D": ("gpt2", {}),
    "Conv1D that is square": ("gpt2", {"target_modules": ["attn.c_proj"], "fan_in_fan_out": True}),
    "Conv1D, and an embedding": ("gpt2", {"target_modules": ["c_attn", "wte"]}),
    "an embedding": ("llama", {"target_modules": [*ATTENTION, EMBEDDING]}),
    "a head": ("llama", {"target_modules": [*ATTENTION, HEAD]}),
    "embedding and head": ("llama32", {"target_modules": [*ATTENTION, *BOTH]}),
    "a tied embedding": ("tied", {"target_modules": [*ATTENTION, EMBEDDING]}),
    "a tied head": ("tied", {"target_modules": [*ATTENTION, HEAD]}),
    "a tied embedding of Gemma": ("gemma", {"target_modules": [*ATTENTION, EMBEDDING]}),
    "all of Gemma": ("gemma", {}),
    "saved modules": ("llama", {"modules_to_save": [*BOTH, "input_layernorm"]}),
    "a saved embedding that was tied": ("tied", {"modules_to_save": [EMBEDDING]}),
    "a saved head that was tied": ("tied", {"modules_to_save": [HEAD]}),
    "both saved that were tied": ("tied", {"modules_to_save": BOTH}),
    "both saved that stay tied": (
        "tied",
        {"modules_to_save": [EMBEDDING], "ensure_weight_tying": True},
    ),
    "all biases": ("qwen2", {"bias": "all"}),
    "biases of adapted layers": ("qwen2", {"bias": "lora_only", "target_modules": ["q_proj"]}),
    "a bias of its own": ("qwen2", {"lora_bias": True, "target_modules": ATTENTION}),
    "single rows": ("llama", {"trainable_token_indices": [3, 70, 5]}),
    "single rows of a tied embedding": ("tied", {"trainable_token_indices": [3, 5]}),
    "single rows by module": (
        "llama",
        {"trainable_token_indices": {EMBEDDING: [3, 5], HEAD: [7]}},
    ),
    "added tokens": ("llama", {"rows": 83}),
    "added tokens, tied": ("tied", {"rows": 83}),
    "added tokens, embedding adapted": ("llama", {"rows": 83, "target_modules": BOTH}),
    "added tokens, tied, embedding adapted": ("tied", {"rows": 83, "target_modules": [EMBEDDING]}),
    "added tokens, saved": ("llama", {"rows": 83, "modules_to_save": BOTH}),
    "added tokens, tied, saved": ("tied", {"rows": 83, "modules_to_save": BOTH}),
    "added tokens, single rows": ("tied", {"rows": 83, "trainable_token_indices": [80, 81, 82]}),
}


@pytest.mark.parametrize(("base", "config"), CASES.values(), ids=CASES)
def test_every_tensor_is_that_of_merge_and_unload(base, config, bases, tmp_path):
    adapter = adapter_of(bases[base], tmp_path / "adapter", **config)
    checkpoint = Checkpoint.open(str(adapter))
    expected = merged_by_peft(bases[base], adapter, config.get("rows"))
    read = AdaptedSources()(checkpoint)
    assert checkpoint.tensors.keys() == expected.keys()
    changed = 0
    own = AdaptedSources()(Checkpoint.open(str(bases[base])))
    for name, tensor in expected.items():
        assert tuple(checkpoint.tensors[name].shape) == tuple(tensor.shape)
        assert same_bits(read(name)[...] + 0, tensor), name
        changed += name not in own.checkpoint.tensors or not same_bits(own(name), tensor)
    assert changed
    assert checkpoint.config["vocab_size"] == config.get("rows", 80)
