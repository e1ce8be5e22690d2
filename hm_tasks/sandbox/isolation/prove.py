"""Does a level hold here? A fresh process enters it and really tries to get out.

    python -m hm_tasks.sandbox.isolation.prove strong     prints the attacks that got through

The attacks are in probe.py. Sources: none but this package.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import logging
import os
import platform
import select
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hm_tasks.sandbox.isolation import kernel
from hm_tasks.sandbox.isolation.levels import (
    LEVELS,
    RLIMIT,
    clean_up,
    confine_program,
    enter,
)
from hm_tasks.sandbox.isolation.limits import IsolationError, Limits, runner_environment
from hm_tasks.sandbox.isolation.probe import CALLS, PROBE

_MODULE = "hm_tasks.sandbox.isolation.prove"
_SERVE = "serve"  # with the number of the process that asks
logger = logging.getLogger(__name__)

# Seconds for one attack, and for all of them.
_ONE, _ALL = 15.0, 120.0


def prove(level: str) -> list[str]:
    """Return the attacks that this level claims to stop and that succeeded: [] means it holds.

    Raises:
        IsolationError: the level cannot even be entered here, and why.
    """
    claimed = {a.name: a.programs for a in PROBE if level[0].upper() in a.stopped_by}
    with planted() as found:
        outcomes = run_programs(level, claimed, found, Limits())
    return [name for name, outcome in outcomes.items() if outcome == "got"]


@functools.cache
def strongest() -> str:
    """The strongest level whose attacks all fail here; tried once in a process."""
    if not sys.platform.startswith("linux"):
        logger.warning(
            "Isolation is weak on this system (%s): only Linux has namespaces, Landlock and seccomp. "
            "Programs run under resource limits alone, which stop accidents, not attacks.",
            sys.platform,
        )
        return RLIMIT
    for level in LEVELS[:-1]:
        try:
            through = prove(level)
        except IsolationError as error:
            logger.warning("isolation=%s is not to be had here: %s", level, error)
            continue
        if not through:
            return level
        logger.warning("isolation=%s does not hold here: %s got through", level, ", ".join(through))
    return RLIMIT


def choose(isolation: str) -> str:
    """The level that a user's `isolation=` means: `auto` is the strongest one that holds.

    Raises:
        IsolationError: there is no such level, it does not hold here, or nothing runs here at all.
    """
    if sys.platform == "win32":
        raise IsolationError(
            "Programs are not run on Windows: isolation would be none, and evalplus's time limits need "
            "signals that it lacks. Use WSL, or executor=ray with nodes that run Linux."
        )
    if isolation == "auto":
        return strongest()
    if isolation not in LEVELS:
        raise IsolationError(f"isolation={isolation} is none of auto, {', '.join(LEVELS)}.")
    if isolation != RLIMIT and (through := prove(isolation)):
        raise IsolationError(
            f"isolation={isolation} does not hold here: {', '.join(through)} got through. "
            "Use isolation=auto."
        )
    return isolation


def run_programs(
    level: str, programs: Mapping[str, Iterable[str]], planted: dict[str, Any], limits: Limits
) -> dict[str, str]:
    """Run programs in a fresh process of this level; the last one of a name counts."""
    scratch = tempfile.mkdtemp(prefix="hm-prove-")
    order = {
        "level": level,
        "scratch": scratch,
        "planted": planted,
        "limits": vars(limits),
        "programs": {name: list(sources) for name, sources in programs.items()},
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", _MODULE, _SERVE, str(os.getpid())],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            env=runner_environment(scratch),
            timeout=_ALL,
        )
    except subprocess.TimeoutExpired as error:
        raise IsolationError(f"isolation={level} was not proven in {_ALL:.0f} s.") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if done.returncode or not done.stdout:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise IsolationError(f"isolation={level}: {said[0].rpartition('IsolationError: ')[2]}")
    return json.loads(done.stdout)


@contextlib.contextmanager
def planted() -> Iterator[dict[str, Any]]:
    """Secrets and servers that attacks look for; all are gone afterwards."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="hm-planted-"))
        token = f"hm-{os.getpid()}-{os.urandom(6).hex()}"
        secret = os.path.join(folder, "secret")
        with open(secret, "w") as file:
            file.write("secret")
        os.chmod(folder, 0o755)  # so that only the level protects it
        os.environ["HM_PLANTED"] = token
        stack.callback(os.environ.pop, "HM_PLANTED", None)
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        if sys.platform.startswith("linux"):
            abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
            abstract.bind("\0" + token)
            abstract.listen()
        yield {
            "folder": folder,
            "secret": secret,
            "hidden": os.path.join(sysconfig.get_path("stdlib"), "LICENSE.txt"),
            "variable": "HM_PLANTED",
            "judge": os.getpid(),
            "tcp": tcp.getsockname()[1],
            "abstract": token,
        }


def _run(source: str, planted: dict[str, Any], limits: Limits) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            quiet = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(quiet, descriptor)
            confine_program(limits, keep=(writing,))
            os.set_inheritable(writing, True)
            names: dict[str, Any] = {
                "__name__": "program", "os": os, "ctypes": ctypes, "planted": planted,
                "call": _call, "report": writing, "got": None,
            }  # fmt: skip
            if sys.platform.startswith("linux"):
                names["libc"] = kernel.libc()
            exec(compile(source, "<attack>", "exec", dont_inherit=True), names)
            answer = "got" if names["got"] else f"nothing ({names['got']!r:.100})"
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"[:300]
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    answer = "no answer in time"
    if select.select([reading], [], [], _ONE)[0]:
        answer = os.read(reading, 4096).decode().strip()
    os.close(reading)
    status = clean_up(child)
    return answer or f"ended by wait status {status}"


def _call(name: str, *arguments: Any) -> int:
    column = kernel.MACHINES[platform.machine()]
    passed = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return kernel.libc().syscall(ctypes.c_long(CALLS[name][column]), *passed)


def _serve() -> None:
    order = json.load(sys.stdin)
    limits = Limits(**order["limits"])
    planted = order["planted"]
    hidden = [planted["hidden"]] if "hidden" in planted else []
    enter(order["level"], order["scratch"], limits, hidden=hidden)
    outcomes = {}
    for name, sources in order["programs"].items():
        for source in sources:
            outcomes[name] = _run(source, planted, limits)
    json.dump(outcomes, sys.stdout)


def main() -> None:
    """`python -m hm_tasks.sandbox.isolation.prove LEVEL`: what got through, or that the level holds."""
    if sys.argv[1] == _SERVE:
        _serve()
    else:
        print("\n".join(prove(sys.argv[1])) or f"{sys.argv[1]} holds here.")


if __name__ == "__main__":
    main()
