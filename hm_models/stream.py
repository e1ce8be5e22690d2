"""The path of `hm_models.merge.stream` up to 0.1, kept for scripts that import from it."""

from hm_models.merge.stream import merged_tensors

__all__ = ["merged_tensors"]
