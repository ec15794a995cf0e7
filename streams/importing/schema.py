"""The JSON Schema of a mapping file: `python -m streams.importing.schema` writes it where the others lie."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter

from schemas.asyncapi import Untitled
from schemas.documents import DIALECT, GENERATED, IMPORT_MAPPING, JsonSchema, render
from streams.importing.mapping import ImportMapping


def mapping_schema() -> JsonSchema:
    """The schema. Names of columns and the rules between keys it cannot see."""
    body = TypeAdapter(ImportMapping).json_schema(schema_generator=Untitled)
    return {"$schema": DIALECT, "$id": "urn:segue:schema:import_mapping", **body}


def write(directory: Path = GENERATED) -> Path:
    """Write the schema, and return where it is."""
    path = directory / IMPORT_MAPPING
    path.write_text(render(mapping_schema()))
    return path


if __name__ == "__main__":
    write()
