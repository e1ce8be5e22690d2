"""What stops a curation: input or settings that cannot be used, said in a sentence for the user."""


class CurationError(ValueError):
    """The message names what was wrong, where, and how to mend it."""
