"""A YAML file as plain data, and where each of its values stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

import yaml

from streams.definition_file import load_definition_file
from streams.scenarios.findings import Path


def read_positioned(path: FilePath) -> tuple[Any, dict[Path, tuple[int, int]]]:
    """The data, and the line and column of each path, from 1; a key stands for its value."""
    data = load_definition_file(path)
    node = yaml.compose(path.read_text(), yaml.SafeLoader)
    assert node is not None, "an empty file was refused"
    return data, dict(_positions(node, ()))


def _positions(node: yaml.Node, path: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    yield path, (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _positions(value, (*path, key.value))
            yield (*path, key.value), (key.start_mark.line + 1, key.start_mark.column + 1)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _positions(value, (*path, number))
