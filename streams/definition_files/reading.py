"""A definition file as people write it, read and checked whole. The one way from a file to definitions."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from schemas.errors import InputError
from streams.definition_files.list_files import read_list_file
from streams.definition_files.yaml_document import Document, read_document
from streams.segmentation import Definitions, DefinitionsError, Problem, compile_definitions
from streams.segmentation.cost import heavy
from streams.segmentation.refusals import ABSENT

MAX_FILE_BYTES = 8 * 1024 * 1024
STANDARD_INPUT = Path("-")
_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a definition file, how it is called, and the folder that its lists lie in."""

    name: str
    text: str
    folder: Path

    def line(self, number: int) -> str:
        """The text of a line, counted from 1."""
        lines = _LINE_END.split(self.text)
        return lines[number - 1] if 0 < number <= len(lines) else ""


def read_definitions(path: Path) -> Definitions:
    """The definitions in a file, or in standard input for `-`, with the lists that lie beside it.

    Raises `DefinitionsError` with all that is wrong, each with its line and column.
    """
    return compile_source(read_source(path))


def read_source(path: Path, kind: str = "definition file") -> Source:
    """The text of a file, or of standard input for `-`. `kind` is what errors call it. Raises `DefinitionsError`."""
    name = "<stdin>" if path == STANDARD_INPUT else str(path)
    try:
        raw = sys.stdin.buffer.read(MAX_FILE_BYTES + 1) if path == STANDARD_INPUT else path.read_bytes()
    except OSError as error:
        raise _unreadable(name, f"expected a {kind} that can be read: {error.strerror}") from None
    if len(raw) > MAX_FILE_BYTES:
        raise _unreadable(name, f"expected a file of at most {MAX_FILE_BYTES} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].split(b"\n")
        raise _unreadable(name, "expected UTF-8; this byte is none", len(before), len(before[-1]) + 1) from None
    return Source(name, text, Path() if path == STANDARD_INPUT else path.parent)


def _unreadable(name: str, expected: str, line: int = 0, column: int = 0) -> DefinitionsError:
    return DefinitionsError([Problem("", ABSENT, expected, file=name, line=line, column=column)])


def compile_source(source: Source) -> Definitions:
    """The definitions in a text. Raises `DefinitionsError` with all that is wrong, in the order of the file."""
    document = read_document(source.text, source.name)
    try:
        compiled = compile_definitions(document.data, lambda name: read_list_file(source.folder / name))
    except DefinitionsError as error:
        raise _placed(document, error) from None
    if document.problems:
        raise _placed(document, DefinitionsError((), warnings=compiled.warnings))
    weight = heavy(compiled)
    warnings = [*compiled.warnings, *([] if weight is None else [weight])]
    return replace(compiled, warnings=tuple(document.placed(warnings)))


def _placed(document: Document, error: DefinitionsError) -> DefinitionsError:
    problems = document.placed([*document.problems, *error.problems])
    return DefinitionsError(problems, document.name, document.placed(error.warnings))


def load_definition_file(path: Path) -> Any:
    """The plain data in a YAML (or JSON) file. Raises `InputError` naming file, line and column."""
    source = read_source(path)
    return parse_yaml(source.text, source.name)


def parse_yaml(text: str, name: str) -> Any:
    """The plain data of one YAML document; `name` is how errors call it. Raises `InputError`."""
    document = read_document(text, name)
    if document.problems:
        raise InputError("\n".join(map(str, document.problems)))
    return document.data
