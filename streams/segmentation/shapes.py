"""What a JSON Schema says of the keys of a mapping together."""

from __future__ import annotations

from pydantic.config import JsonDict, JsonValue


def some_of(*keys: str) -> JsonDict:
    """At least one of the keys is there."""
    return {"anyOf": [{"required": [key]} for key in keys]}


def one_of(*keys: str) -> JsonDict:
    """Exactly one of the keys is there."""
    return {"oneOf": [{"required": [key]} for key in keys]}


def one_of_or_none(*keys: str) -> JsonDict:
    """At most one of the keys is there."""
    single: list[JsonValue] = [{"required": [key]} for key in keys]
    return {"oneOf": [*single, {"not": some_of(*keys)}]}
