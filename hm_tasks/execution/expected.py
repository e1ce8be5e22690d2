"""What is right: what a file states, or what reference solutions give, and how long they take.

Reference solutions are computed once, apart from model code.

Kept by the data set's hash as plain data, with digests in place of huge values: one problem of MBPP+
would be hundreds of megabytes.
"""

from __future__ import annotations

import dataclasses
import os
import pickle
import platform
import time
import traceback
from copy import deepcopy
from typing import Any

from hm_tasks.execution.frames import END, Closed, read_frame, write_frame
from hm_tasks.execution.isolation import end_with_parent, offer_to_oom_killer
from hm_tasks.execution.plain import encode
from hm_tasks.execution.problem import KINDS, Problem
from hm_tasks.execution.stated import DIGEST_ABOVE, digest_above
from hm_tasks.execution.store import Store, key_of


class BrokenReference(RuntimeError):
    """The reference solution itself does not run, so nothing can be scored."""


@dataclasses.dataclass(frozen=True)
class Expected:
    """For each input of one kind: the output as plain data, and the seconds that computing took."""

    outputs: list[bytes]
    seconds: list[float]


def wants_set(problem: Problem) -> bool:
    """Whether evalplus compares this problem's outputs as sets."""
    from evalplus.eval._special_oracle import MBPP_OUTPUT_SET_EQ_TASKS

    return problem.oracle == "mbpp" and problem.entry_point in MBPP_OUTPUT_SET_EQ_TASKS


def expected_of(problem: Problem, store: Store) -> dict[str, Expected]:
    """What is right for each kind of inputs: as the problem states it, else as its reference gives it.

    What a reference solution gives is taken from the store, or computed now.

    Raises:
        BrokenReference: the reference solution raises or ends the process.
    """
    if problem.expected is not None:
        above = digest_above(problem.oracle, problem.atol)
        return {kind: _stated(problem.expected[kind], above) for kind in KINDS}
    key = key_of("expected", problem.dataset, problem.task_id, platform.python_version())
    if (kept := store.get(key)) is not None:
        return pickle.loads(kept)
    found = _in_a_fork(problem)
    if problem.dataset:
        store.put(key, found)
    return pickle.loads(found)


def _stated(outputs: list[Any], above: int) -> Expected:
    # In the form that a program's outputs have, so that large ones are digests on both sides.
    return Expected([encode(o, digest_above=above) for o in outputs], [0.0] * len(outputs))


def _in_a_fork(problem: Problem) -> bytes:
    # Its memory, which may be gigabytes for a moment, is gone with it.
    reading, writing = os.pipe()
    judge = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            end_with_parent(judge)
            offer_to_oom_killer()
            # It must not keep the judge's pipes open after the judge is gone.
            os.closerange(3, writing)
            os.closerange(writing + 1, os.sysconf("SC_OPEN_MAX"))
            write_frame(writing, END, pickle.dumps(_compute(problem)))
        except BaseException:
            write_frame(writing, b"!", traceback.format_exc(limit=3).encode())
        finally:
            os._exit(0)
    os.close(writing)
    try:
        kind, content = read_frame(reading)
    except Closed:
        kind, content = b"!", b"the process ended"
    finally:
        os.close(reading)
        os.waitpid(child, 0)
    if kind != END:
        reason = content.decode(errors="replace")
        raise BrokenReference(f"the reference solution of {problem.task_id} fails: {reason}")
    return content


def _compute(problem: Problem) -> dict[str, Expected]:
    from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS

    names: dict = {}
    # Without this module's own `from __future__` lines, as programs are.
    text = problem.prompt + problem.canonical_solution
    exec(compile(text, "<string>", "exec", dont_inherit=True), names)
    function = names[problem.entry_point]
    not_none = problem.oracle == "mbpp" and problem.entry_point in MBPP_OUTPUT_NOT_NONE_TASKS
    as_set = wants_set(problem)
    found = {}
    for kind in KINDS:
        outputs, seconds = [], []
        for inputs in getattr(problem, kind):
            arguments = deepcopy(inputs)
            began = time.process_time()
            output = function(*arguments)
            seconds.append(time.process_time() - began)
            if not_none:
                output = output is not None
            outputs.append(encode(output, as_set=as_set, digest_above=DIGEST_ABOVE))
        found[kind] = Expected(outputs, seconds)
    return found
