"""The same stream, written as a checkpoint: complete or absent, never half-written.

Shards go into a temporary folder beside the target, the manifest last, then one rename. A folder
whose manifest carries the recipe's fingerprint is taken as it is.
"""

from __future__ import annotations

import errno
import json
import logging
import shutil
import tempfile
from pathlib import Path

import torch

from hm_models.checkpoints.checkpoint import MANIFEST
from hm_models.checkpoints.headers import INDEX_FILE, SINGLE_FILE
from hm_models.files.places import cache_folder, cannot_keep
from hm_models.files.text_files import MALFORMED, read_json, write_text
from hm_models.merge.plan import MergePlan
from hm_models.merge.recipe import MergeRecipe
from hm_models.merge.stream import merged_tensors

SHARD_BYTES = 5 * 10**9  # the shard size of transformers' save_pretrained

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES}

logger = logging.getLogger(__name__)


def materialise(recipe: MergeRecipe, plan: MergePlan) -> Path:
    """Return the merged checkpoint's folder in the cache, writing it where it is not there yet."""
    folder = cache_folder("merged") / recipe.fingerprint()[:32]
    try:
        return write_checkpoint(recipe, plan, folder)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise cannot_keep(folder, error) from error
        raise


def write_checkpoint(recipe: MergeRecipe, plan: MergePlan, folder: Path) -> Path:
    """Write the merge as a safetensors checkpoint with config, tokenizer and manifest.

    Raises:
        FileExistsError: `folder` exists and is not this very merge; nothing is touched.
        OSError: the disk is full or not writable; nothing is left behind.
    """
    fingerprint = recipe.fingerprint()
    if folder.exists():
        if _fingerprint_of(folder) == fingerprint:
            logger.info("hm-merged: the merged checkpoint is already in %s", folder)
            return folder
        raise FileExistsError(
            f"{folder} exists and is not the merge that was asked for. Name another folder or "
            "remove it."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write_shards(recipe, plan, draft)
        _write_companions(recipe, plan, draft)
        manifest = {"fingerprint": fingerprint, "recipe": recipe.to_dict(), "remarks": plan.remarks}
        write_text(draft / MANIFEST, json.dumps(manifest, indent=2) + "\n")
        draft.chmod(0o755)
        try:
            draft.rename(folder)
        except OSError:
            # Another process finished the same merge first; its result is as good as ours.
            if _fingerprint_of(folder) != fingerprint:
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    logger.info("hm-merged: wrote the merged checkpoint to %s", folder)
    return folder


def _fingerprint_of(folder: Path) -> str | None:
    try:
        return read_json(folder / MANIFEST).get("fingerprint")
    except (OSError, *MALFORMED):
        return None


def _write_shards(recipe: MergeRecipe, plan: MergePlan, draft: Path) -> None:
    from safetensors.torch import save_file

    shard: dict[str, torch.Tensor] = {}
    shards: list[list[str]] = []
    held = total = 0

    def flush() -> None:
        nonlocal held
        save_file(shard, draft / f"shard-{len(shards)}", metadata={"format": "pt"})
        shards.append(list(shard))
        shard.clear()
        held = 0

    for name, tensor in merged_tensors(recipe, plan):
        if shard and held + tensor.nbytes > SHARD_BYTES:
            flush()
        shard[name] = tensor.contiguous()
        held += tensor.nbytes
        total += tensor.nbytes
    flush()

    if len(shards) == 1:
        (draft / "shard-0").rename(draft / SINGLE_FILE)
        return
    weight_map: dict[str, str] = {}
    for index, names in enumerate(shards):
        file = f"model-{index + 1:05}-of-{len(shards):05}.safetensors"
        (draft / f"shard-{index}").rename(draft / file)
        weight_map |= dict.fromkeys(names, file)
    index_json = {"metadata": {"total_size": total}, "weight_map": weight_map}
    write_text(draft / INDEX_FILE, json.dumps(index_json, indent=2) + "\n")


def _write_companions(recipe: MergeRecipe, plan: MergePlan, draft: Path) -> None:
    source, tokenizer = recipe.tokenizer_source, recipe.tokenizer_checkpoint
    borrowed = [] if tokenizer is source else tokenizer.tokenizer_files
    for file in [*borrowed, *source.companions]:
        shutil.copyfile(file, draft / file.name)
    config = recipe.tokenizer_source.config | plan.overrides(recipe)
    if recipe.unmerged is None and recipe.out_dtype:
        # By whichever of its two names the config says it: engines load in the dtype that stands there.
        names = {"dtype", "torch_dtype"} & config.keys() or {"torch_dtype"}
        config |= dict.fromkeys(names, recipe.out_dtype)
    write_text(draft / "config.json", json.dumps(config, indent=2) + "\n")
