"""An engine's processes end with the process that started the engine, however that one ended.

    with owning():                 # whoever starts the engine
        LLM(...)
    end_with_owner()               # in each of its processes, as early as we are there

    python -m hm_models.engines.owner lm_eval run ...     # a command that ends with the shell that runs it

vLLM runs in processes of its own. Where their owner is killed outright, nobody tells them, and they hold
their memory for minutes or for ever. Two things end them:

- the kernel (prctl's PR_SET_PDEATHSIG), for the engine's core, the owner's child: at once, whatever it
  does. It goes by the thread that started a process, so only if that was the main thread, which lasts; and
  not for the core's own children, which vLLM 0.33 starts from threads that end.
- a thread in each of them that waits for the owner to end (Linux's pidfd; where there is none it looks twice
  a second) and kills its process, and the core above it.

Both need Linux; vLLM runs nowhere else. A process that was spawned does it as its interpreter starts
(`hm_models.plugin.autoload`), one that was forked behind the fork, and all when they load weights.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator

OWNER = "HM_ENGINE_OWNER"
# There while an engine starts: by the owner's `main` thread, or `another`.
STARTS = "HM_ENGINE_STARTS"
# What vLLM imports in a worker that loads a checkpoint from disk.
WORKER_EXTENSION = "hm_models.engines.owned_worker.OwnedWorker"
SECONDS_BETWEEN_LOOKS = 0.5  # where the owner's end cannot be waited for
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_tied: set[int] = set()  # by process, as a fork brings this module along
_starter: int | None = None  # the thread that starts an engine here


@contextlib.contextmanager
def owning() -> Iterator[None]:
    """Own the processes of an engine that is started within, in this thread."""
    global _starter
    by_main = threading.current_thread() is threading.main_thread()
    _starter = threading.get_ident()
    os.environ.update(owned_by_this_process())  # for good: some start their engines later
    os.environ[STARTS] = "main" if by_main else "another"
    try:
        yield
    finally:
        _starter = None
        os.environ.pop(STARTS, None)


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
    if core == int(owner) and os.environ.get(STARTS) == "main":
        end_with_parent(core, signal.SIGKILL)
    also = core if core not in (int(owner), 1) else None
    threading.Thread(target=_wait, args=(int(owner), also), daemon=True, name=OWNER).start()


def end_with_parent(parent: int, by: signal.Signals) -> None:
    """Have the kernel end this process by a signal when its parent ends, and the command that it becomes.

    More exactly when the thread that started it does. On Linux; elsewhere nothing happens.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, by)
        if os.getppid() != parent:  # it ended before the kernel knew
            os.kill(os.getpid(), by)


def _wait(owner: int, core: int | None) -> None:
    try:
        gone = select.poll()
        gone.register(os.pidfd_open(owner), select.POLLIN)
        gone.poll()
    except (AttributeError, OSError):
        # It has gone, or there is no pidfd: some builds of Python, kernels before 5.3, a container's filter.
        while _runs(owner):
            time.sleep(SECONDS_BETWEEN_LOOKS)
    if core is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(core, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _runs(process: int) -> bool:
    """Whether it is at work: one that was killed has its number until its parent has asked how it ended."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as stream:
            return stream.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def _machine() -> str:
    """This boot of this machine and its process numbers, as containers have their own."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            return f"{stream.read().strip()}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""  # not Linux, where vLLM does not run


def _behind_fork() -> None:
    if _starter == threading.get_ident():  # which a fork leaves as it is
        end_with_owner()


os.register_at_fork(after_in_child=_behind_fork)


def main() -> None:
    """Become the command that the arguments name, and end with the process that runs it."""
    end_with_parent(os.getppid(), signal.SIGTERM)
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
