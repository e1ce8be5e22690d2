"""The path of `hm_tasks.sandbox.extract` up to 0.1."""

from hm_tasks.sandbox.extract import extract_program

__all__ = ["extract_program"]
