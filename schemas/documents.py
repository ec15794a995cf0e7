"""JSON Schemas and an AsyncAPI document, generated from the models: `python -m schemas.documents`.

They are committed under `schemas/generated`, so that others can read them without running anything; a test
fails when they are stale. A JSON Schema cannot say everything that `decode_record` checks (a day that exists, the
bound on depth): what it refuses is refused, what it admits is nearly always valid.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel, TypeAdapter

from schemas.asyncapi import Untitled, asyncapi
from schemas.headers import DeadLetterHeaders, TransitionHeaders, WebhookHeaders
from schemas.lists import ListEntry
from schemas.record_models import RECORD_TYPES, AnyRecord
from schemas.transition_models import Transition
from schemas.webhooks import WebhookBody
from schemas.write_keys import KeyEntry

GENERATED = Path(__file__).parent / "generated"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

DEFINITION_FILE = "definition_file.schema.json"
"""Lies among the others, and is written by `streams.definition_files.schema`, which knows the language of that file."""

OPENAPI = "openapi.json"
"""Lies among the others, and is made of what the collector's ways in say of themselves; see `streams.collector`."""

IMPORT_MAPPING = "import_mapping.schema.json"
"""Lies among the others, and is written by `streams.importing.schema`."""
MADE_ELSEWHERE = {DEFINITION_FILE, OPENAPI, IMPORT_MAPPING}

JsonSchema: TypeAlias = dict[str, object]


def json_schema(name: str, model: Any) -> JsonSchema:
    """The JSON Schema of a model, or of a union of models, under a name of its own."""
    body = TypeAdapter(model).json_schema(schema_generator=Untitled)
    return {"$schema": DIALECT, "$id": f"urn:segue:schema:{name}", **body}


def documents() -> dict[str, JsonSchema]:
    """Every generated document by its file name."""
    models: dict[str, type[BaseModel]] = {
        **RECORD_TYPES,
        "transition": Transition,
        "transition_headers": TransitionHeaders,
        "dead_letter_headers": DeadLetterHeaders,
        "list_entry": ListEntry,
        "key_entry": KeyEntry,
        "webhook_body": WebhookBody,
        "webhook_headers": WebhookHeaders,
    }
    schemas = {f"{name}.schema.json": json_schema(name, model) for name, model in models.items()}
    return {**schemas, "record.schema.json": json_schema("record", AnyRecord), "asyncapi.json": asyncapi(models)}


def render(document: JsonSchema) -> str:
    """The text of a document as it is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def write(directory: Path = GENERATED) -> list[Path]:
    """Write all documents, remove what is none of them, and return what changed."""
    directory.mkdir(exist_ok=True)
    wanted = {directory / name: render(document) for name, document in documents().items()}
    changed = []
    for path in sorted(set(directory.glob("*.json")) - set(wanted) - {directory / name for name in MADE_ELSEWHERE}):
        path.unlink()
        changed.append(path)
    for path, text in wanted.items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            changed.append(path)
    return changed


if __name__ == "__main__":
    for changed_path in write():
        print(changed_path)  # noqa: T201 - the command's output
