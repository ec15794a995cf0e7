"""The JSON Schema of a definition file, made from the specs: `python -m streams.definition_files.schema`.

It is committed as `schemas/generated/definition_file.schema.json`, so that editors complete and check a file while
it is written. It says what can be said of a file key by key. What it refuses, `segue check` refuses. Names that no
segment has, circles, the order of bounds, depth and decimals it cannot see.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from schemas.asyncapi import Untitled
from schemas.documents import DEFINITION_FILE, DIALECT, GENERATED, render
from streams.segmentation.calendars import zone_names
from streams.segmentation.conditions import LEAVES
from streams.segmentation.durations import MAX_DAYS, duration_schema
from streams.segmentation.expressions import IN_SEGMENT, JOINED
from streams.segmentation.file_parts import WHILE, FileSpec, SegmentSpec
from streams.segmentation.lists import MAX_CONTACT_ID, MAX_LIST_NAME, ListFile
from streams.segmentation.names import NAME, STANDARD_EVENTS
from streams.segmentation.quantities import EVENT_SCHEMA
from streams.segmentation.scores import PointsRule, ScoreSpec, WhileSpec

Schema: TypeAlias = dict[str, Any]

_REF = "#/$defs/{model}"
_CONDITION: Schema = {"$ref": "#/$defs/Condition"}
_BUYERS: Schema = {"performed": {"event": "purchase", "within": "30d"}}
_EXAMPLE: Schema = {"version": 1, "segments": {"buyers": {"when": _BUYERS}}}
_SHARED: dict[str, Schema] = {
    "Duration": {
        **duration_schema(MAX_DAYS),
        "description": "A whole number and a unit: s, m, h, d (24 hours) or w; at most 3650d.",
        "examples": ["30m", "24h", "7d", "30d", "365d"],
    },
    "EventName": {
        **EVENT_SCHEMA,
        "description": "A standard event, or any other name in small letters, digits and _.",
        "examples": list(STANDARD_EVENTS),
    },
    "Zone": {"type": "string", "enum": list(zone_names()), "description": "The name of a time zone."},
}
"""What is said once, and referred to wherever it holds."""
_SAYS_WHAT = ("description", "examples")
_NAMES: Schema = {"pattern": f"^{NAME.pattern}$"}
_SPECS: tuple[type[BaseModel], ...] = (FileSpec, SegmentSpec, ScoreSpec, PointsRule, WhileSpec, ListFile)


class _InOrder(Untitled):
    """Leaves mappings in the order in which they are written: tiers rise."""

    def sort(self, value: Schema, parent_key: str | None = None) -> Schema:  # noqa: ARG002 - pydantic's signature
        return value


def definition_schema() -> Schema:
    """The JSON Schema of a definition file, draft 2020-12."""
    kinds = [*_SPECS, *(kind.spec for kind in LEAVES.values())]
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = [(kind, "validation") for kind in kinds]
    _, generated = models_json_schema(modes, ref_template=_REF, schema_generator=_InOrder)
    specs: Schema = {name: _tidy(spec) for name, spec in generated["$defs"].items()}
    for spec in specs.values():
        del spec["title"]  # the name of a class
    file = specs.pop("FileSpec")
    specs["Condition"] = _condition()
    for key in ("when", "exit_when"):
        specs["SegmentSpec"]["properties"][key] |= _CONDITION
    rule = specs["WhileSpec"]
    rule["properties"] = {"while": {**_CONDITION, "description": WHILE}, **rule["properties"]}
    rule["required"] = ["while", "points"]
    rules: Schema = {"items": {"anyOf": [_ref("PointsRule"), _ref("WhileSpec")]}, "minItems": 1}
    specs["ScoreSpec"]["properties"]["points"] |= rules
    _complete(file)
    return {
        "$schema": DIALECT,
        "$id": "urn:segue:schema:definition_file",
        "title": "Definitions of Segue",
        **file,
        "description": "Segments and scores of contacts: who is in, from when, and until when.",
        "examples": [_EXAMPLE],
        "$defs": dict(sorted({**specs, **_SHARED}.items())),
    }


def _complete(file: Schema) -> None:
    """What stands under names, which the top level itself leaves open."""
    parts = file["properties"]
    parts["deduplicate"]["default"] = "48h"
    parts["zone"]["default"] = "UTC"
    parts["scores"] |= {"additionalProperties": _ref("ScoreSpec"), "propertyNames": _NAMES}
    parts["segments"] |= {"additionalProperties": _ref("SegmentSpec"), "propertyNames": _NAMES, "minProperties": 1}
    contact: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_CONTACT_ID}
    ids: Schema = {"type": "array", "items": contact, "description": "Contact ids.", "examples": [["c1", "c2"]]}
    parts["lists"] |= {
        "additionalProperties": {"anyOf": [ids, _ref("ListFile")]},
        "propertyNames": {"minLength": 1, "maxLength": MAX_LIST_NAME},
    }


def _condition() -> Schema:
    """One key, which says what kind of condition it is."""
    some: Schema = {"type": "array", "items": _CONDITION, "minItems": 1}
    kinds: Schema = {
        key: {**(_CONDITION if key == "not" else some), "description": described} for key, described in JOINED.items()
    }
    kinds["in_segment"] = {"type": "string", "description": IN_SEGMENT, "examples": ["hot_leads"]}
    for key, kind in LEAVES.items():
        kinds[key] = {**_ref(kind.spec.__name__), "description": _first_line(kind.spec)}
    return {
        "description": "One condition.",
        "type": "object",
        "properties": kinds,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _first_line(spec: type[BaseModel]) -> str:
    return inspect.cleandoc(spec.__doc__ or "").partition("\n")[0]


def _ref(name: str) -> Schema:
    return {"$ref": _REF.format(model=name)}


def _tidy(value: Any) -> Any:
    """Without the null that stands for a key left out, and without what is said once for all."""
    if isinstance(value, list):
        return [_tidy(each) for each in value]
    if not isinstance(value, dict):
        return value
    tidy = {key: _tidy(each) for key, each in value.items()}
    if "default" in tidy and tidy["default"] is None:
        del tidy["default"]
        for option in tidy.pop("anyOf", []):
            if option != {"type": "null"}:
                tidy = {**option, **tidy}
    return _shared(tidy)


def _shared(schema: Schema) -> Schema:
    for name, shared in _SHARED.items():
        asked = {key: each for key, each in shared.items() if key not in _SAYS_WHAT}
        if all(schema.get(key) == each for key, each in asked.items()):
            return {**_ref(name), **{key: each for key, each in schema.items() if key not in asked}}
    return schema


def write(directory: Path = GENERATED) -> Path:
    """Write the schema, and return where it is."""
    path = directory / DEFINITION_FILE
    path.write_text(render(definition_schema()))
    return path


if __name__ == "__main__":
    write()
