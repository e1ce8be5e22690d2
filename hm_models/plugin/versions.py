"""Which releases of the harness this project is tested with.

    >>> what_to_say("0.4.13"), what_to_say("0.5.0.dev1")
    ('', '')
    >>> print(what_to_say("0.6"))
    hm-merged is not tested with lm_eval 0.6. It is tested with 0.4.13 and 0.5.0.dev1.

Of another release it is said once, in the first of a run's processes. One that is older than the oldest is left
as it is, and `hm-merged` refuses it.
"""

from __future__ import annotations

import functools
import os
import sys
from importlib.metadata import version

from packaging.version import Version

from hm_models.errors import UsageError

TESTED = ("0.4.13", "0.5.0.dev1")
_SAID = "HM_HARNESS_SAID"  # in the environment, which a run's other processes inherit


def is_too_old(installed: str) -> bool:
    """Whether a release has not what the plugin stands on."""
    return Version(installed) < Version(TESTED[0])


def what_to_say(installed: str) -> str:
    """A sentence about a release; nothing about those that are tested."""
    if is_too_old(installed):
        return (
            f"hm-merged needs lm_eval {TESTED[0]} or later, and {installed} is installed: "
            f"pip install 'lm-eval>={TESTED[0]}'."
        )
    if installed in TESTED:
        return ""
    return f"hm-merged is not tested with lm_eval {installed}. It is tested with {' and '.join(TESTED)}."


@functools.cache
def may_be_changed() -> bool:
    """Whether the harness that is installed is new enough; says once what there is to say of it."""
    installed = version("lm_eval")
    if (said := what_to_say(installed)) and os.environ.get(_SAID) != installed:
        os.environ[_SAID] = installed
        print(said, file=sys.stderr)
    return not is_too_old(installed)


def refuse_too_old() -> None:
    """Raise UsageError where the harness that is installed is too old."""
    if not may_be_changed():
        raise UsageError(what_to_say(version("lm_eval")))
