"""Isolation of the processes that run model-written programs: see docs/sandbox.md."""

from hm_tasks.sandbox.isolation.levels import (
    LEVELS,
    clean_up,
    confine_program,
    end_with_parent,
    enter,
    offer_to_oom_killer,
)
from hm_tasks.sandbox.isolation.limits import IsolationError, Limits, clean_environment

__all__ = [
    "LEVELS",
    "IsolationError",
    "Limits",
    "clean_environment",
    "clean_up",
    "confine_program",
    "end_with_parent",
    "enter",
    "offer_to_oom_killer",
]
