"""Real checkpoints of a few kilobytes: seeded weights, config, tokenizer and chat template.

    tiny_checkpoint(folder, seed=1, tied=True, dtype=torch.float32)

They are written by transformers' own `save_pretrained`; `edit_tensors` and `edit_config` then make
the odd ones that no library would write.
"""

import json
import os
import shutil
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

ARCHITECTURES = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
}
TOKENS = ("<s>", "</s>", "<unk>", "<user>", "<assistant>", *(f"w{n}" for n in range(75)))
TERABYTE = 2**40  # more than any test could read
CHAT_TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}> {{ message['content'] }} {% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)


def tiny_checkpoint(
    folder: Path,
    seed: int,
    *,
    tokens: Sequence[str] = TOKENS,
    rows: int | None = None,
    dtype: torch.dtype = torch.bfloat16,
    tied: bool = False,
    shard_size: str = "5GB",
    architecture: str = "llama",
    hidden_size: int = 32,
    intermediate: int | None = None,
    layers: int = 2,
    **fields: object,
) -> Path:
    """Write a checkpoint and return its folder; `rows` above len(tokens) are padding."""
    config_class, model_class = ARCHITECTURES[architecture]
    config = config_class(
        vocab_size=rows or len(tokens),
        hidden_size=hidden_size,
        intermediate_size=intermediate or 2 * hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=tied,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        dtype=dtype,
        **fields,
    )
    return save_seeded(model_class(config).to(dtype), folder, seed, tokens, shard_size)


def save_seeded(
    model: PreTrainedModel, folder: Path, seed: int, tokens: Sequence[str], shard_size: str
) -> Path:
    """Fill a model with seeded noise and write it with a tokenizer of these tokens."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            # Wide enough that the greedy text depends on the prompt and on alpha.
            noise = torch.randn(weight.shape, generator=generator) * 0.3
            weight.copy_(1 + noise if "norm" in name else noise)
    model.save_pretrained(folder, max_shard_size=shard_size)
    tiny_tokenizer(tokens).save_pretrained(folder)
    return folder


def tiny_tokenizer(tokens: Sequence[str]) -> PreTrainedTokenizerFast:
    """One token for each word between blanks."""
    words = Tokenizer(
        models.WordLevel({token: row for row, token in enumerate(tokens)}, unk_token="<unk>")
    )
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="</s>",
        unk_token="<unk>",
        chat_template=CHAT_TEMPLATE,
    )


def copy_of(folder: Path, target: Path) -> Path:
    """Copy a checkpoint, so that a test may spoil it."""
    return Path(shutil.copytree(folder, target))


def read_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a folder, read with safetensors itself."""
    return {
        name: tensor
        for file in sorted(folder.glob("*.safetensors"))
        for name, tensor in load_file(file).items()
    }


def to_bin(folder: Path, shards: int = 1) -> Path:
    """Turn a checkpoint's safetensors into what the hub had before them: `.bin`, with an index if sharded."""
    tensors = read_tensors(folder)
    for file in [*folder.glob("*.safetensors"), *folder.glob("model*.index.json")]:
        file.unlink()
    if shards == 1:
        torch.save(tensors, folder / "pytorch_model.bin")
        return folder
    weight_map = {}
    for number in range(shards):
        part = dict(list(tensors.items())[number::shards])
        file = f"pytorch_model-{number + 1:05}-of-{shards:05}.bin"
        torch.save(part, folder / file)
        weight_map |= dict.fromkeys(part, file)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    return folder


def edit_tensors(folder: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change the tensors of an unsharded checkpoint in place."""
    file = folder / "model.safetensors"
    tensors = load_file(file)
    edit(tensors)
    save_file(tensors, file, metadata={"format": "pt"})


def edit_config(folder: Path, **fields: object) -> None:
    """Overwrite fields of a checkpoint's config.json."""
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def write_shard(file: Path, header: dict | bytes, size: int) -> None:
    """Write a safetensors file whose data are `size` zeros that take no space on the disk."""
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(content)) + content)
    os.truncate(file, 8 + len(content) + size)


def same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether dtype, shape and every bit agree; unlike `==`, -0.0 is not 0.0."""
    return (
        one.dtype == other.dtype
        and one.shape == other.shape
        and torch.equal(one.flatten().view(torch.uint8), other.flatten().view(torch.uint8))
    )
