"""The same stream, written as a checkpoint: complete or absent, never half-written.

Shards go into a draft beside the target (`hm_models.merge.draft`), the manifest last, then one rename. A
folder whose manifest carries the merge's fingerprint is taken as it is, and so are the finished shards
of a run that was killed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from hm_models.checkpoints.checkpoint import MANIFEST
from hm_models.checkpoints.headers import INDEX_FILE
from hm_models.errors import UsageError
from hm_models.files.places import cache_folder, cannot_keep
from hm_models.files.text_files import MALFORMED, read_json, write_text
from hm_models.merge.contract import Merge, tokenizer_checkpoint
from hm_models.merge.draft import Draft
from hm_models.merge.plan import MergePlan
from hm_models.merge.shards import Shard, lay_out, out_tensors, write_shards
from hm_models.merge.stream import MergeStream

SHARD_BYTES = 5 * 10**9  # the shard size of transformers' save_pretrained

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES}

logger = logging.getLogger(__name__)


class FolderTaken(UsageError, FileExistsError):
    """The folder is there, and is not the merge that was asked for; nothing was touched."""


def materialise(recipe: Merge, plan: MergePlan) -> Path:
    """Return the merged checkpoint's folder in the cache, writing it where it is not there yet."""
    folder = cache_folder("merged") / recipe.fingerprint()[:32]
    try:
        return write_checkpoint(recipe, plan, folder)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise cannot_keep(folder, error) from error
        raise


def write_checkpoint(
    recipe: Merge,
    plan: MergePlan,
    folder: Path,
    *,
    fingerprint: str | None = None,
    shard_bytes: int | None = None,
    beside: Callable[[Path], object] = lambda draft: None,
    tell: Callable[[int], object] = lambda written: None,
) -> Path:
    """Write the merge as a safetensors checkpoint with config, tokenizer and manifest.

    Args:
        fingerprint: what tells this merge from others; the recipe's, where not given.
        shard_bytes: of a file's tensors, at most; SHARD_BYTES, where not given.
        beside: writes what else is to stand in the folder, before it gets its name.
        tell: gets the number of bytes of each part that is written, or was by a run before.

    Raises:
        FolderTaken: `folder` exists and is not this very merge; nothing is touched.
        OSError: the disk is full or not writable; nothing is left behind.
    """
    fingerprint = fingerprint or recipe.fingerprint()
    if is_there(folder, fingerprint):
        logger.info("hm-merged: the merged checkpoint is already in %s", folder)
        return folder
    shards = lay_out(out_tensors(recipe, plan), shard_bytes or SHARD_BYTES)
    with Draft(folder) as draft:
        if is_there(folder, fingerprint):  # another process was faster
            return folder
        draft.keep_if(_mark(fingerprint, shards))
        finished = [shard for shard in shards if shard.is_whole(draft.folder)]
        for shard in finished:
            tell(shard.data_bytes)
        skip = {tensor.name for shard in finished for tensor in shard.tensors}
        write_shards(shards, MergeStream(plan).tensors(recipe, skip), draft.folder, tell)
        _write_index(shards, draft.folder)
        _write_companions(recipe, plan, draft.folder)
        beside(draft.folder)
        manifest = {"fingerprint": fingerprint, "recipe": recipe.to_dict(), "remarks": plan.remarks}
        write_text(draft.folder / MANIFEST, json.dumps(manifest, indent=2) + "\n")
        draft.publish()
    logger.info("hm-merged: wrote the merged checkpoint to %s", folder)
    return folder


def is_there(folder: Path, fingerprint: str) -> bool:
    """Whether the folder is this merge, whole; an empty one counts as none.

    Raises:
        FolderTaken: it is something else.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    if _fingerprint_of(folder) != fingerprint:
        raise FolderTaken(
            f"{folder} exists and is not the merge that was asked for. Name another folder or "
            "remove it."
        )
    return True


def _fingerprint_of(folder: Path) -> str | None:
    try:
        return read_json(folder / MANIFEST).get("fingerprint")
    except (OSError, *MALFORMED):
        return None


def _mark(fingerprint: str, shards: Sequence[Shard]) -> str:
    """The same for shards of the same names, headers and merge."""
    headers = hashlib.sha256(b"".join(shard.header for shard in shards)).hexdigest()
    return f"{fingerprint} {headers}"


def _write_index(shards: Sequence[Shard], folder: Path) -> None:
    if len(shards) == 1:
        return
    weight_map = {tensor.name: shard.name for shard in shards for tensor in shard.tensors}
    total = sum(shard.data_bytes for shard in shards)
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    write_text(folder / INDEX_FILE, json.dumps(index, indent=2) + "\n")


def _write_companions(recipe: Merge, plan: MergePlan, draft: Path) -> None:
    source, tokenizer = recipe.tokenizer_source, tokenizer_checkpoint(recipe)
    borrowed = [] if tokenizer is source else tokenizer.tokenizer_files
    for file in [*borrowed, *source.companions]:
        shutil.copyfile(file, draft / file.name)
    config = recipe.tokenizer_source.config | plan.overrides(recipe)
    if recipe.unmerged is None and recipe.out_dtype:
        # By whichever of its two names the config says it: engines load in the dtype that stands there.
        names = {"dtype", "torch_dtype"} & config.keys() or {"torch_dtype"}
        config |= dict.fromkeys(names, recipe.out_dtype)
    write_text(draft / "config.json", json.dumps(config, indent=2) + "\n")
