"""What stops a curation: input or settings that cannot be used, said in a sentence for the user."""

from hm_models.errors import UsageError


class CurationError(UsageError, ValueError):
    """The message names what was wrong, where, and how to mend it."""
