"""The words in which a value of the wrong type, or a key of the wrong name, is refused."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Annotated, Any, Final, NamedTuple, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from streams.segmentation.names import nearest

Words: TypeAlias = tuple[str, str]
"""What was expected, and what may have been meant."""
Context: TypeAlias = Mapping[str, Any]

_SHOWN = 60
_WORDS_OF_TRUTH = {"yes": "true", "y": "true", "on": "true", "no": "false", "n": "false", "off": "false"}
_ELSEWHERE = {
    "=": "eq", "==": "eq", "is": "eq", "equals": "eq exactly", "!=": "ne", "is_not": "ne", "not_equals": "ne",
    ">=": "gte at_least", "ge": "gte at_least", "min": "gte at_least", "at_least": "gte", "gte": "at_least",
    "<=": "lte at_most", "le": "lte at_most", "max": "lte at_most", "at_most": "lte", "lte": "at_most",
    ">": "gt", "above": "gt", "more_than": "gt", "<": "lt", "below": "lt", "less_than": "lt",
    "count": "exactly", "times": "exactly", "eq": "exactly", "exactly": "eq",
    "regex": "matches", "begins_with": "starts_with", "includes": "contains", "one_of": "in", "window": "within",
    "in_the_last": "within", "last": "within", "during": "within", "filter": "where", "filters": "where",
    "timezone": "zone", "ttl": "expires_after",
}  # fmt: skip
"""What other tools call keys of ours."""


class _Absent(Enum):
    ABSENT = "nothing"


ABSENT: Final = _Absent.ABSENT
"""Stands for the value of a key that is not there."""


class Wrong(NamedTuple):
    """One thing wrong with a value: where in it, what was expected, and what may have been meant."""

    loc: tuple[str | int, ...]
    value: object
    expected: str
    suggestion: str = ""
    on_key: bool = False
    whole: bool = False
    """Whether a mapping is wrong as a whole, not one of its values."""


def wrong(expected: str, suggestion: str = "") -> PydanticCustomError:
    """What a type of the file raises about a value."""
    return PydanticCustomError("segue", "{expected}", {"expected": expected, "suggestion": suggestion})


def shown(value: object) -> str:
    """A value as it would be written, cut short."""
    text = ""
    for chunk in json.JSONEncoder(ensure_ascii=False, default=str).iterencode(value):
        text += chunk[: _SHOWN + 1]
        if len(text) > _SHOWN:
            return f"{text[: _SHOWN - 3]}..."
    return text


def worded(kind: type[BaseModel], error: ValidationError) -> Iterator[Wrong]:
    """Everything that is wrong with a `kind`, in our words. A key that was misspelt is not called missing too."""
    items = [_worded(kind, item) for item in error.errors(include_url=False)]
    meant = {(*item.loc[:-1], item.suggestion) for item in items if item.on_key}
    for item in items:
        if item.value is not ABSENT or item.loc not in meant:
            yield item


def _worded(kind: type[BaseModel], item: Any) -> Wrong:
    loc, value, context = item["loc"], item.get("input"), item.get("ctx", {})
    if item["type"] == "missing":
        return Wrong(loc, ABSENT, f"expected the key `{loc[-1]}`, which is required{_like(kind, loc)}")
    if item["type"] == "extra_forbidden":
        known = keys_of(_kind_at(kind, loc[:-1]))
        suggestion = nearest(loc[-1], known, _ELSEWHERE)
        return Wrong(loc, value, f"unknown key; expected one of {', '.join(known)}", suggestion, on_key=True)
    if item["type"] == "segue":
        return Wrong(loc, value, context["expected"], context["suggestion"], whole=isinstance(value, dict))
    if item["type"] in {"greater_than_equal", "less_than_equal"}:
        return Wrong(loc, value, _between(_field_at(kind, loc), context))
    if item["type"] not in _WORDS:
        text = item["msg"].removeprefix("Value error, ")
        return Wrong(loc, value, text[0].lower() + text[1:])
    expected, suggestion = _WORDS[item["type"]](value, context)
    return Wrong(loc, value, expected + _like(kind, loc), suggestion)


def _like(kind: type[BaseModel], loc: tuple[str | int, ...]) -> str:
    """An example of the right form, from the field."""
    field = _field_at(kind, loc)
    if field is None or not field.examples or not isinstance(loc[-1], str):
        return ""
    example = field.examples[0]
    text = example if isinstance(example, str) else json.dumps(example, ensure_ascii=False).replace('"', "")
    return f", like `{loc[-1]}: {text}`"


def _text(value: object, _context: Context) -> Words:
    if not isinstance(value, int | float):
        return "expected a text", ""
    quoted = json.dumps(value) if isinstance(value, bool) else str(value)
    return "expected a text; put it in quotes", f'"{quoted}"'


def _truth(value: object, _context: Context) -> Words:
    word = value.strip().lower() if isinstance(value, str) else ""
    return "expected true or false", word if word in {"true", "false"} else _WORDS_OF_TRUTH.get(word, "")


def _whole(value: object, _context: Context) -> Words:
    if isinstance(value, str) and value.strip().isdecimal():
        return "expected a whole number, without quotes", value.strip()
    if isinstance(value, float) and value.is_integer():
        return "expected a whole number, without a point", str(int(value))
    return "expected a whole number", ""


def _one_of(value: object, context: Context) -> Words:
    options = [each.strip(" '") for each in context["expected"].replace(" or ", ", ").split(",")]
    return f"expected {options[0] if len(options) == 1 else 'one of ' + ', '.join(options)}", nearest(value, options)


def _mapping(_value: object, _context: Context) -> Words:
    return "expected a mapping of keys to values", ""


_WORDS: dict[str, Callable[[object, Context], Words]] = {
    "string_type": _text,
    "bool_type": _truth,
    "int_type": _whole,
    "int_from_float": _whole,
    "literal_error": _one_of,
    "list_type": lambda _value, _context: ("expected a list", ""),
    "dict_type": _mapping,
    "model_type": _mapping,
    "model_attributes_type": _mapping,
    "too_short": lambda _value, context: (f"expected a list of at least {_items(context['min_length'])}", ""),
    "too_long": lambda _value, context: (f"expected a list of at most {_items(context['max_length'])}", ""),
    "string_too_short": lambda _value, _context: ("expected a text that is not empty", ""),
    "string_too_long": lambda _value, context: (f"expected a text of at most {context['max_length']} characters", ""),
}


def _metadata(annotation: Any) -> Iterator[Any]:
    """What is annotated of the members of a union."""
    for each in get_args(annotation) if get_origin(annotation) in {Union, types.UnionType} else ():
        for added in getattr(each, "__metadata__", ()):
            yield from getattr(added, "metadata", ())


def _items(count: int) -> str:
    return f"{count} item" if count == 1 else f"{count} items"


def _between(field: FieldInfo | None, context: Context) -> str:
    stated = {"ge": context.get("ge"), "le": context.get("le")}
    for each in () if field is None else (*field.metadata, *_metadata(field.annotation)):
        stated |= {name: bound for name in stated if (bound := getattr(each, name, None)) is not None}
    low, high = stated["ge"], stated["le"]
    if low is None or high is None:
        return f"expected a whole number of at {'most' if low is None else 'least'} {high if low is None else low}"
    return f"expected a whole number from {low} to {high}" if low != high else f"expected {low}"


def keys_of(kind: type[BaseModel] | None) -> list[str]:
    """The keys that a mapping of this kind may have, as they stand in the file."""
    return [] if kind is None else [field.alias or name for name, field in kind.model_fields.items()]


def _kind_at(kind: type[BaseModel] | None, loc: tuple[str | int, ...]) -> type[BaseModel] | None:
    """The kind of mapping at a place inside a `kind`."""
    for step in loc:
        if isinstance(step, str) and kind is not None:
            field = _field_of(kind, step)
            kind = None if field is None else _model_in(field.annotation)
    return kind


def _field_at(kind: type[BaseModel], loc: tuple[str | int, ...]) -> FieldInfo | None:
    names = [place for place, step in enumerate(loc) if isinstance(step, str)]
    owner = _kind_at(kind, loc[: names[-1]]) if names else None
    return None if owner is None else _field_of(owner, str(loc[names[-1]]))


def _field_of(kind: type[BaseModel], key: str) -> FieldInfo | None:
    return next((field for name, field in kind.model_fields.items() if (field.alias or name) == key), None)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if get_origin(annotation) in {Annotated, Union, types.UnionType, list}:
        return next((found for each in get_args(annotation) if (found := _model_in(each)) is not None), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
