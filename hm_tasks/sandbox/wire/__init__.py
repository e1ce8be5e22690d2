"""Across the wall: values as plain bytes, which may be forged."""
