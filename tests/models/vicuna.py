"""A tiny pair in the layout of meta-llama/Llama-2-7b-hf and lmsys/vicuna-7b-v1.5 on the hub.

    base, instruct = vicuna_pair(folder)

The base has safetensors with `.bin` beside, tokenizer.json and tokenizer.model; the instruct model `.bin`
shards with their index, tokenizer.model alone, and no chat template.
"""

import inspect
import io
import json
import random
import textwrap
from pathlib import Path

import sentencepiece
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from tests.models.tiny import read_tensors, save_seeded, to_bin

PIECES = 400
TOKEN = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}


def sentencepiece_model() -> bytes:
    """Llama 2's kind of tokenizer.model: BPE with byte fallback, <unk>, <s> and </s> first."""
    lines = [line for one in (textwrap, random) for line in inspect.getsource(one).splitlines()]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        vocab_size=PIECES,
        model_type="bpe",
        byte_fallback=True,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    return model.getvalue()


def write_tokenizer(folder: Path, model: bytes) -> None:
    """tokenizer.model and the JSON files that repositories of Llama 2's time have beside it."""
    (folder / "tokenizer.model").write_bytes(model)
    ends = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    config = {name: TOKEN | {"__type": "AddedToken", "content": t} for name, t in ends.items()}
    config |= {
        "add_bos_token": True,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "legacy": True,
        "model_max_length": 4096,
        "pad_token": None,
        "sp_model_kwargs": {},
        "tokenizer_class": "LlamaTokenizer",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "special_tokens_map.json").write_text(json.dumps(ends | {"pad_token": "<unk>"}))


def vicuna_pair(folder: Path, dtype: torch.dtype = torch.float16) -> tuple[Path, Path]:
    """Write the pair; returns base and instruct."""
    model = sentencepiece_model()
    sides = folder / "base", folder / "instruct"
    for seed, side in enumerate(sides):
        config = LlamaConfig(
            vocab_size=PIECES,
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=512,
            bos_token_id=1,
            eos_token_id=2,
            dtype=dtype,
        )
        save_seeded(LlamaForCausalLM(config).to(dtype), side, seed, ("<unk>", "<s>", "</s>"), "5GB")
        for file in side.glob("*token*"):
            file.unlink()
        (side / "chat_template.jinja").unlink()
        write_tokenizer(side, model)
    base, instruct = sides
    AutoTokenizer.from_pretrained(base).backend_tokenizer.save(str(base / "tokenizer.json"))
    torch.save(read_tensors(base), base / "pytorch_model.bin")
    to_bin(instruct, 2)
    return base, instruct
