"""What this project raises on bad input, before any weight is loaded.

>>> "merge_metod is no argument." + did_you_mean("merge_metod", ["alpha", "merge_method"])
'merge_metod is no argument. Did you mean merge_method?'
"""

from collections.abc import Iterable


class UsageError(Exception):
    """What was asked for cannot be done; the message says why and how to mend it, and is all that a
    command prints of it."""


class RecipeError(UsageError, ValueError):
    """A merge that cannot be made as asked; the message says what is wrong and how to mend it."""


class CheckpointError(UsageError, ValueError):
    """A checkpoint that cannot be used; the message names the file and the remedy."""


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """A sentence with the known name that is nearest, behind a blank; empty where none is near."""
    import difflib

    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""
