"""Programs for HumanEval/53 (`add(x, y)`) that ask what process they run in, one line or more each.

Each is the head of a program whose function is right, unless it defines `add` itself: so it passes
where its head runs. `evalplus.evaluate` decides which do. None reads the clock or draws a number.
"""

from __future__ import annotations

import textwrap

FUNCTION = "def add(x: int, y: int):\n    return x + y\n"

# What annotations are: values that are computed, unless the program itself asks otherwise.
ANNOTATIONS = """
def helper(xs) -> List[int]: return xs
---
def helper(xs: Optional[int] = None): return xs
---
from typing import List
def helper(xs) -> List[int]: return xs
---
from __future__ import annotations
def helper(xs) -> List[int]: return xs
---
count: Undefined = 0
---
class Node:
    def __init__(self, next: Node = None): self.next = next
---
class Node:
    next: "Node" = None
---
from dataclasses import dataclass, fields
@dataclass
class Point:
    x: int = 0
assert fields(Point)[0].type is int
---
from dataclasses import dataclass
@dataclass
class Point:
    x: Number = 0
---
def helper(x: int): pass
assert helper.__annotations__ == {"x": int}
---
def helper(x: int): pass
assert helper.__annotations__ == {"x": "int"}
---
import inspect
def helper(x: int = 1): pass
assert inspect.signature(helper).parameters["x"].annotation is int
---
from typing import TypedDict
class Row(TypedDict):
    x: int
assert Row.__annotations__["x"] is int
---
from typing import NamedTuple
class Row(NamedTuple):
    x: int
assert Row.__annotations__["x"] is int
---
from functools import singledispatch
@singledispatch
def helper(x): return 0
@helper.register
def _(x: int): return 1
assert helper(2) == 1
---
exec("def helper(x: Missing): pass")
---
exec("def helper(x: int): pass"); assert helper.__annotations__ == {"x": int}
---
names = {}; exec(compile("def helper(x: int): pass", "m", "exec"), names)
assert names["helper"].__annotations__ == {"x": int}
---
def add(x: int, y: int) -> Tuple[int, int]:
    return x + y
---
def add(x: int, y: int):
    total: Undefined = x + y
    return total
---
def add(x, y):
    return eval("(lambda a, b: a + b)(x, y)", {"x": x, "y": y})
---
def add(x, y):
    names = {}
    exec("def inner(a: Missing, b): return a + b", names)
    return names["inner"](x, y)
---
import __future__
assert not compile("1", "m", "exec").co_flags & __future__.annotations.compiler_flag
"""

