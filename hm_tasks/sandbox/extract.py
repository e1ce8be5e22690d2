r"""The program inside a model's text: evalplus 0.3.1's `sanitize`, with a faster search.

>>> text = "Here it is:\n```python\ndef inc(x):\n    return x + 1\n```\nIt adds one."
>>> print(extract_program(text, "inc"))
def inc(x):
    return x + 1

evalplus's `code_extract` parses every stretch of a text's lines and keeps the one with the most
filled lines (the first of equals). Here the same stretch is found with few parses; all that follows
is evalplus's own code. Four facts about Python's parser say which stretches need no parse:

1. Where it fails before the end of its input, it fails as well on every longer input. CPython 3.11
   and newer tell this from "incomplete input", where more lines could still help.
2. A stretch that ends inside a bracket or a triple-quoted string never parses.
3. Two programs, one below the other, are a program.
4. Blank and comment lines at the top change nothing.
"""

from __future__ import annotations

import ast
import codeop
import re
import types
import warnings
from itertools import accumulate
from typing import Any

VALID, OPEN, DEAD = "valid", "open", "dead"  # parses; could with more lines; never will

_INCOMPLETE = getattr(codeop, "PyCF_ALLOW_INCOMPLETE_INPUT", 0)  # Python 3.10 has none
_UNCLOSED = re.compile(r"'[(\[{]' was never closed$|unterminated triple-quoted string literal ")
_EMPTY = re.compile(r"[ \t\f]*(#[^\r\0]*)?\r?")
_INDENTED = re.compile(r"[ \t]+[^\s#\\]")
_TOKEN = re.compile(r"\w+|[^\w\s]")

# A syntax tree is less deep than its text has tokens, and no Python gives up on one this shallow.
_SHALLOW = 900

# Characters that are parsed at most, beside so many times the text's own; a parse counts for some more.
# A model's answer takes a few times its length, so what is beyond is made to take long.
_WORK, _TIMES, _PARSE = 1_000_000, 100, 500

# Old escapes in models' texts make the parser warn. The name is nobody else's, so nobody else's
# warnings are lost.
_NAME = "<text of a model>"
warnings.filterwarnings("ignore", module=re.escape(_NAME))

_last: tuple[str, str] = ("", "")


class TooMuchWork(ValueError):
    """A text in which looking for a program takes too long."""


def extract_program(text: str, entry_point: str) -> str:
    """Return the longest stretch of valid Python, cut down to what `entry_point` needs.

    The text is evalplus's `sanitize(text, entry_point)`; empty where Python's own parser gives up
    on the text (lone surrogates, nesting beyond its limits), and where that would take too long.
    """
    import evalplus.sanitize

    # Its functions with one name bound to ours: a module changed in place would change for others.
    names = vars(evalplus.sanitize) | ({"code_extract": longest_stretch} if _INCOMPLETE else {})
    for name in ("extract_target_code_or_empty", "sanitize"):
        theirs = names[name]
        names[name] = types.FunctionType(theirs.__code__, names, name, theirs.__defaults__)
    try:
        return names["sanitize"](text, entry_point)
    except (ValueError, RecursionError, MemoryError):
        return ""


def longest_stretch(text: str) -> str:
    """Return what evalplus's `code_extract(text)` returns, or raise what it raises.

    Raises:
        TooMuchWork: where evalplus would go on for hours.
    """
    global _last
    known, answer = _last
    if text == known:  # `sanitize` asks twice where nothing is left of the program
        return answer
    stretches = _Stretches(text)
    lines = stretches.lines
    if len(lines) > 1 and ("\0" in text or not text.isascii()):
        stretches.parse(0, len(lines) - 1)  # raises for what is no text, wherever it is
    most, found = 0, (0, 0)
    beaten = bytearray(len(lines) + 1)  # starts whose every stretch loses to an earlier start's
    for first in range(len(lines) - 1):
        if stretches.cannot_win(first, len(lines) - 1, most):
            break
        if stretches.empty[first]:
            beaten[first + 1] = True  # fact 4
        if beaten[first]:
            continue
        longest = stretches.last_valid(first, most)
        if longest is None:
            continue
        last, tree = longest
        # Fact 3: what starts where a statement of ours has ended and goes on beyond `last` would
        # make ours go on as well.
        ends = {first + (node.end_lineno or 0) - 1 for node in tree.body} if tree else set()
        for line in ends | {last} if stretches.countable else {last}:
            if not lines[line].endswith(("\\", "\\\r")):
                beaten[line + 1] = True
        if stretches.filled[last + 1] - stretches.filled[first] > most:
            most = stretches.filled[last + 1] - stretches.filled[first]
            shortest = last
            while shortest > first + 1 and not lines[shortest].strip():
                shortest -= 1
            while shortest < last and stretches.parse(first, shortest)[0] != VALID:
                shortest += 1
            found = (first, shortest)
    answer = "\n".join(lines[found[0] : found[1] + 1])
    _last = (text, answer)
    return answer


