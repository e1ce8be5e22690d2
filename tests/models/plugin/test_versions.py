"""An untested harness is said once; one that is too old is left alone, and hm-merged refuses it."""

import os
import subprocess
import sys
from importlib.metadata import version

import pytest

from hm_models.plugin.versions import TESTED, what_to_say

# The version as the harness's distribution would say it, in a fresh process and those that it starts.
PRETEND = """
import importlib.metadata as metadata, subprocess, sys
plain = metadata.version
metadata.version = lambda name: {told!r} if name == "lm_eval" else plain(name)
import lm_eval.tasks.manager, lm_eval.api.registry, lm_eval.models
print("hm-merged" in lm_eval.api.registry.model_registry)
from hm_models.plugin import versions
if {again}:
    subprocess.run([sys.executable, "-c", {script!r}])
"""


def pretend(told: str, more: str = "") -> subprocess.CompletedProcess:
    inner = PRETEND.format(told=told, again=False, script="")
    code = PRETEND.format(told=told, again=True, script=inner) + more
    environment = {k: v for k, v in os.environ.items() if k != "HM_HARNESS_SAID"}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, env=environment
    )


def test_an_untested_newer_harness_is_said_once_with_the_tested_ones_and_is_served():
    done = pretend("0.9.0")
    assert done.stdout.split() == ["True", "True"], done.stderr
    assert done.stderr.count("not tested with lm_eval 0.9.0") == 1
    assert all(tested in done.stderr for tested in TESTED)


def test_a_harness_that_is_too_old_is_left_alone_and_hm_merged_refuses_it():
    more = "from hm_models.merged import HindsightMerged\nHindsightMerged(base='b', instruct='i')\n"
    done = pretend("0.4.9", more)
    assert done.stdout.split() == ["False", "False"]
    assert done.returncode != 0
    said = "hm-merged needs lm_eval 0.4.13 or later, and 0.4.9 is installed: pip install"
    assert done.stderr.count(f"\n{said}") + done.stderr.startswith(said) == 1
    assert f"UsageError: {said}" in done.stderr


def test_the_installed_one_is_tested_and_says_nothing():
    assert version("lm_eval") in TESTED
    assert what_to_say(version("lm_eval")) == ""


@pytest.mark.parametrize("told", ["0.4.14", "0.5.0", "0.5.0.dev2", "1.0"])
def test_every_other_release_from_the_oldest_on_is_served_with_a_sentence(told):
    assert what_to_say(told).startswith(f"hm-merged is not tested with lm_eval {told}.")
