"""Programs made from a reference solution by small changes, the same ones every time."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable

COMPARISONS = [ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq]
ARITHMETIC = [ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Div, ast.Mod]
HEADS = [
    "import math",
    "import numpy as np",
    "from typing import List",
    "from __future__ import annotations",
    "import sys\nsys.setrecursionlimit(10**5)",
    "import collections, itertools, functools, heapq, re",
    "print('a')",
    "CACHE: Dict[int, int] = {}",
]


def mutated(solution: str, n: int, seed: str) -> list[str]:
    """n different programs; the first is the solution itself."""
    rng = random.Random(seed)
    found = {solution: None}
    for _ in range(50 * n):
        if len(found) == n:
            break
        tree = ast.parse(solution)
        for _ in range(rng.choice([1, 1, 2, 3])):
            rng.choice(CHANGES)(rng, tree)
        text = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
        if rng.random() < 0.2:
            text = f"{rng.choice(HEADS)}\n{text}"
        found[text] = None
    return list(found)


def _nodes(tree: ast.AST, *kinds: type) -> list:
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def _operator(rng: random.Random, tree: ast.AST) -> None:
    if nodes := _nodes(tree, ast.BinOp, ast.AugAssign):
        rng.choice(nodes).op = rng.choice(ARITHMETIC)()


def _comparison(rng: random.Random, tree: ast.AST) -> None:
    if nodes := _nodes(tree, ast.Compare):
        rng.choice(nodes).ops[0] = rng.choice(COMPARISONS)()


def _constant(rng: random.Random, tree: ast.AST) -> None:
    if nodes := [node for node in _nodes(tree, ast.Constant) if type(node.value) in (int, float)]:
        node = rng.choice(nodes)
        node.value = rng.choice([node.value + 1, node.value - 1, float(node.value), 0, 2])


def _boolean(rng: random.Random, tree: ast.AST) -> None:
    if nodes := _nodes(tree, ast.BoolOp):
        node = rng.choice(nodes)
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def _statement(rng: random.Random, tree: ast.AST) -> None:
    bodies = [node.body for node in _nodes(tree, ast.FunctionDef, ast.For, ast.If, ast.While)]
    if bodies := [body for body in bodies if len(body) > 1]:
        body = rng.choice(bodies)
        del body[rng.randrange(len(body))]


def _swap(rng: random.Random, tree: ast.AST) -> None:
    if nodes := [node for node in _nodes(tree, ast.Call) if len(node.args) > 1]:
        arguments = rng.choice(nodes).args
        arguments[0], arguments[1] = arguments[1], arguments[0]


def _result(rng: random.Random, tree: ast.AST) -> None:
    if nodes := [node for node in _nodes(tree, ast.Return) if node.value]:
        node = rng.choice(nodes)
        name = rng.choice(["list", "tuple", "str", "float", "set", "sorted", "bool", "int"])
        node.value = ast.Call(ast.Name(name, ast.Load()), [node.value], [])


def _annotation(rng: random.Random, tree: ast.AST) -> None:
    if nodes := _nodes(tree, ast.FunctionDef):
        names = ["int", "list", "List[int]", "'List[int]'", "Optional[str]", "np.ndarray"]
        text = ast.parse(rng.choice(names), mode="eval").body
        node = rng.choice(nodes)
        if node.args.args and rng.random() < 0.5:
            rng.choice(node.args.args).annotation = text
        else:
            node.returns = text


CHANGES: list[Callable[[random.Random, ast.AST], None]] = [
    _operator,
    _comparison,
    _constant,
    _boolean,
    _statement,
    _swap,
    _result,
    _annotation,
]
