"""LoRA adapters of tiny checkpoints, made and merged by PEFT itself.

    adapter = adapter_of(base, folder, target_modules="all-linear", use_dora=True)
    expected = merged_by_peft(base, adapter)

What PEFT leaves at zero is seeded noise here, as if trained.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from tests.models.tiny import TOKENS, read_tensors, tiny_tokenizer

ADDED = [*TOKENS, "<|im_start|>", "<|im_end|>", "<pad>"]

peft = pytest.importorskip("peft")


def adapter_of(
    base: Path,
    folder: Path,
    *,
    seed: int = 3,
    rows: int | None = None,
    dtype: torch.dtype = torch.float32,
    safe_serialization: bool = True,
    **config: object,
) -> Path:
    """Write an adapter of a checkpoint; `rows` resizes its embeddings, `config` is LoraConfig's."""
    settings = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
    model = _loaded(base, rows)
    adapted = peft.get_peft_model(model, peft.LoraConfig(**(settings | config)))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.to(dtype)
    adapted.save_pretrained(folder, safe_serialization=safe_serialization)
    return folder


def merged_by_peft(
    base: Path, adapter: Path, rows: int | None = None
) -> Mapping[str, torch.Tensor]:
    """What `merge_and_unload` gives in float32, rounded once to the base's dtype."""
    dtype = next(iter(read_tensors(base).values())).dtype
    merged = peft.PeftModel.from_pretrained(_loaded(base, rows), adapter).merge_and_unload()
    state = merged.state_dict()
    head = merged.get_output_embeddings().weight
    if head is merged.get_input_embeddings().weight:
        state.pop("lm_head.weight", None)
    return {name: tensor.to(dtype) for name, tensor in state.items()}


def written(base: Path, adapter: Path, folder: Path, rows: int | None = None) -> Path:
    """The merged checkpoint as PEFT's users write it: weights, config and tokenizer."""
    shutil.copytree(base, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    merged = {name: t.contiguous() for name, t in merged_by_peft(base, adapter, rows).items()}
    save_file(merged, folder / "model.safetensors", metadata={"format": "pt"})
    if rows:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"vocab_size": rows}))
        tiny_tokenizer(ADDED).save_pretrained(folder)
    return folder


def _loaded(base: Path, rows: int | None) -> torch.nn.Module:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if rows:
        model.resize_token_embeddings(rows, mean_resizing=False)
    return model
