"""Imports of common names, as the public checkers of APPS, TACO and LiveCodeBench put before programs.

Everything in these modules by its own name, then the modules, and numpy as `np`. Functions of these
data sets rely on it (`List` in starter code).
"""

from __future__ import annotations

_MODULES = ["string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random"]
_MODULES += ["statistics", "itertools", "functools", "operator", "io", "sys", "json"]
_LINES = [
    # What other modules have hidden of Python's own names is there again.
    *(f"from {name} import *" for name in [*_MODULES, "builtins", "typing"]),
    *(f"import {name}" for name in [*_MODULES, "time", "fractions"]),
    "import numpy as np",
]
CODE = compile("\n".join(_LINES), "<common imports>", "exec", dont_inherit=True)
