"""What the public checkers of APPS, TACO and LiveCodeBench put before a program: imports of common names.

Everything of these modules by its own name, then the modules themselves, as far as they were not hidden,
and numpy as `np`. Functions of these data sets rely on it (`List` in starter code).
"""

from __future__ import annotations

_NAMES_OF = ["string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics", "itertools", "functools", "operator", "io", "sys", "json", "builtins", "typing"]
_MODULES = [name for name in _NAMES_OF if name not in ("builtins", "typing")] + ["time", "fractions"]

_LINES = [
    *(f"from {name} import *" for name in _NAMES_OF),
    *(f"import {name}" for name in _MODULES),
    "import numpy as np",
]
CODE = compile("\n".join(_LINES), "<common imports>", "exec", dont_inherit=True)
