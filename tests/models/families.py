"""A tiny pair of each family as the hub and people's trainings leave it.

    pair = family("Gemma 2").write(folder)    # folder/base, folder/instruct
    family("Gemma 2").by_hand(folder, 0.7)    # the sum of every tensor, without the package

Configs and classes are transformers' own; `Family.base_name` and `instruct_name` say by hand what a tensor of
either side is called in the merge, where that is not its name.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy
import torch
import transformers
from safetensors.torch import load_file, save_file

from tests.models.tiny import TOKENS, read_tensors, save_seeded

Tensors = dict[str, torch.Tensor]
Name = Callable[[str], str | None]  # None: left out of the merge
ROWS = ("embed_tokens.weight", "wte.weight", "embeddings.weight", "lm_head.weight")
ADDED = (*TOKENS, "<a>", "<b>")
OTHERS = (*TOKENS[:-3], "<user2>", "<assistant2>", "<think>")

TEXT = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
HEAD = {"head_dim": 32}
EXPERTS = {"num_experts_per_tok": 2, "tie_word_embeddings": False}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
ROPE_OF_LLAMA_3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


@dataclasses.dataclass(frozen=True)
class Family:
    """How a family's pair is made, and what of it has other names in the merge.

    Attributes:
        model: transformers' class; `config` its config without the vocabulary.
        base, instruct: what one side has otherwise, in its config.
        tokens, dtypes: of base and instruct model.
        edit: changes the files of the two after they were written, to what the hub has.
        base_name, instruct_name: the name in the merge of a tensor of that side's files.
        loads_as: the class that runs on transformers, where it is another one.
    """

    model: str
    config: Mapping[str, Any]
    base: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    instruct: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    tokens: tuple[Sequence[str], Sequence[str]] = (TOKENS, TOKENS)
    dtypes: tuple[torch.dtype, torch.dtype] = (torch.bfloat16, torch.bfloat16)
    edit: Callable[[Path, Path], object] = lambda base, instruct: None
    base_name: Name = lambda name: name
    instruct_name: Name = lambda name: name
    loads_as: str | None = None

    def write(self, folder: Path) -> None:
        sides = zip(("base", "instruct"), (self.base, self.instruct), strict=True)
        for seed, (side, own) in enumerate(sides):
            tokens = self.tokens[seed]
            model = _model(self.model, {**self.config, **own}, len(tokens))
            save_seeded(model.to(self.dtypes[seed]), folder / side, seed, tokens, "40KB")
        self.edit(folder / "base", folder / "instruct")

    def by_hand(self, folder: Path, alpha: float) -> Tensors:
        """alpha * instruct + (1 - alpha) * base of every tensor, and of rows by their token."""
        names = self.base_name, self.instruct_name
        sides = ("base", "instruct")
        ours, theirs = (
            {as_: tensor for name, tensor in _files(folder / side).items() if (as_ := of(name))}
            for side, of in zip(sides, names, strict=True)
        )
        for one, other in ((ours, theirs), (theirs, ours)):
            if "lm_head.weight" in other and "lm_head.weight" not in one:  # the side is tied
                one["lm_head.weight"] = next(one[n] for n in one if n.endswith(ROWS))
        assert ours.keys() == theirs.keys()
        return {
            name: _rows(self.tokens, alpha, ours[name], theirs[name])
            if name.endswith(ROWS)
            else _sum(alpha, ours[name], theirs[name])
            for name in theirs
        }


def _model(name: str, config: Mapping[str, Any], rows: int) -> Any:
    model = getattr(transformers, name)
    text = {"vocab_size": rows}
    parts = config.get("text_config", config)
    whole = (
        {**config, "text_config": {**parts, **text}} if parts is not config else {**config, **text}
    )
    return model(model.config_class(**whole))


def _files(folder: Path) -> Tensors:
    if found := [load_file(file) for file in sorted(folder.glob("model*.safetensors"))]:
        return {name: tensor for tensors in found for name, tensor in tensors.items()}
    shards = sorted(folder.glob("*.bin"))
    return {n: t for file in shards for n, t in torch.load(file, weights_only=True).items()}


def _sum(alpha: float, base: torch.Tensor, instruct: torch.Tensor) -> torch.Tensor:
    """In float32 and rounded once: float64 holds a float32 product exactly."""
    ours, theirs = float(numpy.float32(1 - alpha)), float(numpy.float32(alpha))
    scaled = (base.double() * ours).float().double()
    return (instruct.double() * theirs + scaled).float().to(instruct.dtype)


def _rows(
    tokens: tuple[Sequence[str], Sequence[str]], alpha: float, base: Any, instruct: Any
) -> torch.Tensor:
    merged = instruct.clone()
    for row, token in enumerate(tokens[1]):
        if token in tokens[0]:
            merged[row] = _sum(alpha, base[tokens[0].index(token)], instruct[row])
    return merged


# --- what the hub's files have otherwise than `save_pretrained` writes them -------------------------


def _resaved(folder: Path, change: Callable[[Tensors], Tensors]) -> None:
    tensors = change(read_tensors(folder))
    for file in folder.glob("model*"):
        file.unlink()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _config(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


def _of_transformers_4(config: dict[str, Any]) -> None:
    """Flat fields of old: `rope_theta` and `rope_scaling`, `torch_dtype`."""
    rope = config.pop("rope_parameters")
    config |= {"rope_theta": rope.pop("rope_theta"), "torch_dtype": config.pop("dtype")}
    if rope.get("rope_type") != "default":
        config["rope_scaling"] = rope


def _llama_3(base: Path, instruct: Path) -> None:
    _config(base, _of_transformers_4)


def _vicuna(base: Path, instruct: Path) -> None:
    """The base with buffers of old beside its weights, the fine-tune as `.bin` shards, without template."""
    buffers = {f"model.layers.{n}.self_attn.rotary_emb.inv_freq": torch.ones(16) for n in (0, 1)}
    _resaved(base, lambda tensors: tensors | buffers)
    _config(base, lambda config: config.pop("num_key_value_heads"))
    tensors = read_tensors(instruct)
    for file in instruct.glob("model*"):
        file.unlink()
    shards = {f"pytorch_model-0000{n}-of-00002.bin": list(tensors)[n - 1 :: 2] for n in (1, 2)}
    for file, names in shards.items():
        torch.save({name: tensors[name].clone() for name in names}, instruct / file)
    index = {"weight_map": {name: file for file, names in shards.items() for name in names}}
    (instruct / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    (instruct / "chat_template.jinja").unlink()


def _head_twice(base: Path, instruct: Path) -> None:
    def twice(tensors: Tensors) -> Tensors:
        return tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}

    _resaved(instruct, twice)


def _gemma_2(base: Path, instruct: Path) -> None:
    """Neither config says that the head is tied, and the fine-tune's files hold it twice."""
    _head_twice(base, instruct)
    for folder in (base, instruct):
        _config(folder, lambda config: config.pop("tie_word_embeddings"))


