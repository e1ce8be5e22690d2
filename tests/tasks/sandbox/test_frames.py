"""A message that has begun and does not go on: its writer was stopped in the middle of it."""

import os
import signal
import subprocess
import sys

import pytest

from hm_tasks.sandbox.judging.isolated import RunnerGone, RunnerProcess
from hm_tasks.sandbox.wire.frames import HEAD, PIECE


@pytest.fixture
def runner():
    """A judge's handle on a process that began a message of nine bytes and wrote no more."""
    answers, of_runner = os.pipe()
    os.write(of_runner, HEAD.pack(PIECE, 9))
    command = [sys.executable, "-c", "import time; time.sleep(3600)"]
    handle = RunnerProcess.__new__(RunnerProcess)
    handle._answers = answers
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        handle._process = process
        yield handle
        process.kill()
    os.close(of_runner)
    os.close(answers)


def test_a_runner_that_is_stopped_within_a_message_is_gone(runner):
    runner._process.send_signal(signal.SIGSTOP)
    with pytest.raises(RunnerGone):
        runner._receive(3600)


def test_the_rest_of_a_message_has_the_limit_of_the_message(runner):
    with pytest.raises(TimeoutError):
        runner._receive(0.1)
