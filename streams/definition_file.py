"""A definition file as people write it: YAML by the 1.2 core schema, read to plain data.

No implicit dates, no yes and no; a key given twice, a tag of one's own, a second document or aliases that
stand for too much are refused, each with its line and column.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from schemas.errors import InputError
from streams.list_files import read_list_file
from streams.segmentation import Definitions, compile_definitions

MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 100
MAX_NODES = 1_000_000

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_STANDARD_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq", "null", "bool", "int", "float", "timestamp", "merge")
)


def read_definitions(path: Path) -> Definitions:
    """The definitions in a file, with the lists that lie beside it. Raises `InputError` with all that is wrong."""
    return compile_definitions(load_definition_file(path), lambda name: read_list_file(path.parent / name))


def load_definition_file(path: Path) -> Any:
    """The plain data in a YAML (or JSON) file. Raises `InputError` naming file, line and column."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: expected a definition file that can be read: {error.strerror}") from None
    if len(raw) > MAX_FILE_BYTES:
        raise InputError(f"{path}: expected at most {MAX_FILE_BYTES} bytes, found {len(raw)}")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected UTF-8; byte {error.start} is none") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> Any:
    """The plain data of one YAML document; `name` is how errors call it."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{mark.line + 1}:{mark.column + 1}: " if mark is not None else ""
        raise InputError(f"{name}:{place}expected YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{name}: expected YAML: {error}") from None
    except RecursionError:
        raise InputError(f"{name}: expected at most {MAX_DEPTH} levels of nesting") from None
    finally:
        loader.dispose()
    if node is None:
        raise InputError(f"{name}: expected definitions, found an empty file")
    return _Reader(name).plain(node)


class _Reader:
    """Turns nodes into plain data. Aliases are followed, within a bound on all that they stand for."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._left = MAX_NODES

    def plain(self, node: yaml.Node, depth: int = 0) -> Any:
        self._left -= 1
        if self._left < 0:
            raise _error(node, self._name, f"expected at most {MAX_NODES} values, aliases written out")
        if depth > MAX_DEPTH:
            raise _error(node, self._name, f"expected at most {MAX_DEPTH} levels of nesting")
        if node.tag not in _STANDARD_TAGS:
            raise _error(node, self._name, f"expected no tag, found {node.tag}")
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, depth + 1) for item in node.value]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        assert isinstance(node, yaml.ScalarNode), "YAML has three kinds of nodes"
        return node.value if node.style is not None else _scalar(node, self._name)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[Any, Any]:
        mapping: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.plain(key_node, depth + 1)
            if isinstance(key, list | dict):
                raise _error(key_node, self._name, "expected a plain key")
            if key in mapping:
                raise _error(key_node, self._name, f"the key {key!r} is given twice")
            mapping[key] = self.plain(value_node, depth + 1)
        return mapping


def _error(node: yaml.Node, name: str, text: str) -> InputError:
    return InputError(f"{name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}: {text}")


def _scalar(node: yaml.ScalarNode, name: str) -> Any:
    text: str = node.value
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text) and len(text) <= 20:
        return int(text)
    if _OCTAL.fullmatch(text) or _HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        raise _error(node, name, f"expected a finite number, found {text}")
    return text
