"""Isolation of the processes that run model-written programs: see docs/sandbox.md."""
