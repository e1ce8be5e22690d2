"""The program inside a model's text, by evalplus's sanitizer."""

from __future__ import annotations


def extract_program(text: str, entry_point: str) -> str:
    """Return the longest stretch of valid Python, cut down to what `entry_point` needs.

    The text is evalplus's `sanitize(text, entry_point)`; empty where Python's own parser gives up
    on the text (null bytes, nesting beyond its limits).
    """
    from evalplus.sanitize import sanitize

    try:
        return sanitize(text, entry_point)
    except (ValueError, RecursionError, MemoryError):
        return ""
