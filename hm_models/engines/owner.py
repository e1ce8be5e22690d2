"""An engine's processes end with the process that started the engine, however that one ended.

    os.environ.update(owned_by_this_process())     # before vLLM starts its processes
    end_with_owner()                               # in vLLM's worker

vLLM runs in processes of its own. Where their owner is killed outright, nobody tells them, and they
hold their memory for minutes or for ever. So a thread in the worker waits for the owner to end (the
kernel says so at once, Linux's pidfd), and then ends the worker, and vLLM's core process between.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading

OWNER = "HM_ENGINE_OWNER"
# What vLLM imports in a worker that loads a checkpoint from disk.
WORKER_EXTENSION = "hm_models.engines.owned_worker.OwnedWorker"
_tied: set[int] = set()  # by process, as a fork brings this module along


def owned_by_this_process() -> dict[str, str]:
    """The variable of the environment by which engines know their owner, on this machine alone."""
    return {OWNER: f"{os.getpid()}@{_machine()}"}


def end_with_owner() -> None:
    """Tie this process, and its parent where that is the engine's core, to the owner's life."""
    if os.getpid() in _tied:
        return
    _tied.add(os.getpid())
    owner, _, machine = os.environ.get(OWNER, "").partition("@")
    if not machine or machine != _machine() or int(owner) == os.getpid():
        return  # an engine in the owner's own process, or on another machine of a cluster
    core = os.getppid()
    also = core if core not in (int(owner), 1) else None
    threading.Thread(target=_wait, args=(int(owner), also), daemon=True, name=OWNER).start()


def _wait(owner: int, core: int | None) -> None:
    with contextlib.suppress(ProcessLookupError):  # else it has gone already
        gone = select.poll()
        gone.register(os.pidfd_open(owner), select.POLLIN)
        gone.poll()
    if core is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(core, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _machine() -> str:
    """This boot of this machine and its process numbers, as containers have their own."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            return f"{stream.read().strip()}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""  # not Linux, where vLLM does not run