# What is loaded, and what evalplus has taken away by then.
IMPORTS = """
from multiprocessing import Pool
---
import multiprocessing as mp
N = mp.cpu_count()
---
from multiprocessing.pool import ThreadPool
with ThreadPool(2) as pool: assert pool.map(abs, [-1, 2]) == [1, 2]
---
from multiprocessing import Lock, Semaphore, Event, Condition, RLock, Barrier
with Lock(), RLock(), Semaphore(2), Condition(): pass
Event().set()
---
from multiprocessing import Queue
---
from multiprocessing import Queue
queue = Queue(); queue.put(1); assert queue.get() == 1
---
from multiprocessing import Value
number = Value("i", 0)
---
from multiprocessing import Pool
with Pool(2) as pool: pool.map(abs, [1])
---
from multiprocessing import Process
p = Process(target=print); p.start(); p.join()
---
import multiprocessing
assert multiprocessing.current_process().name == "MainProcess"
---
import multiprocessing
assert multiprocessing.parent_process() is None
---
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor() as pool: assert list(pool.map(abs, [-1])) == [1]
---
from concurrent.futures import ProcessPoolExecutor
---
from concurrent.futures import ProcessPoolExecutor
with ProcessPoolExecutor(2) as pool: pass
---
from concurrent.futures import ProcessPoolExecutor
with ProcessPoolExecutor(2) as pool: list(pool.map(abs, [1]))
---
import asyncio
assert asyncio.run(asyncio.sleep(0, 3)) == 3
---
import subprocess
---
import subprocess
subprocess.run(["true"])
---
import os
os.system("true")
---
import resource
---
import psutil
---
import joblib
---
import tkinter
---
import scipy.special
assert scipy.special.comb(5, 2) == 10
---
import pandas as pd
assert pd.DataFrame({"a": [1, 2]}).a.sum() == 3
---
import rich
---
import datasets
---
import pyarrow
---
import dill
assert dill.loads(dill.dumps(lambda: 1))() == 1
---
import sys
assert "numpy" in sys.modules and "pandas" in sys.modules
---
import sys
assert "scipy" not in sys.modules
---
import sys
assert "statistics" in sys.modules
---
import importlib
importlib.import_module("pan" + "das")
---
def add(x, y):
    import pandas as pd
    return int(pd.Series([x, y]).sum())
---
def add(x, y):
    import numpy as np
    return int(np.add(x, y))
---
import sys
assert not any(name.startswith("hm_tasks") for name in sys.modules)
---
import tempfile
file = tempfile.NamedTemporaryFile()
---
import tempfile
folder = tempfile.TemporaryDirectory()
---
import tempfile
folder = tempfile.mkdtemp()
---
import tempfile
file = tempfile.TemporaryFile(); file.write(b"a"); file.seek(0); assert file.read() == b"a"
---
from shutil import rmtree, move
---
import shutil
shutil.copy
---
import pathlib
pathlib.Path.cwd()
---
import pathlib
pathlib.Path("x.txt").write_text("a")
---
import os
os.path.abspath("x")
---
import os
assert os.listdir(".") == []
---
import os
os.mkdir("a"); assert os.listdir(".") == ["a"]
---
import os
os.remove("x")
---
import io
io.open("x.txt", "w").close()
---
open("x.txt", "w")
---
import ssl, sqlite3
sqlite3.connect(":memory:").execute("select 1")
---
import logging
logging.basicConfig(level=logging.INFO); logging.info("a")
---
import unittest
class T(unittest.TestCase):
    def test(self): self.assertEqual(1, 1)
---
import unittest
unittest.main()
---
import unittest
class T(unittest.TestCase):
    def test(self): self.assertEqual(1, 1)
unittest.main(argv=["x"], exit=False)
---
import doctest
doctest.testmod()
---
import pytest
---
import threading
thread = threading.Thread(target=print); thread.start(); thread.join()
---
import threading
assert threading.current_thread() is threading.main_thread() and threading.active_count() == 1
---
import ctypes
assert ctypes.sizeof(ctypes.c_int) == 4
---
import pickle
class A: pass
pickle.dumps(A())
---
import pickle
pickle.dumps(FUNCTION := len)
---
import locale
locale.setlocale(locale.LC_ALL, "")
---
import faulthandler
faulthandler.enable()
---
import decimal
assert decimal.getcontext().prec == 28
---
import warnings
warnings.warn("x")
---
import warnings
warnings.simplefilter("error"); warnings.warn("x")
"""

