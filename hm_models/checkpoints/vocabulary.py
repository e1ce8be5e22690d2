"""Which row of the base's embedding belongs to which row of the instruct model's.

>>> base, instruct = {"a": 0, "b": 1}, {"a": 0, "<think>": 1, "b": 2}
>>> match_rows(base, instruct, base_rows=2, instruct_rows=3, names=("base", "instruct")).rows
(0, -1, 1)

Equal row counts do not mean equal tokens, and added or padded rows do not make a pair unmergeable:
tokens are compared by their string, and rows follow the instruct model, whose tokenizer is used.
"""

from __future__ import annotations

import dataclasses

from hm_models.checkpoints.checkpoint import Checkpoint, CheckpointError
from hm_models.checkpoints.tokenizer import load_tokenizer

# Below this share of common tokens (of the smaller vocabulary) two vocabularies are different ones.
MIN_COMMON = 0.9
NO_ROW = -1


@dataclasses.dataclass(frozen=True)
class RowMatch:
    """How the rows of two embeddings correspond.

    Attributes:
        rows: for each row of the instruct model, the base's row, or NO_ROW where the base has none.
        instruct_only: tokens that only the instruct model has; their rows stay as they are.
        base_only: tokens that only the base has; the instruct tokenizer cannot write them.
        moved: tokens that both have, in different rows.
    """

    rows: tuple[int, ...]
    instruct_only: int
    base_only: int
    moved: int

    @property
    def is_plain(self) -> bool:
        """Whether row i belongs to row i throughout, so that tensors merge as they are."""
        return self.rows == tuple(range(len(self.rows)))

    def remark(self, base: str, instruct: str) -> str:
        """The same in words, with what to call the two."""
        return (
            f"vocabularies differ: {self.instruct_only} tokens only in {instruct} keep its rows, "
            f"{self.base_only} tokens only in {base} are left out, {self.moved} tokens sit in another "
            "row and are merged by their string"
        )


def read_vocabulary(checkpoint: Checkpoint, trust_remote_code: bool = False) -> dict[str, int]:
    """Return token string -> id, added tokens included. Raises CheckpointError without tokenizer.

    Byte-level tokens are written as tokenizer.json has them, whatever the file.
    """
    fast = checkpoint.folder / "tokenizer.json"
    try:
        if fast.is_file():
            from tokenizers import Tokenizer

            return Tokenizer.from_file(str(fast)).get_vocab(with_added_tokens=True)
        return load_tokenizer(str(checkpoint.folder), trust_remote_code).get_vocab()
    except Exception as error:  # tokenizer libraries raise anything, down to a bare Exception
        raise CheckpointError(
            f"{checkpoint.name} has no tokenizer that can be read ({error}). A merge compares the "
            "tokens of both checkpoints by their string: add the tokenizer's files to the folder."
        ) from error


def match_rows(
    base: dict[str, int],
    instruct: dict[str, int],
    base_rows: int,
    instruct_rows: int,
    names: tuple[str, str],
) -> RowMatch:
    """Match embedding rows by token string.

    Args:
        base, instruct: vocabularies, token string -> id.
        base_rows, instruct_rows: rows of the embeddings, padding included.
        names: what to call the two checkpoints in an error.

    Raises:
        CheckpointError: the vocabularies have too little in common to be merged.
    """
    common = base.keys() & instruct.keys()
    if len(common) < MIN_COMMON * min(len(base), len(instruct)):
        raise CheckpointError(
            f"{names[0]} and {names[1]} have different vocabularies: {len(common):,} tokens in "
            f"common of {len(base):,} and {len(instruct):,}. Merge a model with a checkpoint that "
            "it was trained from."
        )
    rows = [NO_ROW] * instruct_rows
    named = [False] * max(base_rows, instruct_rows, 1 + max(instruct.values(), default=0))
    for index in base.values():
        if index < base_rows:
            named[index] = True
    for index in range(min(base_rows, instruct_rows)):
        if not named[index]:
            rows[index] = index  # padding on both sides, unless a token claims the row below
    moved = instruct_only = 0
    for token, index in instruct.items():
        if index >= instruct_rows:
            continue
        row = base.get(token, NO_ROW)
        rows[index] = row if 0 <= row < base_rows else NO_ROW
        moved += rows[index] not in (NO_ROW, index)
        instruct_only += rows[index] == NO_ROW
    return RowMatch(tuple(rows), instruct_only, len(base) - len(common), moved)
