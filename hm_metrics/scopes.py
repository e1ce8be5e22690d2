"""Which scope of a Python program binds a name: the rules of the language, over a syntax tree.

Source: the Python reference, section 4.2 (naming and binding). Used by `hm_metrics.programs`.

    >>> module = ast.parse("import math\\ndef area(r): return math.pi * r")
    >>> scope = Scope(module, None)
    >>> sorted(scope.bound), scope.home_of("print")
    (['area', 'math'], None)
"""

from __future__ import annotations

import ast
from collections import Counter
from typing import TypeAlias

Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda"
NAMED_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
OPENING = (*NAMED_FUNCTIONS, ast.Lambda, *COMPREHENSIONS, ast.ClassDef)
# The field that holds a bound name, beside ast.Name and imports.
NAME_FIELDS: dict[type[ast.AST], str] = {
    ast.arg: "arg",
    ast.FunctionDef: "name",
    ast.AsyncFunctionDef: "name",
    ast.ClassDef: "name",
    ast.ExceptHandler: "name",
    ast.MatchAs: "name",
    ast.MatchStar: "name",
    ast.MatchMapping: "rest",
}


class Scope:
    """The names bound in one module, class, function or comprehension.

    Attributes:
        bound: the names.
        parameters: those of them that are parameters.
        functions: functions defined here under a name that nothing else binds here.
    """

    def __init__(self, node: ast.AST, parent: Scope | None) -> None:
        self.parent = parent
        self.is_class = isinstance(node, ast.ClassDef)
        self._node = node
        self._times: Counter[str] = Counter()
        self._global: set[str] = set()
        self._nonlocal: set[str] = set()
        functions: dict[str, Function] = {}
        for child in inner_children(node):
            self._collect(child, functions)
        self.bound = set(self._times) - self._global - self._nonlocal
        if parent is None:  # a `global` further in may be the only one to bind a name here
            self.bound |= {
                name for n in ast.walk(node) if isinstance(n, ast.Global) for name in n.names
            }
        self.functions = {name: f for name, f in functions.items() if self._times[name] == 1}
        is_function = isinstance(node, (*NAMED_FUNCTIONS, ast.Lambda))
        self.parameters = {p.arg for p in parameters_of(node)} if is_function else set()

    def home_of(self, name: str) -> Scope | None:
        """The scope that binds a name as seen from here; None for names from outside."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope._global:
                return self._module
            if name in scope.bound and (scope is self or not scope.is_class):
                return scope
            scope = scope.parent
        return None

    @property
    def _module(self) -> Scope:
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def _collect(self, node: ast.AST, functions: dict[str, Function]) -> None:
        if isinstance(node, ast.Global):
            self._global.update(node.names)
        elif isinstance(node, ast.Nonlocal):
            self._nonlocal.update(node.names)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            self._times[node.id] += 1
        elif isinstance(node, ast.alias):
            if is_renamable(node):
                self._times[node.asname or node.name] += 1
        elif type(node) in NAME_FIELDS and (name := getattr(node, NAME_FIELDS[type(node)])):
            self._times[name] += 1
            if isinstance(node, NAMED_FUNCTIONS):
                functions[name] = node
        in_comprehension = isinstance(self._node, COMPREHENSIONS)
        if isinstance(node, COMPREHENSIONS) and not in_comprehension:
            # What `:=` binds inside of it, it binds here.
            found = [n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr)]
            self._times.update(found)
        if isinstance(node, ast.NamedExpr) and in_comprehension:
            self._collect(node.value, functions)
            return
        for child in outer_children(node):
            self._collect(child, functions)


def is_renamable(node: ast.alias) -> bool:
    """Whether an import binds one name of its own: not `import a.b`, nor `from a import *`."""
    return node.name != "*" and (node.asname is not None or "." not in node.name)


def inner_children(node: ast.AST) -> list[ast.AST]:
    """What of a node that opens a scope lies inside that scope."""
    if isinstance(node, ast.Lambda):
        return [*parameters_of(node), node.body]
    if isinstance(node, NAMED_FUNCTIONS):
        return [*parameters_of(node), *node.body]
    if isinstance(node, ast.ClassDef):
        return list(node.body)
    if isinstance(node, COMPREHENSIONS):
        inside: list[ast.AST] = []
        for number, loop in enumerate(node.generators):
            # The first iterable is evaluated outside.
            inside += [loop.target, *([loop.iter] if number else []), *loop.ifs]
        results = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        return [*inside, *results]
    return list(ast.iter_child_nodes(node))


def outer_children(node: ast.AST) -> list[ast.AST]:
    """What of a node lies in the scope around it: all of it, unless it opens a scope of its own."""
    if not isinstance(node, OPENING):
        return list(ast.iter_child_nodes(node))
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *node.keywords]
    if isinstance(node, COMPREHENSIONS):
        return [node.generators[0].iter]
    defaults = [value for value in (*node.args.defaults, *node.args.kw_defaults) if value]
    return [*([] if isinstance(node, ast.Lambda) else node.decorator_list), *defaults]


def parameters_of(node: ast.AST) -> list[ast.arg]:
    """All parameters of a function, in the order of the language."""
    assert isinstance(node, (*NAMED_FUNCTIONS, ast.Lambda))
    found = node.args
    several = [*found.posonlyargs, *found.args, found.vararg, *found.kwonlyargs, found.kwarg]
    return [parameter for parameter in several if parameter]
