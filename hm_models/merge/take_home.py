"""A merge that is taken home: written with its card and its mergekit file, after a look at the disk.

    job = TakeHome.of(recipe, Path("OUT"))
    print(*job.words(), sep="\\n")      # size, free disk, licences, remarks
    job.write(Evaluation(), quiet=False)

>>> size_of("5GB"), size_of("400 MB")
(5000000000, 400000000)
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from hm_models.checkpoints.checkpoint import Checkpoint
from hm_models.checkpoints.licence import CARD
from hm_models.errors import RecipeError, UsageError
from hm_models.files.text_files import write_bytes, write_text
from hm_models.merge.card import Evaluation, card_text, licence_of, licence_words
from hm_models.merge.contract import Merge
from hm_models.merge.draft import Draft
from hm_models.merge.mergekit_file import FILE, mergekit_file, other_bits
from hm_models.merge.pair_method import SIDE_BY_SIDE
from hm_models.merge.plan import MergePlan, plan_merge
from hm_models.merge.shards import OutTensor, Shard, as_text, lay_out, out_tensors
from hm_models.merge.writer import SHARD_BYTES, is_there, write_checkpoint
from hm_models.shown.screen import bar_settings

_SIZE = re.compile(r"(?i)\s*(\d+(?:\.\d+)?)\s*(KB|MB|GB|TB)\s*")
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
TEMPLATE = "chat_template.jinja"  # counts before what tokenizer_config.json says
ROOM = 10**8  # bytes for what stands beside the weights: tokenizer, card, pictures


class NoRoom(UsageError):
    """The disk has too little room; nothing was written."""


def size_of(text: str) -> int:
    """Bytes of a size as transformers writes it. Raises RecipeError for what is none."""
    found = _SIZE.fullmatch(text)
    size = int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    if not size:
        raise RecipeError(f"--max_shard_size {text!r} is no size. Give for example 5GB or 400MB.")
    return size


@dataclasses.dataclass(frozen=True)
class TakeHome:
    """A merge and the folder that it will be.

    Attributes:
        fingerprint: what tells it from other merges.
        chat_template: text that it gets as its chat template; None leaves it the tokenizer's own.
    """

    recipe: Merge
    plan: MergePlan
    folder: Path
    shard_bytes: int
    fingerprint: str
    chat_template: str | None = None

    @classmethod
    def of(
        cls,
        recipe: Merge,
        folder: Path,
        shard_bytes: int = SHARD_BYTES,
        fingerprint: str | None = None,
        chat_template: str | None = None,
    ) -> TakeHome:
        """Plan the merge; no weight is read.

        Raises:
            RecipeError, CheckpointError: the models cannot be merged as asked, or not be written.
            FolderTaken: the folder is there, and is not this very merge.
        """
        if recipe.merge_method in SIDE_BY_SIDE:
            raise RecipeError(
                f"merge_method={recipe.merge_method} merges no weights: two models run side by side, so "
                "that there is no checkpoint to write."
            )
        if recipe.unmerged is not None and recipe.out_dtype:
            raise RecipeError(
                f"alpha={recipe.alpha} is {recipe.unmerged.name} itself, with its own bytes, so that "
                f"--dtype {recipe.out_dtype} would change nothing. Leave it out."
            )
        mark = fingerprint or by_stamps(recipe)
        if chat_template is not None:
            mark = hashlib.sha256(f"{mark} {chat_template}".encode()).hexdigest()
        job = cls(recipe, plan_merge(recipe), folder, shard_bytes, mark, chat_template)
        is_there(folder, job.fingerprint)
        return job

    @property
    def tensors(self) -> list[OutTensor]:
        """What is written, from headers alone."""
        return out_tensors(self.recipe, self.plan)

    @property
    def shards(self) -> list[Shard]:
        return lay_out(self.tensors, self.shard_bytes)

    def words(self) -> list[str]:
        """What will be written and where, and what was noticed, in sentences."""
        size = sum(shard.file_bytes for shard in self.shards)
        files = f"{len(self.shards)} file" + ("s" if len(self.shards) > 1 else "")
        sides = self.recipe.checkpoints
        reasons = other_bits(self.recipe, self.plan)
        return [
            f"{' and '.join(side.name for side in sides)}: {len(self.tensors):,} tensors, {as_text(size)} "
            f"in {files}, into {self.folder}, where {as_text(self._free)} are free.",
            licence_words([(side.name, licence_of(side)) for side in sides]),
            *(f"mergekit-yaml does not give the same bits: {why}." for why in reasons),
            *(f"Note: {remark}." for remark in self.plan.remarks),
        ]

    def check_room(self) -> None:
        """Raise NoRoom if the disk cannot hold what is not there yet."""
        if is_there(self.folder, self.fingerprint):
            return
        draft = Draft(self.folder).folder
        left = [shard for shard in self.shards if not shard.is_whole(draft)]
        needed = sum(shard.file_bytes for shard in left) + ROOM
        if needed > self._free:
            raise NoRoom(
                f"{self.folder} needs {as_text(needed)}, and {as_text(self._free)} are free on "
                "its disk. Make room, or name another folder."
            )

    def write(self, evaluation: Evaluation, quiet: bool) -> None:
        """Write the folder, with a progress bar on stderr.

        Raises:
            OSError: the disk is full or not writable; nothing is left behind.
        """
        from tqdm import tqdm

        def beside(draft: Path) -> None:
            if self.chat_template is not None:
                write_text(draft / TEMPLATE, self.chat_template)
            card = card_text(self.folder.name, self.recipe, self.plan, self.tensors, evaluation)
            write_text(draft / CARD, card)
            write_text(draft / FILE, mergekit_file(self.recipe, self.plan))
            for name, picture in evaluation.pictures.items():
                (draft / name).parent.mkdir(exist_ok=True)
                write_bytes(draft / name, picture)

        total = sum(tensor.bytes for tensor in self.tensors)
        with tqdm(
            total=total, desc="Merging", unit="B", unit_scale=True, **bar_settings(quiet)
        ) as bar:
            write_checkpoint(
                self.recipe,
                self.plan,
                self.folder,
                fingerprint=self.fingerprint,
                shard_bytes=self.shard_bytes,
                beside=beside,
                tell=bar.update,
            )

    @property
    def _free(self) -> int:
        place = self.folder.absolute()
        while not place.exists():
            place = place.parent
        return shutil.disk_usage(place).free


def by_stamps(recipe: Merge) -> str:
    """Tells merges apart by the recipe and by its files' names, sizes and times: no weight is read."""
    parts = [recipe.to_dict(), *map(_stamps, recipe.checkpoints), version("mergekit")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _stamps(checkpoint: Checkpoint) -> Sequence[str]:
    beside = [hashlib.sha256(file.read_bytes()).hexdigest() for file in checkpoint.companions]
    return [*sorted(checkpoint.stamps.values()), *beside]