def _gemma_3(base: Path, instruct: Path) -> None:
    """The hub's vision tower has one more part in its names."""
    tower = "vision_tower."

    def hub(tensors: Tensors) -> Tensors:
        return {n.replace(tower, f"{tower}vision_model."): t for n, t in tensors.items()}

    _resaved(base, hub)


def _consolidated(base: Path, instruct: Path) -> None:
    """Mistral's own format beside the hub's: the same weights a second time."""
    for folder in (base, instruct):
        own = {name.removeprefix("model."): t for name, t in read_tensors(folder).items()}
        save_file(own, folder / "consolidated.safetensors")
        (folder / "params.json").write_text("{}")


def _gpt_2(base: Path, instruct: Path) -> None:
    """The hub's first files: no name of the body, and causal masks beside the weights."""
    masks = {f"h.{n}.attn.bias": torch.ones(1, 1, 256, 256).tril() for n in (0, 1)}
    _resaved(base, lambda t: {n.removeprefix("transformer."): x for n, x in t.items()} | masks)


def _pythia(base: Path, instruct: Path) -> None:
    names = [f"gpt_neox.layers.{n}.attention." for n in (0, 1)]
    masks = {f"{name}bias": torch.ones(1, 1, 256, 256, dtype=torch.bool).tril() for name in names}
    masks |= {f"{name}masked_bias": torch.tensor(-1e9).bfloat16() for name in names}
    _resaved(base, lambda tensors: tensors | masks)


def _qwen_35(base: Path, instruct: Path) -> None:
    """A base with its head for several tokens, and a fine-tune of the text part alone."""
    _resaved(base, lambda tensors: tensors | {"mtp.norm.weight": torch.ones(64).bfloat16()})
    names = {
        n for n in read_tensors(instruct) if n.startswith(("model.language_model.", "lm_head."))
    }
    _resaved(instruct, lambda tensors: {n: tensors[n] for n in names})

    def text(config: dict[str, Any]) -> None:
        part = config.pop("text_config")
        config.clear()
        config |= part | {"architectures": ["Qwen3_5ForCausalLM"]}

    _config(instruct, text)


def _compiled(base: Path, instruct: Path) -> None:
    _resaved(instruct, lambda tensors: {f"module._orig_mod.{n}": t for n, t in tensors.items()})


def _no(*starts: str) -> Name:
    return lambda name: None if name.startswith(starts) else name


