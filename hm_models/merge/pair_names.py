"""Which two checkpoints a pair is of: an adapter names its own base, so that one may be left out.

>>> named_base("ckpt/base", None, "ckpt/instruct", None)
('ckpt/base', None)
"""

from __future__ import annotations

from hm_models.checkpoints.checkpoint import opened_adapter
from hm_models.errors import CheckpointError, RecipeError

NO_CHECKPOINT = (
    "{side}={value!r} names no checkpoint. Give a folder or a hub name, for example --model_args "
    "base=PATH,instruct=PATH,alpha=0.7."
)


def named_base(
    base: object, base_revision: str | None, instruct: object, instruct_revision: str | None
) -> tuple[str, str | None]:
    """The base and its revision, where it was left out those that the adapter names.

    Raises:
        RecipeError: one of the two is no name, or nothing says what the base is.
    """
    if not base and isinstance(instruct, str) and instruct.strip():
        try:
            adapter = opened_adapter(instruct, instruct_revision)
            named = adapter and adapter.base()
        except CheckpointError as error:
            said = NO_CHECKPOINT.format(side="base", value=base)
            raise RecipeError(
                f"{said} It may be left out where instruct is an adapter: {error}"
            ) from None
        if named:
            base, base_revision = named[0], base_revision or named[1]
    for side, value in (("base", base), ("instruct", instruct)):
        if not isinstance(value, str) or not value.strip():
            raise RecipeError(NO_CHECKPOINT.format(side=side, value=value))
    assert isinstance(base, str)
    return base, base_revision
