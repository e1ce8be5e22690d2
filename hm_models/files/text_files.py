"""Every text file that this project reads or writes: UTF-8, lines that end at `\\n` and nowhere else.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "samples.jsonl"
    >>> write_text(file, '{"pass": true}\\n')           # whole or not at all
    >>> [(line.number, line.value) for line in json_lines(file)]
    [(1, {'pass': True})]

A locale changes nothing. U+2028, U+0085 and a form feed are text, as JSON has them (RFC 8259), and so
no line ends there. What a reader cannot use is a `TextFileError`, which names the file and the line: a
byte-order mark, bytes that are no UTF-8, a last line that is cut off, JSON that is nested too deeply,
numbers with more digits than Python reads, half of a surrogate pair, lines beyond LONGEST.
"""

from __future__ import annotations

import dataclasses
import errno
import gzip
import json
import os
import re
import secrets
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from hm_models.errors import UsageError

GZIP = b"\x1f\x8b"  # RFC 1952
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Bytes of a line, and of a file that is read whole: more is no text of ours, and would fill the memory.
# A question with 1,000 samples of 32,000 tokens has some 256 MB.
LONGEST = 1 << 29
DRAFT = ".draft"  # ends the name of a hidden file that is not whole; one that is left is of a killed process
# What code raises that reads JSON of somebody else's and finds it otherwise than it should be.
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


class TextFileError(UsageError, ValueError):
    """A file that cannot be read as what it should be; the message names it, and the line."""


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of JSON.

    Attributes:
        number: from 1, as editors count.
        offset: bytes before it, in the file as it is unpacked.
        value: what it holds.
    """

    number: int
    offset: int
    value: Any


def is_own(file: Path, folder: Path) -> bool:
    """Whether a name in a folder is a file, and no link out of it: a folder of somebody else's may lead
    to files of the reader's, which would then be shown."""
    return file.is_file() and file.resolve().is_relative_to(folder.resolve())


def open_bytes(file: Path) -> BinaryIO:
    """A file's content, unpacked where it is gzip's, whatever its name."""
    opened = file.open("rb")
    try:
        packed = opened.read(len(GZIP)) == GZIP
        opened.seek(0)
    except BaseException:
        opened.close()
        raise
    if not packed:
        return opened
    opened.close()
    return cast(BinaryIO, gzip.open(file, "rb"))


def read_text(file: Path) -> str:
    """A whole file, with its line ends as they are.

    Raises:
        TextFileError: it begins with a byte-order mark, is no UTF-8, or longer than LONGEST.
        OSError: it cannot be read.
    """
    with open_bytes(file) as opened:
        content = _unpacked(file, opened.read)
    if len(content) > LONGEST:
        raise TextFileError(f"{file}: is longer than {LONGEST >> 20} MB.")
    lines = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        _decoded(line, file, number)
    return content.decode("utf-8")


def lines_of(file: Path) -> Iterator[tuple[int, int, str]]:
    """(number, offset in bytes, text without its end) of each line that is not blank.

    Raises:
        TextFileError: as for `read_text`, at the line where it is met.
        OSError: it cannot be read.
    """
    for number, offset, line in _raw_lines(file):
        yield number, offset, _decoded(line, file, number)


def _raw_lines(file: Path) -> Iterator[tuple[int, int, bytes]]:
    with open_bytes(file) as opened:
        number = offset = 0
        while line := _unpacked(file, opened.readline):
            number += 1
            if len(line) > LONGEST:
                raise TextFileError(f"{file}, line {number}: is longer than {LONGEST >> 20} MB.")
            if line.strip():
                yield number, offset, line.removesuffix(b"\n")
            offset += len(line)


def json_lines(file: Path, bad: list[str] | None = None) -> Iterator[Line]:
    """The lines of a JSON lines file, plain or packed by gzip.

    Args:
        bad: gets a sentence for each line that is no JSON, which is left out then.

    Raises:
        TextFileError: a line is no JSON, without `bad`; a last line that is cut off is called so. A
            damaged gzip or an endless line, in any case.
        OSError: it cannot be read.
    """
    for (number, offset, raw), is_last in _with_last(_raw_lines(file)):
        try:
            line = _line(file, number, offset, _decoded(raw, file, number), is_last)
        except TextFileError as error:
            if bad is None:
                raise
            bad.append(str(error))
        else:
            yield line