class _Stretches:
    """The stretches of a text's lines, from a first to a last line, both counted from 0.

    The parser's limit on nesting counts the frames of its callers too. `parse` is called from as
    deep as evalplus calls it (`longest_stretch`, `last_valid`, `parse`), so it gives up alike.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.split("\n")
        self.filled = [0, *accumulate(bool(line.strip()) for line in self.lines)]
        self.empty = [bool(_EMPTY.fullmatch(line)) for line in self.lines]
        # A carriage return by itself ends a line for Python, so its line numbers are not ours.
        self.countable = "\r" not in text.replace("\r\n", "\n")
        self._offsets = [0, *accumulate(len(line) + 1 for line in self.lines)]
        self._dead_alone: dict[str, bool] = {}
        self._work_left = _WORK + _TIMES * len(text)
        self._tokens: list[int] | None = None
        if len(text) >= _SHALLOW and len(_TOKEN.findall(text)) >= _SHALLOW:
            self._tokens = [0, *accumulate(len(_TOKEN.findall(line)) for line in self.lines)]

    def cannot_win(self, first: int, last: int, most: int) -> bool:
        """Whether no stretch from `first` up to `last` has over `most` filled lines, or could raise."""
        if self.filled[last + 1] - self.filled[first] > most:
            return False
        return self._tokens is None or self._tokens[last + 1] - self._tokens[first] < _SHALLOW

    def last_valid(self, first: int, most: int) -> tuple[int, ast.Module | None] | None:
        """The last line of the longest stretch from `first` that parses, and its tree if at hand.

        None where there is no such stretch of two lines or more, or none that can win.
        """
        head = first
        while head < len(self.lines) and self.empty[head]:
            head += 1
        if head == len(self.lines) or self._is_dead_alone(self.lines[head]):
            return (head - 1, None) if head - 1 > first else None

        seen: dict[int, tuple[str, Any]] = {}
        last = len(self.lines) - 1
        while last > first and not self.cannot_win(first, last, most):
            state, detail = seen.get(last) or self.parse(first, last)
            if state == VALID:
                return last, detail
            if state == OPEN:
                last = self._before_unclosed(first, last)
                continue
            # Fact 1: look for the first line that makes it dead, by the error's line if that helps.
            alive, dead, guess = head, last, detail
            while dead - alive > 1 and not self.cannot_win(first, dead - 1, most):
                probe = guess if alive < guess < dead else (alive + dead) // 2
                seen[probe] = state, detail = self.parse(first, probe)
                if state == DEAD:
                    dead, guess = probe, min(detail, probe - 1)
                else:
                    alive, guess = probe, -1
            last = dead - 1
        return None

    def parse(self, first: int, last: int) -> tuple[str, Any]:
        """The state of a stretch, with its tree if it is VALID and the error's line if DEAD."""
        source = self._source(first, last)
        try:
            return VALID, compile(source, _NAME, "exec", ast.PyCF_ONLY_AST | _INCOMPLETE, True)
        except SyntaxError as error:
            if error.msg == "incomplete input":
                return OPEN, None
            return DEAD, first + (error.lineno or 1) - 1
        except MemoryError:  # the parser's own stack is full, and not for want of more lines
            return DEAD, first

    def _before_unclosed(self, first: int, last: int) -> int:
        """The next shorter end worth a look, for a stretch that is OPEN (fact 2)."""
        source = self._source(first, last)
        try:
            compile(source, _NAME, "exec", ast.PyCF_ONLY_AST, True)
        except SyntaxError as error:
            if self.countable and error.lineno and _UNCLOSED.match(error.msg):
                return min(last, first + error.lineno - 1) - 1
        except MemoryError:  # while it looked for the reason
            pass
        return last - 1

    def _source(self, first: int, last: int) -> str:
        source = self.text[self._offsets[first] : self._offsets[last + 1] - 1]
        self._work_left -= len(source) + _PARSE
        if self._work_left < 0:
            raise TooMuchWork(
                f"looking for a program in {len(self.text)} characters takes too long"
            )
        return source

    def _is_dead_alone(self, line: str) -> bool:
        if line not in self._dead_alone:
            self._dead_alone[line] = bool(_INDENTED.match(line)) or self._fails(line)
        return self._dead_alone[line]

    @staticmethod
    def _fails(line: str) -> bool:
        try:
            compile(line, _NAME, "exec", ast.PyCF_ONLY_AST | _INCOMPLETE, True)
        except SyntaxError as error:
            return error.msg != "incomplete input"
        except MemoryError:
            return True
        except RecursionError:  # it parses; that more lines do, too, is not said
            return False
        return False
