"""Programs without their names and layout: how many different ones are there?

Two programs are one if their syntax trees agree after every name that a program binds itself
(functions, parameters, variables, imported names) is replaced by the order in which it appears, scope
by scope. Comments, layout, docstrings and the type hints of functions do not count. Names from outside
do: builtins, modules, attributes, what a class defines, and the function that is asked for. So programs
that are one behave alike; programs that are not may still behave alike.

    >>> canonical("def f(xs): return sum(xs)") == canonical("def g(a):\\n    return sum(a)  # all")
    True
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

from hm_metrics.scopes import (
    NAME_FIELDS,
    NAMED_FUNCTIONS,
    OPENING,
    Scope,
    inner_children,
    is_renamable,
    outer_children,
)

_DOCUMENTED = (ast.Module, ast.ClassDef, *NAMED_FUNCTIONS)
Act: TypeAlias = Callable[[ast.AST, Scope], None]
# Programs that use these may find their own names by text, so theirs are kept.
_REFLECTIVE = {"eval", "exec", "locals", "globals", "vars", "compile"}


@lru_cache(maxsize=100_000)  # the same samples are counted several times
def canonical(program: str, entry_point: str = "") -> str:
    """Text that is equal for two programs if they differ in names and layout alone.

    What does not parse is compared word by word.

    Args:
        entry_point: the function that the program is asked for, whose name others know.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as escapes that a future Python refuses
            tree = ast.parse(program)
        nodes = list(ast.walk(tree))
        _drop_what_does_not_run(nodes)
        if not any(isinstance(node, ast.Name) and node.id in _REFLECTIVE for node in nodes):
            has_keywords = any(isinstance(node, ast.keyword) for node in nodes)
            _Renamer(tree, has_keywords, entry_point)
        return ast.dump(tree, annotate_fields=False)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "unparsed: " + " ".join(program.split())


def bare(program: str) -> str:
    """The program in one layout, without comments, docstrings and type hints; its names are kept.

    What does not parse stays as it is.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(program)
        _drop_what_does_not_run(list(ast.walk(tree)))
        return ast.unparse(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return program


def _drop_what_does_not_run(nodes: list[ast.AST]) -> None:
    for node in nodes:
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.Constant):
            node.kind = None  # u"..." is "..."
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, NAMED_FUNCTIONS):
            node.returns = None


class _Renamer:
    """Writes canonical names into a tree: numbers, in the order in which names appear."""

    def __init__(self, tree: ast.Module, has_keywords: bool, entry_point: str) -> None:
        self._entry_point = entry_point
        self._scopes: dict[ast.AST, Scope] = {}
        self._names: dict[tuple[Scope, str], str] = {}
        # Parameters that some call may name without our knowing which function it reaches.
        self._kept: set[str | None] = set()
        module = self._scope(tree, None)
        if has_keywords:
            self._walk(tree, module, self._keep_unknown_keywords)
        self._walk(tree, module, self._rename)

    def _walk(self, node: ast.AST, scope: Scope, act: Act) -> None:
        """Act on every node below `node`, each with the scope that it lies in."""
        for child in inner_children(node) if node in self._scopes else outer_children(node):
            act(child, scope)
            if isinstance(child, OPENING):
                for outside in outer_children(child):
                    act(outside, scope)
                    self._walk(outside, scope, act)
                self._walk(child, self._scope(child, scope), act)
            else:
                self._walk(child, scope, act)

    def _scope(self, node: ast.AST, parent: Scope | None) -> Scope:
        if node not in self._scopes:
            self._scopes[node] = Scope(node, parent)
        return self._scopes[node]

    def _called(self, call: ast.Call, scope: Scope) -> Scope | None:
        """The scope of the function that a call reaches, where that can be known."""
        if not isinstance(call.func, ast.Name):
            return None
        home = scope.home_of(call.func.id)
        function = home.functions.get(call.func.id) if home and not home.is_class else None
        return self._scope(function, home) if function else None

    def _keep_unknown_keywords(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, ast.Call):
            called = self._called(node, scope)
            self._kept |= {
                keyword.arg
                for keyword in node.keywords
                if called is None or keyword.arg not in called.parameters
            }

    def _rename(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, ast.Name):
            node.id = self._canonical(node.id, scope)
        elif isinstance(node, ast.alias) and is_renamable(node):
            node.asname = self._canonical(node.asname or node.name, scope)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            node.names = [self._canonical(name, scope) for name in node.names]
        elif isinstance(node, ast.Call) and (called := self._called(node, scope)):
            for keyword in node.keywords:
                if keyword.arg in called.parameters:
                    keyword.arg = self._canonical(keyword.arg, called)
        elif type(node) in NAME_FIELDS and (name := getattr(node, NAME_FIELDS[type(node)])):
            setattr(node, NAME_FIELDS[type(node)], self._canonical(name, scope))

    def _canonical(self, name: str, scope: Scope) -> str:
        home = scope.home_of(name)
        # What a class defines is reached as an attribute; None stands for `**`, which may name any.
        if home is None or home.is_class:
            return name
        if name in home.parameters and (name in self._kept or None in self._kept):
            return name
        if name == self._entry_point and home.parent is None:
            return name
        # No number is a name, so nothing that is kept can be mistaken for one.
        return self._names.setdefault((home, name), str(len(self._names)))