FAMILIES: dict[str, Family] = {
    "Llama 3.1": Family(
        "LlamaForCausalLM",
        TEXT | {"rope_parameters": ROPE_OF_LLAMA_3 | {"rope_theta": 5e5}},
        edit=_llama_3,
    ),
    "Llama 2 with Vicuna": Family(
        "LlamaForCausalLM",
        TEXT | {"num_key_value_heads": 2},
        dtypes=(torch.float16, torch.float16),
        edit=_vicuna,
        base_name=lambda name: None if name.endswith("inv_freq") else name,
    ),
    "Llama saved through wrappers": Family(
        "LlamaForCausalLM",
        TEXT,
        edit=_compiled,
        instruct_name=lambda name: name.removeprefix("module._orig_mod."),
    ),
    "Qwen2.5": Family("Qwen2ForCausalLM", TEXT | {"tie_word_embeddings": True}),
    "Qwen3": Family(
        "Qwen3ForCausalLM", TEXT | HEAD | {"tie_word_embeddings": True}, edit=_head_twice
    ),
    "Qwen3-MoE": Family(
        "Qwen3MoeForCausalLM",
        TEXT | HEAD | EXPERTS | {"num_experts": 4, "moe_intermediate_size": 32},
    ),
    "Mixtral": Family("MixtralForCausalLM", TEXT | EXPERTS | {"num_local_experts": 4}),
    "Gemma 2": Family(
        "Gemma2ForCausalLM",
        TEXT | HEAD,
        dtypes=(torch.float32, torch.bfloat16),
        edit=_gemma_2,
    ),
    "Gemma 3": Family("Gemma3ForCausalLM", TEXT | HEAD),
    "Gemma 3, multimodal": Family(
        "Gemma3ForConditionalGeneration",
        {
            "text_config": TEXT | HEAD,
            "vision_config": VISION | {"vision_use_head": False},
            "mm_tokens_per_image": 4,
            "image_token_index": 70,
        },
        edit=_gemma_3,
        base_name=lambda name: name.replace("vision_tower.vision_model.", "vision_tower."),
    ),
    "Mistral, with its own format beside": Family("MistralForCausalLM", TEXT, edit=_consolidated),
    "Mistral Small 3": Family(
        "Mistral3ForConditionalGeneration",
        {
            "text_config": TEXT | HEAD | {"model_type": "mistral", "tie_word_embeddings": False},
            "vision_config": VISION | {"model_type": "pixtral", "head_dim": 16},
            "image_token_index": 70,
            "spatial_merge_size": 1,
            "tie_word_embeddings": False,
        },
    ),
    "OLMo 2": Family(
        "Olmo2ForCausalLM",
        TEXT | {"tie_word_embeddings": False},
        dtypes=(torch.float32, torch.bfloat16),
    ),
    "SmolLM3": Family("SmolLM3ForCausalLM", TEXT | {"no_rope_layers": [1, 0]}),
    "Phi-3": Family("Phi3ForCausalLM", TEXT),
    "DeepSeek-R1-Distill on Qwen2.5": Family(
        "Qwen2ForCausalLM",
        TEXT,
        base={"tie_word_embeddings": True},
        instruct={"tie_word_embeddings": False},
        tokens=(TOKENS, OTHERS),
    ),
    "Granite": Family(
        "GraniteForCausalLM", TEXT | {"tie_word_embeddings": True}, tokens=(TOKENS, ADDED)
    ),
    "Falcon-H1": Family(
        "FalconH1ForCausalLM",
        TEXT
        | HEAD
        | {
            "mamba_d_ssm": 64,
            "mamba_n_heads": 4,
            "mamba_d_head": 16,
            "mamba_d_state": 16,
            "mamba_chunk_size": 32,
        },
    ),
    "Mamba2": Family(
        "Mamba2ForCausalLM",
        {
            **{name: TEXT[name] for name in ("hidden_size", "num_hidden_layers")},
            **{name: TEXT[name] for name in TEXT if name.endswith("_token_id")},
            "state_size": 16,
            "num_heads": 8,
            "head_dim": 16,
            "n_groups": 1,
            "chunk_size": 32,
        },
    ),
    "GPT-2": Family(
        "GPT2LMHeadModel",
        {"n_embd": 64, "n_layer": 2, "n_head": 2, "n_positions": 256}
        | {name: TEXT[name] for name in TEXT if name.endswith("_token_id")},
        edit=_gpt_2,
        base_name=lambda name: None if name.endswith(".attn.bias") else f"transformer.{name}",
    ),
    "Pythia": Family(
        "GPTNeoXForCausalLM",
        {n: v for n, v in TEXT.items() if n != "num_key_value_heads"}
        | {"tie_word_embeddings": False},
        edit=_pythia,
        base_name=lambda n: None if n.endswith(("attention.bias", "masked_bias")) else n,
    ),
    "Qwen3.5, text alone": Family(
        "Qwen3_5ForConditionalGeneration",
        {
            "text_config": TEXT
            | HEAD
            | {
                "linear_num_key_heads": 1,
                "linear_num_value_heads": 2,
                "linear_key_head_dim": 16,
                "linear_value_head_dim": 16,
                "layer_types": ["linear_attention", "full_attention"],
                "tie_word_embeddings": False,
            },
            "vision_config": {
                "depth": 1,
                "hidden_size": 32,
                "intermediate_size": 32,
                "num_heads": 2,
                "out_hidden_size": 64,
            },
            "tie_word_embeddings": False,
        },
        edit=_qwen_35,
        base_name=_no("mtp.", "model.visual."),
        loads_as="Qwen3_5ForCausalLM",
    ),
}
