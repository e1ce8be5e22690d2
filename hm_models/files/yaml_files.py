"""YAML that a user gives us (a recipe, a sweep), read within bounds that no honest file comes near.

    >>> parse_yaml("alphas: [0, 0.5, 1]")           # plain values: dicts, lists, text, numbers, dates
    {'alphas': [0, 0.5, 1]}

Aliases make a file of a few lines stand for billions of values, and whatever goes through them later
never ends. So what a file stands for is counted before anything is built of it.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import yaml

from hm_models.files.text_files import TextFileError, read_text

# A sweep of a hundred pairs has some thousand values.
MOST_BYTES = 500_000
MOST_VALUES = 100_000


def read_yaml(file: Path) -> Any:
    """What a YAML file holds, with no other types than YAML's own.

    Raises:
        TextFileError: it is no file of text, no YAML, larger than any such file is, or says one key
            twice.
        OSError: it cannot be read.
    """
    status = file.stat()
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):  # which may never end
        raise TextFileError(f"{file}: this is a device or a pipe, and no file.")
    if status.st_size > MOST_BYTES:
        raise TextFileError(f"{file}: it has more than {MOST_BYTES:,} bytes, as no such file has.")
    text = read_text(file)
    try:
        return parse_yaml(text)
    except ValueError as error:
        raise TextFileError(f"{file}: {error}.") from None


def parse_yaml(text: str) -> Any:
    """What a text of YAML holds. Raises ValueError, which says why it cannot be read."""
    try:
        loader = yaml.SafeLoader(text)
        document = loader.get_single_node()
        if document is None:
            return None
        _Count().of(document)
        return loader.construct_document(document)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except Exception as error:  # PyYAML lets through what its constructors meet (`!!int ''`)
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from None


class _Count:
    """How many values nodes stand for once their aliases are written out."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}
        self._open: set[int] = set()

    def of(self, node: yaml.Node) -> int:
        if id(node) in self._open:
            raise ValueError(f"an alias stands for what holds it ({_place(node)})")
        if id(node) not in self._known:
            self._open.add(id(node))
            self._known[id(node)] = 1 + sum(map(self.of, _parts(node)))
            self._open.remove(id(node))
        if (count := self._known[id(node)]) > MOST_VALUES:
            raise ValueError(f"its aliases stand for more than {MOST_VALUES:,} values")
        return count


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return node.value
    if not isinstance(node, yaml.MappingNode):
        return []
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                raise ValueError(f"{key.value!r} stands there twice ({_place(key)})")
            seen.add(key.value)
    return [part for pair in node.value for part in pair]


def _place(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"
