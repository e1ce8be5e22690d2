"""A process that runs points: one JSON line on its input each, one on the given descriptor for it.

    python -m hm_models.sweep.worker DESCRIPTOR PARENT

It is started by `hm_models.sweep.runners` and ends when its input does, in the middle of a point if
need be: a sweep that is killed must not leave engines behind on the GPUs. On Linux the kernel ends it with
its parent, too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import queue
import signal
import sys
import threading


def main() -> None:
    """Run what is asked for until nothing more is."""
    from hm_models.engines.owner import end_with_parent

    end_with_parent(int(sys.argv[2]), signal.SIGTERM)
    from lm_eval.utils import setup_logging

    from hm_models.sweep.ending import WORKER_SECONDS, kill_soon
    from hm_models.sweep.runners import LocalRunner

    setup_logging()
    asked: queue.Queue[str | None] = queue.Queue()
    busy = threading.Event()

    def listen() -> None:
        for line in sys.stdin:
            busy.set()
            asked.put(line)
        asked.put(None)
        if busy.is_set():
            kill_soon(WORKER_SECONDS)
            os.kill(os.getpid(), signal.SIGINT)

    runner = LocalRunner()
    with os.fdopen(int(sys.argv[1]), "w") as answers, contextlib.closing(runner):
        # An engine that outlives us must not hold it open.
        os.set_inheritable(answers.fileno(), False)
        threading.Thread(target=listen, daemon=True).start()
        while (line := asked.get()) is not None:
            outcome = runner.run(json.loads(line))
            busy.clear()
            answers.write(json.dumps(dataclasses.asdict(outcome)) + "\n")
            answers.flush()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        from hm_models.sweep.ending import leave

        leave(128 + signal.SIGINT)
