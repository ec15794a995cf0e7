"""`name=value` as people type it on a command line, read to JSON values.

What is a JSON value is that value: a number, `true`, `false`, `null`, a text in double quotes, an object, a list.
Everything else is the text as it stands. A number that would lose digits is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from schemas.errors import InputError

_BEGINS_JSON = ("{", "[", '"')
_KINDS = {bool: "boolean", int: "number", float: "number", str: "text", dict: "object", list: "list"}


def parse_assignments(words: Iterable[str], what: str) -> dict[str, Any]:
    """The values by their names, in order. `what` is what errors call one, like `trait`. Raises `InputError`."""
    found: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name:
            raise InputError(f"{word}: expected a {what} as NAME=VALUE")
        if "." in name:
            top, _, rest = name.partition(".")
            raise InputError(
                f"{name}: expected the name of a {what} without dots, which reach into objects: give the whole object, "
                f"like {top}='{{\"{rest}\": …}}'"
            )
        if name in found:
            raise InputError(f"{name}: expected each {what} once")
        found[name] = parse_value(name, text)
    return found


def parse_value(name: str, text: str) -> Any:
    """The value that `text` stands for; `name` is how errors call it. Raises `InputError`."""
    try:
        value = msgspec.json.decode(text.encode())
    except UnicodeEncodeError:
        raise InputError(f"{name}: expected text in UTF-8, found {text!r}") from None
    except msgspec.MsgspecError as error:
        if text.startswith(_BEGINS_JSON) or "out of range" in str(error):
            raise InputError(
                f"{name}: expected JSON, found {text}: {error}; a text that looks like it goes in double quotes, "
                f"inside single ones for the shell: {name}='\"…\"'"
            ) from None
        return text
    if isinstance(value, int | float) and not isinstance(value, bool) and not _kept(text, value):
        raise InputError(
            f"{name}: expected a number that keeps all its digits, found {text}; as text it goes in double quotes, "
            f"inside single ones for the shell: {name}='\"{text}\"'"
        )
    return value


def _kept(text: str, value: float) -> bool:
    try:
        # A whole number beyond 2^53 changes in the next program that reads JSON as JavaScript does.
        return Decimal(text) == Decimal(repr(value)) and abs(value) <= 2**53
    except InvalidOperation:
        return False


def describe_value(value: Any) -> str:
    """How a value was read: `42 (number)`."""
    if value is None:
        return "null"
    return f"{msgspec.json.encode(value).decode()} ({_KINDS[type(value)]})"


def parse_object(option: str, text: str) -> dict[str, Any]:
    """The JSON object in an option's text. Raises `InputError`."""
    try:
        found = msgspec.json.decode(text.encode())
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise InputError(f"{option}: expected a JSON object: {error}") from None
    if not isinstance(found, dict) or not found:
        raise InputError(f"{option}: expected a JSON object with at least one name, found {text}")
    return found
