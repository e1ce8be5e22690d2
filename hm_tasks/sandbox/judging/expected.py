"""What is right: what a file states, or what reference solutions give, and how long they take.

Reference solutions are computed once, in the sandbox (`hm_tasks.sandbox.inside.reference`), apart from
model code. What they gave is kept by the data set's hash as plain data, with digests in place of huge
values: one problem of MBPP+ would be hundreds of megabytes. What is kept is read as plain data, too,
and within limits: a row that somebody else has put into the store is at worst a wrong answer.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import platform
from collections.abc import Callable
from typing import Any

from hm_tasks.sandbox.inside.program import WALL_FACTOR
from hm_tasks.sandbox.inside.reference import SECONDS, TIMES, Reference
from hm_tasks.sandbox.judging.comparer import limits_for, read_direct
from hm_tasks.sandbox.judging.isolated import NotCleaned, RunnerGone, RunnerProcess
from hm_tasks.sandbox.judging.limited import BeyondLimits, LimitedFork
from hm_tasks.sandbox.judging.stated import digest_above
from hm_tasks.sandbox.problem import KINDS, Problem
from hm_tasks.sandbox.store import VerdictStore, key_of
from hm_tasks.sandbox.wire.frames import LOADED, OUTPUT, RAISED
from hm_tasks.sandbox.wire.plain import PlainError, decode, encode


class BrokenReference(RuntimeError):
    """The reference solution itself does not run, so nothing can be scored."""


@dataclasses.dataclass(frozen=True)
class Expected:
    """For each input of one kind, what is right.

    Attributes:
        outputs: as plain data.
        seconds: that computing it took.
        writing: seconds that writing it as plain data took.
    """

    outputs: list[bytes]
    seconds: list[float]
    writing: list[float]

    def values(self) -> list[Any]:
        """The outputs as values.

        Raises:
            PlainError: they are no plain data.
            BeyondLimits: reading them takes too much time or memory.
        """
        found = [read_direct(data) for data in self.outputs]
        large = [data for data, read in zip(self.outputs, found, strict=True) if read is None]
        if large:
            # Tried where it may fail, then done.
            with LimitedFork(_can_be_read) as fork:
                for data in large:
                    if not fork.ask(data, *limits_for(len(data))):
                        raise PlainError("no plain data")
        return [
            decode(data) if read is None else read[0]
            for data, read in zip(self.outputs, found, strict=True)
        ]


def _can_be_read(data: bytes) -> bool:
    try:
        decode(data)
    except PlainError:
        return False
    return True


def wants_set(problem: Problem) -> bool:
    """Whether evalplus compares this problem's outputs as sets."""
    from evalplus.eval._special_oracle import MBPP_OUTPUT_SET_EQ_TASKS

    return problem.oracle == "mbpp" and problem.entry_point in MBPP_OUTPUT_SET_EQ_TASKS


def expected_of(
    problem: Problem, store: VerdictStore, runner: Callable[[], RunnerProcess]
) -> dict[str, tuple[Expected, list[Any]]]:
    """What is right for each kind of inputs, and its values: as the problem states it, else as its
    reference gives it.

    What a reference solution gives is taken from the store, or computed now.

    Args:
        runner: gives a runner that holds the problem's inputs.

    Raises:
        BrokenReference: the reference solution raises, ends its process, or gives too much.
        RunnerGone: the runner has ended, and not by the reference solution.
    """
    if problem.expected is not None:
        above = digest_above(problem.oracle, problem.atol)
        return {kind: _with_values(_stated(problem.expected[kind], above)) for kind in KINDS}
    key = key_of(
        "expected as plain data", problem.dataset, problem.task_id, platform.python_version()
    )
    if (kept := store.get(key)) is not None:
        with contextlib.suppress(PlainError, BeyondLimits):  # somebody else's: computed again
            found = unpack(kept)
            if all(len(found[kind].outputs) == len(getattr(problem, kind)) for kind in KINDS):
                return {kind: _with_values(found[kind]) for kind in KINDS}
    found = {kind: _computed(problem, kind, runner()) for kind in KINDS}
    try:
        values = {kind: _with_values(found[kind]) for kind in KINDS}
    except (PlainError, BeyondLimits) as error:
        raise _broken(problem, f"its outputs cannot be compared ({error})") from error
    if problem.dataset:
        store.put(key, pack(found))
    return values


def _with_values(expected: Expected) -> tuple[Expected, list[Any]]:
    return expected, expected.values()


def _stated(outputs: list[Any], above: int) -> Expected:
    # In the form that a program's outputs have, so that large ones are digests on both sides.
    none = [0.0] * len(outputs)
    return Expected([encode(o, digest_above=above) for o in outputs], none, none)


def _computed(problem: Problem, kind: str, runner: RunnerProcess) -> Expected:
    from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS

    not_none = problem.oracle == "mbpp" and problem.entry_point in MBPP_OUTPUT_NOT_NONE_TASKS
    program = problem.prompt + problem.canonical_solution
    reference = Reference(program, problem.entry_point, kind, wants_set(problem), not_none)
    expected = Expected([], [], [])
    loaded = False
    try:
        with contextlib.closing(runner.run(reference, WALL_FACTOR * SECONDS)) as messages:
            for message, content in messages:
                if message == RAISED:
                    raise _broken(problem, content.decode(errors="replace"))
                if message == LOADED:
                    loaded = True
                elif message == OUTPUT:
                    seconds, writing = TIMES.unpack_from(content)
                    expected.outputs.append(content[TIMES.size :])
                    expected.seconds.append(seconds)
                    expected.writing.append(writing)
    except TimeoutError:
        raise _broken(problem, f"it takes more than {SECONDS:g} s") from None
    except NotCleaned:
        raise RunnerGone("a reference solution left files that cannot be removed") from None
    if not loaded or len(expected.outputs) != len(getattr(problem, kind)):
        raise _broken(problem, "the process ended")
    return expected


def _broken(problem: Problem, reason: str) -> BrokenReference:
    return BrokenReference(f"the reference solution of {problem.task_id} fails: {reason}")


def pack(found: dict[str, Expected]) -> bytes:
    """One line of JSON that says what follows, then all outputs one after another."""
    head = {
        kind: {
            "sizes": [len(data) for data in expected.outputs],
            "seconds": expected.seconds,
            "writing": expected.writing,
        }
        for kind, expected in found.items()
    }
    outputs = (data for expected in found.values() for data in expected.outputs)
    return b"\n".join((json.dumps(head).encode(), b"".join(outputs)))


def unpack(kept: bytes) -> dict[str, Expected]:
    """What `pack` packed.

    Raises:
        PlainError: these are other bytes.
    """
    head, _, rest = kept.partition(b"\n")
    found, at = {}, 0
    try:
        said = json.loads(head)
        for kind in KINDS:
            sizes, seconds, writing = (said[kind][name] for name in ("sizes", "seconds", "writing"))
            if not len(sizes) == len(seconds) == len(writing) or not all(
                type(size) is int and size >= 0 for size in sizes
            ):
                raise PlainError("sizes that cannot be")
            outputs = []
            for size in sizes:
                outputs.append(rest[at : at + size])
                at += size
            found[kind] = Expected(outputs, _seconds(seconds), _seconds(writing))
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise PlainError(f"kept outputs that cannot be read ({error})") from None
    if at != len(rest):
        raise PlainError("kept outputs of another length")
    return found


def _seconds(given: list[Any]) -> list[float]:
    if not all(type(one) is float and 0 <= one <= SECONDS for one in given):
        raise PlainError("times that cannot be")
    return given
