"""What this project raises on bad input, before any weight is loaded."""


class UsageError(Exception):
    """What was asked for cannot be done; the message says why and how to mend it, and is all that a
    command prints of it."""


class RecipeError(UsageError, ValueError):
    """A merge that cannot be made as asked; the message says what is wrong and how to mend it."""


class CheckpointError(UsageError, ValueError):
    """A checkpoint that cannot be used; the message names the file and the remedy."""
