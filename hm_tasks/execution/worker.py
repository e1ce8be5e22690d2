"""The process that scores problems for its parent: `python -m hm_tasks.execution.worker`.

It reads jobs from standard input and writes results to standard output, as pickles with their
length in front. Each job runs in a fork of its own, so nothing of one problem is left for the next
and a job that is killed takes only itself along. Programs see neither of the two pipes.
"""

from __future__ import annotations

import os
import pickle
import struct
import traceback
from typing import IO, Any

from hm_tasks.execution.check import check_problem


def send(stream: IO[bytes], value: Any) -> None:
    """Write one length-prefixed pickle."""
    payload = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(struct.pack("<Q", len(payload)) + payload)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Read one length-prefixed pickle; raises EOFError at the end of the stream."""
    head = stream.read(8)
    if len(head) < 8:
        raise EOFError
    return pickle.loads(stream.read(struct.unpack("<Q", head)[0]))


def _run_in_fork(job: Any, pipes: tuple[int, int]) -> Any:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        # Without these, programs cannot reach the parent, and the parent sees the worker's end at once.
        for descriptor in (reading, *pipes):
            os.close(descriptor)
        with os.fdopen(writing, "wb") as stream:
            try:
                send(stream, check_problem(*job))
            except BaseException:
                send(stream, traceback.format_exc(limit=3))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        try:
            result = receive(stream)
        except EOFError:
            result = None
    _, status = os.waitpid(child, 0)
    return result if result is not None else f"the checking process died (wait status {status})"


def main() -> None:
    jobs = os.fdopen(os.dup(0), "rb")
    results = os.fdopen(os.dup(1), "wb")
    # Whatever a program writes must not end up between the results.
    quiet = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(quiet, descriptor)
    import evalplus.eval  # loaded once here, inherited by every fork
    import evalplus.gen.util
    import evalplus.sanitize  # noqa: F401

    while True:
        try:
            job = receive(jobs)
        except EOFError:
            return
        send(results, _run_in_fork(job, (jobs.fileno(), results.fileno())))


if __name__ == "__main__":
    main()
