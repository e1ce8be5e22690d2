"""Where a checkpoint lies: a folder, or what is fetched from the hub, and which commit that is.

    folder, commit = locate("lmsys/vicuna-7b-v1.5", None)

A download brings safetensors, and `.bin` files only where there are none; never the same weights in
another layout (`consolidated*`, `original/`, `onnx/`, GGUF) nor what a training left.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from hm_models.errors import CheckpointError

# What a download must bring: weights, configs, tokenizer and chat template.
DESCRIPTIONS = ["*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken"]
# Code is run with trust_remote_code=true alone; until then it is text.
WANTED_FILES = ["*.safetensors", *DESCRIPTIONS, "*.py"]
BIN_FILES = ["pytorch_model*.bin", "adapter_model.bin"]
# The same again in another layout. Chat templates may lie in a folder.
UNWANTED_FILES = ["consolidated*", *(f"*/{one}" for one in WANTED_FILES if one != "*.jinja")]


def locate(name: str, revision: str | None) -> tuple[Path, str | None]:
    """Return the folder of a checkpoint and, for the hub, the commit that it is.

    Raises:
        CheckpointError: there is neither a folder nor a model on the hub, or a folder was given a revision.
    """
    try:
        folder = Path(name).expanduser()
        is_there = folder.is_dir()
    # A null byte, a loop of links, no such user.
    except (OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{name!a} is no checkpoint: {error}.") from None
    if is_there:
        if revision is not None:
            raise CheckpointError(
                f"{name} is a folder, which has no revision {revision!r}. Leave the revision out, or "
                "name the model on the hub."
            )
        return folder.resolve(), None
    if folder.is_absolute() or name.startswith((".", "~")) or name.count("/") != 1:
        raise CheckpointError(
            f"{name} is no checkpoint: there is no such folder. Give a folder with config.json and "
            ".safetensors files, or a hub name such as meta-llama/Llama-3.1-8B."
        )
    from huggingface_hub import snapshot_download

    try:
        snapshot = snapshot_download(
            name,
            revision=revision,
            allow_patterns=wanted(_listed(name, revision)),
            ignore_patterns=UNWANTED_FILES,
        )
    except Exception as error:  # the hub client raises a dozen kinds; each carries its own reason
        raise CheckpointError(
            f"{name} is no checkpoint: there is no such folder, and the hub gave none"
            f"{f' at revision {revision}' if revision else ''} ({type(error).__name__}: {error}). "
            "Check the name, your token for gated models, and HF_HUB_OFFLINE."
        ) from error
    return Path(snapshot), Path(snapshot).name


def wanted(files: Iterable[str]) -> list[str]:
    """The patterns of a repository's files that are fetched.

    >>> "pytorch_model*.bin" in wanted(["config.json", "pytorch_model-00001-of-00002.bin"])
    True
    >>> "pytorch_model*.bin" in wanted(["model.safetensors", "pytorch_model.bin"])
    False
    """
    own = [file for file in files if not any(fnmatch(file, one) for one in UNWANTED_FILES)]
    has_safetensors = any(file.endswith(".safetensors") for file in own)
    return [*WANTED_FILES, *BIN_FILES] if own and not has_safetensors else WANTED_FILES


def _listed(name: str, revision: str | None) -> list[str]:
    """The repository's files; none where the hub cannot be asked, and its cache must serve."""
    from huggingface_hub import model_info

    try:
        files = model_info(name, revision=revision).siblings
    except Exception:  # the download that follows has the same reason, and says it
        return []
    return [file.rfilename for file in files or []]
