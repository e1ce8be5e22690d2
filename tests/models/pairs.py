"""Tiny seeded checkpoints of every architecture that the matrix of pairs goes over.

    pair_of("gpt_neox", folder, base={"dtype": torch.float32}, instruct={"tied": True})

Configs and classes are transformers' own, and so is the layout on disk that `save_pretrained` writes:
fused projections (Phi-3, GPT-NeoX), one tensor for each expert (the mixtures of experts). A head has 32
dimensions, the least that vLLM's attention takes on a CPU.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import transformers

from tests.models.tiny import TOKENS, edit_tensors, save_seeded

HEADS = {"num_attention_heads": 2, "num_key_value_heads": 1}
FOUR_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2}
# transformers' names for config and model, and what the config needs beside the fields that all share.
ARCHITECTURES: dict[str, tuple[str, str, dict[str, object]]] = {
    "llama": ("LlamaConfig", "LlamaForCausalLM", HEADS),
    "mistral": ("MistralConfig", "MistralForCausalLM", HEADS | {"sliding_window": 64}),
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM", HEADS),
    "qwen3": ("Qwen3Config", "Qwen3ForCausalLM", HEADS | {"head_dim": 32}),
    "gemma3": ("Gemma3TextConfig", "Gemma3ForCausalLM", HEADS | {"head_dim": 32}),
    # vLLM's Phi has as many key-value heads as heads.
    "phi": ("PhiConfig", "PhiForCausalLM", HEADS | {"num_key_value_heads": 2}),
    "phi3": ("Phi3Config", "Phi3ForCausalLM", HEADS),
    "gpt_neox": ("GPTNeoXConfig", "GPTNeoXForCausalLM", {"num_attention_heads": 2}),
    "mixtral": (
        "MixtralConfig",
        "MixtralForCausalLM",
        HEADS | {"num_local_experts": 4, "num_experts_per_tok": 2},
    ),
    "qwen3_moe": (
        "Qwen3MoeConfig",
        "Qwen3MoeForCausalLM",
        HEADS | FOUR_EXPERTS | {"head_dim": 32, "moe_intermediate_size": 64},
    ),
    "olmoe": ("OlmoeConfig", "OlmoeForCausalLM", HEADS | FOUR_EXPERTS),
}
# vLLM writes its experts and its attention sinks past its weight loaders.
PAST_LOADERS = {
    "gpt_oss": (
        "GptOssConfig",
        "GptOssForCausalLM",
        HEADS
        | {"num_local_experts": 4, "num_experts_per_tok": 2, "head_dim": 32, "sliding_window": 64},
    ),
}
EXPERTS = ("mixtral", "qwen3_moe", "olmoe")


def checkpoint_of(
    architecture: str,
    folder: Path,
    seed: int,
    *,
    dtype: torch.dtype = torch.bfloat16,
    tied: bool = False,
    tokens: Sequence[str] = TOKENS,
    rows: int | None = None,
    shard_size: str = "5GB",
) -> Path:
    """Write a checkpoint and return its folder; `rows` above len(tokens) are padding."""
    config_class, model_class, fields = (ARCHITECTURES | PAST_LOADERS)[architecture]
    config = getattr(transformers, config_class)(
        vocab_size=rows or len(tokens),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        max_position_embeddings=512,
        tie_word_embeddings=tied,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        dtype=dtype,
        **fields,
    )
    model = getattr(transformers, model_class)(config).to(dtype)
    return save_seeded(model, folder, seed, tokens, shard_size)


def pair_of(
    architecture: str,
    folder: Path,
    base: Mapping[str, object] | None = None,
    instruct: Mapping[str, object] | None = None,
    **both: object,
) -> tuple[Path, Path]:
    """Write a pair: the base in one file, the instruct model in several unless told otherwise."""
    sides = {
        "base": both | (base or {}),
        "instruct": {"shard_size": "50KB"} | both | (instruct or {}),
    }
    ours, theirs = (
        checkpoint_of(architecture, folder / side, seed, **options)
        for seed, (side, options) in enumerate(sides.items())
    )
    return ours, theirs


def with_copied_head(folder: Path) -> Path:
    """Store a copy of the embedding as the head, as some tools do with tied models."""
    head, embedding = "lm_head.weight", "model.embed_tokens.weight"
    edit_tensors(folder, lambda tensors: tensors.update({head: tensors[embedding].clone()}))
    return folder
