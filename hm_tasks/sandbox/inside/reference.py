"""Running a reference solution on its inputs, inside the sandbox: what is right, and its time.

A file of problems may be from anybody, so its solutions are isolated as models' programs are. They
may take more time and memory, as nothing says how much is right. They see none of evalplus's guards,
which would change what they give. Source of the rules: evalplus 0.3.1, gen/util (`trusted_exec`).
"""

from __future__ import annotations

import dataclasses
import struct
import time
import traceback
from copy import deepcopy
from typing import Any

from hm_tasks.sandbox.inside.watch import Allowed
from hm_tasks.sandbox.isolation.limits import GIB, Limits
from hm_tasks.sandbox.wire.frames import LOADED, OUTPUT, RAISED, write_frame
from hm_tasks.sandbox.wire.plain import DIGEST_ABOVE, encode

SECONDS = 600.0  # for all inputs of one kind
MEMORY = 16 * GIB
ALLOWED = Allowed(None, SECONDS)
TIMES = struct.Struct("<dd")  # before an output: seconds that it took, and that encoding it took


@dataclasses.dataclass(frozen=True)
class Reference:
    """A reference solution.

    Attributes:
        program: source text.
        entry_point: the function to call.
        kind: which of the problem's inputs.
        as_set: whether only the set of an output's elements counts.
        not_none: whether only that there is an output counts.
    """

    program: str
    entry_point: str
    kind: str
    as_set: bool
    not_none: bool


def limits_of_references(limits: Limits) -> Limits:
    """The limits of programs, with more room."""
    seconds = int(SECONDS)
    return dataclasses.replace(limits, memory=MEMORY, cpu_seconds=seconds, file_bytes=GIB)


def compute(reference: Reference, inputs: list[list[Any]], results: int) -> None:
    """Run it; write each output with its times, or why there are none, to `results`."""
    try:
        names: dict[str, Any] = {}
        exec(compile(reference.program, "<reference>", "exec", dont_inherit=True), names)
        function = names[reference.entry_point]
        write_frame(results, LOADED)
        for one in inputs:
            arguments = deepcopy(one)
            began = time.process_time()
            output = function(*arguments)
            returned = time.process_time()
            if reference.not_none:
                output = output is not None
            plain = encode(output, as_set=reference.as_set, digest_above=DIGEST_ABOVE)
            times = TIMES.pack(returned - began, time.process_time() - returned)
            write_frame(results, OUTPUT, times + plain)
    except BaseException:
        write_frame(results, RAISED, traceback.format_exc(limit=3).encode("utf8", "replace"))
