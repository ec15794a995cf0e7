"""The generated documents are those of the models as they are now, and hang together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas import topics
from schemas.documents import GENERATED, MADE_ELSEWHERE, documents, render, write
from schemas.headers import DeadLetterHeaders, TransitionHeaders
from schemas.metrics import DEAD_LETTER_REASONS

ASYNCAPI: dict[str, Any] = json.loads((GENERATED / "asyncapi.json").read_text())


def test_the_committed_documents_are_current() -> None:
    wanted = {name: render(document) for name, document in documents().items()}
    found = {path.name: path.read_text() for path in GENERATED.iterdir() if path.name not in MADE_ELSEWHERE}
    assert found == wanted, "stale: run `make generate` and commit what it changes"


def test_writing_again_changes_nothing_and_removes_what_is_no_document(tmp_path: Path) -> None:
    assert len(write(tmp_path)) == len(documents())
    assert write(tmp_path) == []
    (tmp_path / "old.schema.json").write_text("{}")
    (tmp_path / "tick.schema.json").write_text("{}")
    assert {path.name for path in write(tmp_path)} == {"old.schema.json", "tick.schema.json"}
    assert not (tmp_path / "old.schema.json").exists()


@pytest.mark.parametrize("path", sorted(GENERATED.glob("*.schema.json")), ids=lambda path: path.stem)
def test_a_generated_schema_is_a_json_schema(path: Path) -> None:
    Draft202012Validator.check_schema(json.loads(path.read_text()))


def test_headers_are_named_as_the_programs_name_them() -> None:
    named = {name: getattr(topics, name) for name in dir(topics)}
    transition = {value for name, value in named.items() if name.startswith("HEADER_")}
    dead_letter = {
        value
        for name, value in named.items()
        if name.startswith("DEAD_LETTER_") and str(value).startswith("segue_dlq.")
    }
    assert {field.alias for field in TransitionHeaders.model_fields.values()} == transition
    assert {field.alias for field in DeadLetterHeaders.model_fields.values()} == {*dead_letter, topics.HEADER_EPOCH}


def test_the_reasons_in_the_headers_are_those_of_the_metric() -> None:
    schema = DeadLetterHeaders.model_json_schema()
    assert schema["properties"][topics.DEAD_LETTER_REASON]["enum"] == list(DEAD_LETTER_REASONS)


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def resolve(reference: str) -> object:
    node: Any = ASYNCAPI
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    found = set(references(ASYNCAPI))
    assert found
    for reference in found:
        assert isinstance(resolve(reference), dict), reference


def test_the_asyncapi_document_names_every_topic_and_message() -> None:
    addresses = {channel["address"] for channel in ASYNCAPI["channels"].values()}
    assert addresses == {topics.TRACKING, topics.TRANSITIONS, topics.DEAD_LETTER, topics.LISTS, topics.KEYS, None}
    used = {name for channel in ASYNCAPI["channels"].values() for name in channel["messages"]}
    assert used == set(ASYNCAPI["components"]["messages"])


def test_what_segue_reads_and_what_it_sends_is_told_apart() -> None:
    operations = {
        operation["channel"]["$ref"].rsplit("/", 1)[-1]: operation["action"]
        for operation in ASYNCAPI["operations"].values()
    }
    sent = ("transitions", "deadLetters", "lists", "webhook")
    assert operations == {"tracking": "receive", "keys": "receive", **dict.fromkeys(sent, "send")}
