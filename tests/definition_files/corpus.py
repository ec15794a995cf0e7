"""The committed definition files, each with what is expected of it, and the committed JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from schemas.documents import DEFINITION_FILE, GENERATED
from streams.definition_files.reading import read_source
from streams.definition_files.yaml_document import read_document
from tests.support.run_directory import CHECKOUT

CORPUS = CHECKOUT / "schemas" / "examples" / "definitions"
VALID = sorted((CORPUS / "valid").glob("*.yaml"))
INVALID = sorted((CORPUS / "invalid").glob("*.yaml"))
UNSEEN = "# The JSON Schema cannot see it: "
SCHEMA: dict[str, Any] = json.loads((GENERATED / DEFINITION_FILE).read_text())


def name_of(path: Path) -> str:
    """How a test calls the file."""
    return path.stem


def head_of(path: Path) -> tuple[str, bool]:
    """The problem that the first line promises, and whether the second says that the schema cannot see it."""
    first, second, *_ = path.read_text().splitlines()
    return first.removeprefix("# "), second.startswith(UNSEEN)


def data_of(path: Path) -> Any:
    """The data as an editor has it: every key is a text."""
    return with_text_keys(read_document(read_source(path).text, str(path)).data)


def with_text_keys(value: Any) -> Any:
    """JSON has no other keys."""
    if isinstance(value, dict):
        return {str(key): with_text_keys(each) for key, each in value.items()}
    return [with_text_keys(each) for each in value] if isinstance(value, list) else value


def admits(data: Any) -> bool:
    """The JSON Schema's verdict."""
    return bool(Draft202012Validator(SCHEMA).is_valid(data))