# Module-level code and what it finds: names, arguments, streams, depth.
MODULES = """
if __name__ == "__main__": raise SystemExit
---
if __name__ == "builtins": raise SystemExit
---
assert __name__ == "__main__"
---
print(__file__)
---
__doc__, __package__, __spec__, __loader__
---
import sys
if len(sys.argv) > 1: raise SystemExit
---
import argparse
argparse.ArgumentParser().parse_args()
---
import sys
n = int(sys.argv[1])
---
import sys
assert not sys.argv[0].endswith("runner.py")
---
import __main__
assert hasattr(__main__, "main") and __main__.__file__.endswith("evalplus.evaluate")
---
import __main__
__main__.Runner
---
import sys
def main(): return 0
sys.exit(main())
---
exit()
---
quit
---
help(len)
---
x = input()
---
import sys
data = sys.stdin.read()
---
import sys
for line in sys.stdin: pass
---
import sys
sys.stdin.buffer
---
import sys
sys.stdout.write("a"); sys.stderr.write("b"); sys.stdout.flush()
---
import sys
sys.stdout.buffer.write(b"a")
---
import sys
sys.stdout.reconfigure(encoding="utf8")
---
import sys
sys.stdout.fileno()
---
import sys
sys.__stdout__.write("a")
---
import sys
sys.__stdin__.read()
---
import os
os.read(0, 10)
---
import sys
sys.setrecursionlimit(10**6)
---
import sys
assert sys.getrecursionlimit() == 1000
---
def down(n): return n and down(n - 1)
down(900)
---
def down(n): return n and down(n - 1)
down(960)
---
def down(n): return n and down(n - 1)
down(970)
---
def down(n): return n and down(n - 1)
def add(x, y):
    down(964)
    return x + y
---
def down(n): return n and down(n - 1)
def add(x, y):
    down(968)
    return x + y
---
def down(n):
    try: return down(n + 1)
    except RecursionError: return n
assert down(0) == {load}
---
def down(n):
    try: return down(n + 1)
    except RecursionError: return n
def add(x, y):
    assert down(0) == {call}
    return x + y
---
class Deep:
    def __init__(self, n): self.inner = Deep(n - 1) if n else None
Deep(480)
---
class Deep:
    def __init__(self, n): self.inner = Deep(n - 1) if n else None
Deep(970)
---
import functools
@functools.lru_cache(None)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
fib(300)
---
import functools
@functools.lru_cache(None)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
fib(490)
---
deep = eval("[" * 90 + "]" * 90)
---
deep = eval("[" * 300 + "]" * 300)
---
import ast
ast.parse("-" * 500 + "1")
---
import inspect
def g(): pass
inspect.getsource(g)
---
import inspect
inspect.currentframe().f_back
---
import signal
signal.signal(signal.SIGALRM, signal.SIG_DFL)
---
import signal
signal.alarm(0)
---
import builtins
builtins.print = lambda *a, **k: None
---
global foo
foo = 1
---
import gc
gc.collect()
---
return_value = yield_ = 1
yield 1
---
x = 10 ** 5000
print(x)
---
x = 10 ** 5000
def add(x_, y): return x_ + y + x - x
---
x = 1{zeros}
---
﻿x = 1
---
x = "\\ud800"
---
# -*- coding: latin-1 -*-
x = "é"
assert len(x) == 1
---
import os
H = os.environ["HOME"]
---
import os
assert os.environ["OMP_NUM_THREADS"] == "1"
---
import os
os.environ["A"] = "b"
---
import time
time.sleep(0.01)
---
assert 0
---
1 / 0
---
def add(x, y): return x - y
---
def plus(x, y): return x + y
del add
---
add = lambda x, y: x + y
---
class Solution:
    def add(self, x, y): return x + y
add = None
---
class Solution:
    def add(self, x, y): return x + y
add = Solution().add
---
def add(x, y, *, z): return x + y
---
def add(x, y): yield x + y
---
async def add(x, y): return x + y
---
def add(x, y): return float(x + y)
---
def add(x, y): return True if x + y == 1 else x + y
---
def add(x, y):
    print(x); return x + y
---
def add(x, y): return input() or x + y
---
def add(x, y): exit()
---
def add(x, y): raise SystemExit(0)
---
import os
def add(x, y): os._exit(0)
---
import os
def add(x, y): return os.getcwd() and x + y
"""


def programs(load: int = 0, call: int = 0) -> list[str]:
    """All of them.

    Args:
        load, call: how deep a function may call itself where evalplus loads and calls a program.
    """
    found = []
    for group in (ANNOTATIONS, IMPORTS, MODULES):
        for head in group.strip("\n").split("\n---\n"):
            for name, value in (("load", load), ("call", call), ("zeros", "0" * 5000)):
                head = head.replace(f"{{{name}}}", str(value))
            found.append(head + "\n" if _defines(head) else f"{head}\n{FUNCTION}")
    return found


def _defines(head: str) -> bool:
    return any(
        line.startswith(("def add(", "async def add(", "add =")) for line in head.split("\n")
    )


def importing(names: list[str]) -> list[str]:
    """For each module a program that loads it first, and one whose function does."""
    inside = textwrap.dedent(
        """
        def add(x: int, y: int):
            import {0}
            return x + y if {0} else None
        """
    )
    return [
        text
        for name in names
        for text in (f"import {name}\n{FUNCTION}", inside.format(name).lstrip())
    ]
