"""An engine's process ends with its owner where Python or the kernel has no pidfd, too."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

# A process of an engine, and the owner above it. Both write to one pipe, which ends when both have.
ENGINE = """
import errno, os, time
def refused(number): raise OSError(getattr(errno, {error!r}), "refused")
if {error!r}: os.pidfd_open = refused
else: del os.pidfd_open
import hm_models.engines.owned_worker
print(os.getpid(), flush=True)
time.sleep(3600)
"""
OWNER = """
import os, subprocess, sys
from hm_models.engines.owner import owned_by_this_process
os.environ.update(owned_by_this_process())
subprocess.run([sys.executable, "-c", sys.argv[1]])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="where vLLM runs")
@pytest.mark.parametrize("error", ["", "ENOSYS", "EPERM"])
def test_an_engine_ends_with_its_owner_without_a_pidfd(error):
    command = [sys.executable, "-c", OWNER, ENGINE.format(error=error)]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    engine = int(owner.stdout.readline())
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            owner.communicate(timeout=1)  # while its owner lives, it stays
        owner.kill()  # and is not asked how it ended: its number stays
        assert owner.communicate(timeout=30)[1] == ""
    finally:
        owner.kill()
        with contextlib.suppress(ProcessLookupError):
            os.kill(engine, signal.SIGKILL)
        owner.wait()
