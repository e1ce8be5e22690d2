"""Messages between the processes that score: one byte of kind, eight of length, then the content.

>>> stream, message = Stream(max_bytes=100), HEAD.pack(OUTPUT, 3) + b"abc"
>>> stream.feed(message[:5])
[]
>>> stream.feed(message[5:] + message)  # in whatever pieces it comes
[(b'O', b'abc'), (b'O', b'abc')]
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable

HEAD = struct.Struct("<cQ")
# What the judge sends ...
SETTINGS, PROBLEM, RUN, REFERENCE, PROGRAM, STOP = b"S", b"P", b"R", b"C", b"Q", b"X"
# ... what the runner answers: a piece of the program's own stream, and that the program is gone ...
PIECE, END = b"D", b"E"
# ... with the seconds that it computed and that passed on the wall, whether it was ended for that, and
# whether all that it left behind could be removed ...
ENDED = struct.Struct("<dd??")
# ... and what is in that stream: the function is there, one output, an exception's name, or that a
# time limit has struck, whatever the program makes of it.
LOADED, OUTPUT, RAISED, LATE = b"L", b"O", b"F", b"A"
# What is asked of a judge beside taking a PROBLEM: verdicts on texts.
JUDGE = b"J"


class Closed(EOFError):
    """The other side is gone."""


def write_frame(descriptor: int, kind: bytes, content: bytes = b"") -> None:
    """Write one message to a pipe, however long it is."""
    for part in (HEAD.pack(kind, len(content)), content):
        left = memoryview(part)
        while left:
            left = left[os.write(descriptor, left) :]


def read_frame(
    descriptor: int, wait: Callable[[], object] = bool, most: int = sys.maxsize
) -> tuple[bytes, bytes]:
    """Read one message of a process that is trusted to keep to the form. Raises Closed.

    Args:
        wait: returns when there is something to read; it may raise, where a message has begun and
            whoever writes it was stopped.
        most: bytes of content beyond which nothing is read, as if the other side were gone.
    """
    kind, length = HEAD.unpack(_read(descriptor, HEAD.size, wait))
    if length > most:
        raise Closed
    return kind, _read(descriptor, length, wait)


def _read(descriptor: int, length: int, wait: Callable[[], object]) -> bytes:
    parts = []
    while length:
        wait()
        part = os.read(descriptor, min(length, 1 << 20))
        if not part:
            raise Closed
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


class Stream:
    """Messages cut out of a stream that a program may have written anything into.

    Args:
        max_bytes: content of one message beyond which the stream is not followed any more.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def feed(self, piece: bytes) -> list[tuple[bytes, bytes]]:
        """Take a piece and return the messages that are complete.

        Raises:
            ValueError: no stream of messages, or one that is too long.
        """
        self._buffer += piece
        found = []
        while len(self._buffer) >= HEAD.size:
            kind, length = HEAD.unpack_from(self._buffer)
            if kind not in (LOADED, OUTPUT, RAISED, LATE) or length > self._max_bytes:
                raise ValueError("the program wrote into the stream of results")
            end = HEAD.size + length
            if len(self._buffer) < end:
                break
            found.append((kind, bytes(self._buffer[HEAD.size : end])))
            del self._buffer[:end]
        return found
