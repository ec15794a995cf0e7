"""Errors of YAML's syntax in words that say what to do."""

from __future__ import annotations

import re

import yaml
from yaml.reader import ReaderError

_WORDS = (
    (r"found character '\\t'", "expected spaces to indent with, not a tab"),
    (r"found character '%'", "expected a text that begins with % in quotes"),
    (r"found character '[@`]'", "expected a text that begins with @ or ` in quotes"),
    (
        r"mapping values are not allowed",
        "expected no `: ` here; put a text with a colon in quotes, or mend the line above",
    ),
    (r"expected <block end>", "expected this to be indented like what it belongs to"),
    (r"could not find expected ':'", "expected `key: value`; a colon with a space after it is missing"),
    (r"expected ',' or '\]'", "expected a comma or ]: the list that begins in line {begin} is not closed"),
    (r"expected ',' or '\}'", "expected a comma or }}: the mapping that begins in line {begin} is not closed"),
    (r"found unexpected end of stream", "expected a closing quote for the text that begins in line {begin}"),
    (r"found undefined alias '?([^']*)'?", "expected the anchor &{0} before it is used as *{0}"),
    (r"found duplicate anchor '?([^';]*)'?", "expected the anchor &{0} once"),
    (r"found unknown escape character", "expected no such escape in a text between \"; use ' instead"),
    (r"but found another document", "expected one document; a second begins with this ---"),
)


def words_of(error: yaml.YAMLError) -> str:
    """What was expected, as a sentence."""
    if isinstance(error, ReaderError):
        return f"expected text; the character {error.character!r} is none"
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"expected YAML: {error}"
    told = f"{error.problem} {error.context or ''}"
    begin = error.context_mark.line + 1 if error.context_mark is not None else 1
    for pattern, words in _WORDS:
        found = re.search(pattern, told)
        if found is not None:
            return f"expected YAML: {words.removeprefix('expected ').format(*found.groups(), begin=begin)}"
    return f"expected YAML: {error.problem or error.context}"


def place_of(error: yaml.YAMLError, text: str) -> tuple[int, int]:
    """Line and column, from 1."""
    if isinstance(error, ReaderError):
        before = text[: error.position].split("\n")
        return len(before), len(before[-1]) + 1
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
