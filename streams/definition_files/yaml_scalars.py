"""Scalars of YAML by the 1.2 core schema: what is a number, what is true, and what is just text."""

from __future__ import annotations

import math
import re

import yaml

MAX_DIGITS = 20

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class NotPlainError(ValueError):
    """A scalar is no value that a definition can have. The text says what was expected."""

    def __init__(self, expected: str, suggestion: str = "") -> None:
        super().__init__(expected)
        self.suggestion = suggestion


def scalar_of(node: yaml.ScalarNode) -> str | int | float | bool | None:
    """The value of a scalar; what stands in quotes is text. Raises `NotPlainError`."""
    text = _whole(node.value)
    if node.style is not None:
        return text
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text.lower() == "true"
    return _number(text) if text[0] in "+-.0123456789" else text


def _whole(text: str) -> str:
    """The text with its surrogate pairs joined, as JSON writes what lies beyond 16 bits."""
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise NotPlainError("expected a text of whole characters; half of a pair is none") from None


def _number(text: str) -> str | int | float:
    if _NOT_FINITE.fullmatch(text):
        raise NotPlainError("expected a finite number")
    based = _OCTAL.fullmatch(text) or _HEX.fullmatch(text)
    if based or _INT.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise NotPlainError(f"expected a number of at most {MAX_DIGITS} digits; put an id in quotes", f'"{text}"')
        return int(text, 0) if based else int(text)
    if not _FLOAT.fullmatch(text):
        return text
    number = float(text)
    if not math.isfinite(number):
        raise NotPlainError("expected a finite number")
    return number
