"""A seeded pair of Llamas with a tokenizer of one token a word, and its merge on disk by mergekit.

make_pair(Path("OUT"), SIZES["small"])            # OUT/base, OUT/instruct
subprocess.run(merge_command(Path("OUT"), 0.7))   # OUT/0.7
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SIZES: dict[str, dict[str, int]] = {
    # 253 million parameters: 0.5 GB for each side
    "full": {
        "hidden_size": 1024,
        "intermediate_size": 2816,
        "num_hidden_layers": 16,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "vocab_size": 32000,
    },
    "small": {
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 512,
    },
}


def make_pair(out: Path, shape: Mapping[str, int]) -> None:
    """Write `base` and `instruct` below `out`: seeded weights and a tokenizer of one token a word."""
    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>"}
    tokens = ["<s>", "</s>", "<unk>", *(f"w{row}" for row in range(shape["vocab_size"] - 3))]
    ids = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    config = LlamaConfig(**shape, **ids, max_position_embeddings=1024, dtype=torch.bfloat16)
    for seed, side in enumerate(("base", "instruct")):
        with torch.device("meta"):
            model = LlamaForCausalLM(config).to(torch.bfloat16)
        generator = torch.Generator().manual_seed(seed)

        def weight_of(name: str, like: torch.Tensor) -> torch.Tensor:
            noise = torch.randn(like.shape, generator=generator)  # noqa: B023
            if "norm" in name:
                return (1 + 0.1 * noise).to(torch.bfloat16)
            # Wide enough that the greedy text depends on the prompt and on alpha.
            return (noise * 1.5 * like.shape[-1] ** -0.5).to(torch.bfloat16)

        weights = {name: weight_of(name, like) for name, like in model.state_dict().items()}
        model.save_pretrained(out / side, state_dict=weights, max_shard_size="200MB")
        words = Tokenizer(models.WordLevel({t: i for i, t in enumerate(tokens)}, unk_token="<unk>"))
        words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        PreTrainedTokenizerFast(tokenizer_object=words, **special).save_pretrained(out / side)


def merge_command(out: Path, alpha: float) -> list[str]:
    """The command by which mergekit writes the merge to `out/ALPHA`."""
    weights = {"base": 1 - alpha, "instruct": alpha}
    content = {
        "models": [
            {"model": str(out / side), "parameters": {"weight": weight}}
            for side, weight in weights.items()
        ],
        "merge_method": "linear",
        "dtype": "float32",
        "out_dtype": "bfloat16",
    }
    config = out / f"{alpha}.yaml"
    config.write_text(json.dumps(content))  # which is YAML
    return [sys.executable, "-m", "mergekit.scripts.run_yaml", str(config), str(out / str(alpha))]
