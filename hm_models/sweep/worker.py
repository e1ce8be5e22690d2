"""A process that runs points: one JSON line on its input each, one on the given descriptor for it.

    python -m hm_models.sweep.worker DESCRIPTOR

It is started by `hm_models.sweep.runners` and ends when its input does, in the middle of a point if
need be: a sweep that is killed must not leave engines behind on the GPUs.
"""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import signal
import sys
import threading


def main() -> None:
    """Run what is asked for until nothing more is."""
    from lm_eval.utils import setup_logging

    from hm_models.sweep.ending import WORKER_SECONDS, kill_soon
    from hm_models.sweep.live import LiveModel
    from hm_models.sweep.once import once_for_all
    from hm_models.sweep.run import run_point

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

    with os.fdopen(int(sys.argv[1]), "w") as answers, once_for_all(), LiveModel() as live:
        os.set_inheritable(
            answers.fileno(), False
        )  # an engine that outlives us must not hold it open
        threading.Thread(target=listen, daemon=True).start()
        while (line := asked.get()) is not None:
            outcome = run_point(json.loads(line), live)
            busy.clear()
            answers.write(json.dumps(dataclasses.asdict(outcome)) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
