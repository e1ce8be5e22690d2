"""Isolation of the processes that run model-written programs: see docs/sandbox.md."""

from hm_tasks.execution.isolation.levels import LEVELS, clean_up, confine_program, enter
from hm_tasks.execution.isolation.limits import IsolationError, Limits, clean_environment
from hm_tasks.execution.isolation.prove import choose, prove, strongest

__all__ = [
    "LEVELS",
    "IsolationError",
    "Limits",
    "choose",
    "clean_environment",
    "clean_up",
    "confine_program",
    "enter",
    "prove",
    "strongest",
]
