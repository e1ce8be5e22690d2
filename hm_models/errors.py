"""What this package raises on bad input, before any weight is loaded."""


class RecipeError(ValueError):
    """A merge that cannot be made as asked; the message says what is wrong and how to mend it."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file and the remedy."""
