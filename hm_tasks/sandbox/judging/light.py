"""Which programs the light runner may run: those that cannot tell it from evalplus's process.

    >>> is_light("import math\\ndef f(x):\\n    return math.sqrt(x)\\n")
    True
    >>> is_light("import numpy as np\\ndef f(x):\\n    return np.sqrt(x)\\n")
    False

evalplus runs programs in a process with a thousand modules and 150 MB, of which a fork and its end
take ten milliseconds. Most programs use none of it, and what they do is the same in a process that has
loaded only what they can name (`hm_tasks.sandbox.inside.evalplus_process`). It is told by words, as a
text may be made to take a parser forever; whatever is in doubt runs beside everything. This keeps verdicts
evalplus's and nothing else: both runners are isolated alike.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Modules that evalplus's process has loaded, or loads (`statistics`) out of nothing but these.
MODULES = _words("""
array bisect cmath collections copy datetime decimal fractions functools heapq itertools math numbers
operator random re statistics string time typing
""")
# Names by which a program could look at the process, or load what is not in its text.
_TELLING = _words("""
compile copyright credits eval exec getattr globals help license locals modules os setattr sys vars
""")
_METHODS = _words("""
__abs__ __add__ __all__ __and__ __bool__ __call__ __contains__ __copy__ __deepcopy__ __delitem__ __doc__
__enter__ __eq__ __exit__ __float__ __floordiv__ __format__ __ge__ __getitem__ __gt__ __hash__ __iadd__
__index__ __init__ __int__ __invert__ __isub__ __iter__ __le__ __len__ __lshift__ __lt__ __main__
__mod__ __mul__ __name__ __ne__ __neg__ __new__ __next__ __or__ __pos__ __pow__ __radd__ __repr__
__reversed__ __rmul__ __round__ __rshift__ __rsub__ __setitem__ __slots__ __str__ __sub__ __truediv__
__xor__
""")
_WORD = re.compile(r"[A-Za-z_]\w*")
# An attribute with an underscore in front that is not the program's own.
_FOREIGN = re.compile(r"(?<!\bself)(?<!\bcls)\.[\s\\]*_(?!_\w+__\b)")
_NAMES = r"[A-Za-z]\w*(?: as \w+)?"
_IMPORTS = re.compile(r"\bimport\b")
_IMPORT = re.compile(
    rf"\s*(?:from (?P<of>[\w.]+) import (?:\*|\(?{_NAMES}(?:, ?{_NAMES})*,?\)?)"
    rf"|import (?P<names>{_NAMES}(?:, ?{_NAMES})*))\s*(?:#.*)?"
)


def is_light(program: str) -> bool:
    """Whether a program does in the light runner what it does beside everything."""
    if not program.isascii():  # Python takes letters of other alphabets for these
        return False
    words = set(_WORD.findall(program))
    methods = {word for word in words if word.startswith("__") and word.endswith("__")}
    if words & _TELLING or methods - _METHODS or _FOREIGN.search(program):
        return False
    lines = re.split(r"[\r\n;]", program) if "import" in words else ()
    return all(_imports_little(line) for line in lines if _IMPORTS.search(line))


def _imports_little(line: str) -> bool:
    found = _IMPORT.fullmatch(line)
    if found is None:
        return False
    names = [found["of"]] if found["of"] else found["names"].split(",")
    return all(name.split()[0].partition(".")[0] in MODULES for name in names)