def json_at(file: Path, offsets: Sequence[int]) -> list[Any]:
    """What the lines hold that begin at these offsets (`Line.offset`).

    Raises:
        TextFileError, ValueError: the file has changed since.
        OSError: it cannot be read.
    """
    with open_bytes(file) as opened:
        found = []
        for offset in offsets:
            opened.seek(offset)
            found.append(parse_json(_unpacked(file, opened.readline)))
        return found


def _with_last(
    lines: Iterator[tuple[int, int, bytes]],
) -> Iterator[tuple[tuple[int, int, bytes], bool]]:
    waiting: tuple[int, int, bytes] | None = None
    for following in lines:
        if waiting:
            yield waiting, False
        waiting = following
    if waiting:
        yield waiting, True


def _line(file: Path, number: int, offset: int, text: str, is_last: bool) -> Line:
    try:
        return Line(number, offset, parse_json(text))
    except ValueError as error:
        cut = is_last and isinstance(error, json.JSONDecodeError) and _ends_early(error)
        what = "is cut off, as by a run that was killed: remove it" if cut else f"no JSON: {error}"
        raise TextFileError(f"{file}, line {number}: {what}.") from None


def _ends_early(error: json.JSONDecodeError) -> bool:
    return error.msg.startswith("Unterminated string") or error.pos >= len(error.doc.rstrip())


def parse_json(text: str | bytes) -> Any:
    """What a text of JSON holds.

    Raises:
        ValueError: it is no JSON, or holds what cannot be kept or written again; says which.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    try:
        value = json.loads(text)
        if _HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it holds half of a surrogate pair, which is no text") from None
    except json.JSONDecodeError:
        raise
    except ValueError:  # sys.get_int_max_str_digits
        raise ValueError("it holds a number with more digits than Python reads") from None
    return value


def read_json(file: Path) -> Any:
    """What a file of JSON holds.

    Raises:
        TextFileError: it is none.
        OSError: it cannot be read.
    """
    try:
        return parse_json(read_text(file))
    except TextFileError:
        raise
    except ValueError as error:
        raise TextFileError(f"{file}: no JSON: {error}.") from None


def write_text(file: Path, text: str) -> None:
    """Write a file whole or not at all; line ends are written as they are given."""
    write_bytes(file, text.encode("utf-8"))


def write_bytes(file: Path, content: bytes) -> None:
    """The same for bytes."""
    _write(file, [content])


def write_pieces(file: Path, pieces: Iterable[str]) -> None:
    """The same for a text that comes in pieces, of which one is in memory at a time."""
    _write(file, (piece.encode("utf-8") for piece in pieces))


def _write(file: Path, pieces: Iterable[bytes]) -> None:
    """Into a file beside it, which takes its name once it is on the disk, so that even a power cut leaves
    the old one or the new one."""
    draft = file.with_name(f".{file.name[:80]}.{secrets.token_hex(4)}{DRAFT}")
    try:
        with draft.open("xb") as opened:
            opened.writelines(pieces)
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(draft, file)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    to_disk(file.parent)


def to_disk(path: Path) -> None:
    """Wait until a file's content, or a folder's names, would survive a power cut; of a folder as far as
    its file system can: some of networks sync none, and one that may not be read cannot be opened."""
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.EACCES) or not path.is_dir():
            raise


def _unpacked(file: Path, read: Any) -> bytes:
    try:
        return read(LONGEST + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise TextFileError(f"{file}: its gzip is damaged or cut off ({error}).") from None


def _decoded(line: bytes, file: Path, number: int) -> str:
    if number == 1 and line.startswith(BYTE_ORDER_MARK):
        raise TextFileError(
            f"{file}, line 1: begins with a byte-order mark. Save it as UTF-8 without one."
        )
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TextFileError(
            f"{file}, line {number}: byte {error.start + 1} is no UTF-8. Save the file as UTF-8."
        ) from None
