"""Reads the YAML files that settings of the collector point to, and says what is wrong in them, all at once."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from schemas.errors import InputError

FILE_BYTES_MAX = 4 * 1024**2
_SHOWN_CHARACTERS = 60
ModelT = TypeVar("ModelT", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """SafeLoader by YAML 1.2: no implicit dates, and only true and false are booleans.

    A key given twice is refused, since one of the two would be dropped without a word.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is not None and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_LEFT_TO_THE_SHAPE = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _LEFT_TO_THE_SHAPE]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def read_configured(path: Path, shape: type[ModelT]) -> ModelT:
    """What a file says. Raises `InputError` with the file, and the path, value and expectation of each problem."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise InputError(f"{path}: expected a file that can be read: {error.strerror}") from None
    if len(raw) > FILE_BYTES_MAX:
        raise InputError(f"{path}: expected at most {FILE_BYTES_MAX} bytes")
    return parse_configured(raw, shape, str(path))


def parse_configured(raw: bytes, shape: type[ModelT], name: str) -> ModelT:
    """What the bytes of a file say; `name` stands in what is said of them. Raises `InputError`."""
    try:
        content = yaml.load(raw, _Loader)  # noqa: S506 - a SafeLoader that also refuses keys given twice
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise InputError(f"{name}: expected YAML in UTF-8: {_in_one_line(error)}") from None
    try:
        return shape.model_validate(content)
    except ValidationError as error:
        lines = [_problem(problem) for problem in error.errors(include_url=False)]
        raise InputError("; ".join(f"{name}: {line}" for line in lines)) from None


def _problem(problem: Any) -> str:
    where = ""
    for step in problem["loc"]:
        where += f"[{step}]" if isinstance(step, int) else f".{step}" if where else str(step)
    said = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing" or isinstance(problem["input"], dict | list):
        return f"{where}: {said}" if where else said
    return f"{where}: {said}, found {str(problem['input'])[:_SHOWN_CHARACTERS]!r}"


def _in_one_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}, column {mark.column + 1}: {said}" if mark is not None else " ".join(said.split())
