"""What a folder holds in the place of weights that could be read, and how to make such of it.

why_no_weights(Path("run/checkpoint-500"))    # "was saved in parts by DeepSpeed ...: python ..."
"""

from __future__ import annotations

from pathlib import Path

# Patterns of files and folders, and what is to be done; the first that is there counts. The commands
# are DeepSpeed's and accelerate's own.
SAVED_OTHERWISE = {
    "global_step*/*": (
        "was saved in parts by DeepSpeed ({found}). Put them together: python {folder}/zero_to_fp32.py "
        "{folder} {folder}"
    ),
    "pytorch_model_fsdp_*/*": (
        "was saved in parts by FSDP ({found}). Put them together: accelerate merge-weights {place} {folder}"
    ),
    "*.distcp": (
        "was saved in parts by torch.distributed.checkpoint ({found}). Put them together: accelerate "
        "merge-weights {folder} OUT, with config.json and the tokenizer beside"
    ),
    "pytorch_model_fsdp.bin": (
        "has all weights in {found}, but under FSDP's name. Call it pytorch_model.bin"
    ),
    "consolidated*": (
        "has its weights in their maker's own layout alone ({found}). Use the repository's files for "
        "transformers, or convert them with its convert_*_weights_to_hf.py"
    ),
}
OTHER_FORMATS = (
    "*.gguf",
    "*.pth",
    "*.pt",
    "*.ckpt",
    "*.bin",
    "*.h5",
    "*.msgpack",
    "*.onnx",
    "*.npz",
)


def why_no_weights(folder: Path) -> str:
    """The rest of a sentence that begins with the checkpoint's name, where no format was found."""
    for pattern, sentence in SAVED_OTHERWISE.items():
        if found := sorted(folder.glob(pattern)):
            place = found[0].parent if "/" in pattern else found[0]
            found_in = place.relative_to(folder)
            return sentence.format(found=found_in, place=place, folder=folder) + "."
    others = sorted(file.name for pattern in OTHER_FORMATS for file in folder.glob(pattern))
    there = f" There are {', '.join(others[:3])}." if others else ""
    return (
        f"has no .safetensors files and no pytorch_model.bin.{there} Other formats (.pth, .gguf, .h5) "
        "must be converted first, for example with transformers' save_pretrained."
    )
