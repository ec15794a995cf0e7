"""The OpenAPI document is that of the collector as it is, and what it says of bodies and answers holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.collector.doubles import WRITE_KEY, Door
from tests.support.openapi_document import DOCUMENT, text, ways

OPENAPI: dict[str, Any] = json.loads(DOCUMENT.read_text())
ID = {"userId": "c1"}
GOOD: dict[str, dict[str, Any]] = {
    "/v1/track": {**ID, "event": "Größe", "properties": {"a": 1}, "timestamp": "2026-11-21T10:00:00Z"},
    "/v1/t": {**ID, "type": "track", "event": "a", "writeKey": WRITE_KEY},
    "/v1/page": {"anonymousId": "a1", "name": "Home", "category": None},
    "/v1/screen": {"anonymousId": "a1", "userId": None},
    "/v1/identify": {**ID, "traits": {"plan": None}},
    "/v1/group": {**ID, "groupId": "g1"},
    "/v1/alias": {"previousId": "p", "userId": "c1"},
    "/v1/batch": {"batch": [{**ID, "type": "track", "event": "a"}, {**ID, "type": "group", "groupId": "g"}]},
    "/v1/import": {"batch": [{**ID, "type": "page", "timestamp": "2020-01-01T00:00:00Z"}]},
}
BAD: list[tuple[str, dict[str, Any]]] = [
    ("/v1/track", {**ID}),
    ("/v1/track", {**ID, "event": "  "}),
    ("/v1/track", {"event": "a"}),
    ("/v1/track", {"event": "a", "userId": None}),
    ("/v1/track", {"event": "a", "userId": "anon:x"}),
    ("/v1/track", {"event": "a", "userId": "x" * 257}),
    ("/v1/track", {**ID, "event": "a", "messageId": ""}),
    ("/v1/track", {**ID, "event": "a", "properties": []}),
    ("/v1/track", {**ID, "event": "a", "type": "page"}),
    ("/v1/page", {**ID, "name": 5}),
    ("/v1/group", {**ID}),
    ("/v1/alias", {**ID}),
    ("/v1/batch", {}),
    ("/v1/batch", {"batch": {}}),
    ("/v1/batch", {"batch": [{**ID, "event": "a"}]}),
    ("/v1/batch", {"batch": [{**ID, "type": "wink"}]}),
]


def _validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema | {"components": OPENAPI["components"]})


def _body_schema(path: str) -> dict[str, Any]:
    schema: dict[str, Any] = OPENAPI["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return schema


def _check_answer(path: str, status: int, body: object) -> None:
    described = OPENAPI["paths"][path]["post"]["responses"][str(status)]["content"]["application/json"]["schema"]
    _validator(described).validate(body)


def test_the_committed_document_is_current() -> None:
    assert DOCUMENT.read_text() == text(), "stale: run `make generate` and commit what it changes"


def test_every_way_in_is_described_with_all_of_its_methods() -> None:
    described = {(path, method.upper()) for path, methods in OPENAPI["paths"].items() for method in methods}
    assert described == {
        (way.path.replace(":path", ""), method) for way in ways() for method in way.methods if method != "OPTIONS"
    }


def test_every_operation_has_a_name_of_its_own_and_every_reference_leads_somewhere() -> None:
    operations = [operation for methods in OPENAPI["paths"].values() for operation in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for part in json.dumps(OPENAPI).split('"$ref": "')[1:]:
        kind, section, name = part.split('"')[0].removeprefix("#/").split("/")
        assert name in OPENAPI[kind][section]
    for name, schema in OPENAPI["components"]["schemas"].items():
        assert "anyOf" in schema or schema["type"] == "object", name
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", GOOD)
def test_a_body_as_it_is_described_is_taken(door: Door, path: str) -> None:
    _validator(_body_schema(path)).validate(GOOD[path])
    answer = door.post(path, GOOD[path])
    assert answer.status_code == 200
    _check_answer(path, 200, answer.json())


@pytest.mark.parametrize(("path", "body"), BAD)
def test_a_body_that_is_not_as_described_is_refused(door: Door, path: str, body: dict[str, Any]) -> None:
    assert not _validator(_body_schema(path)).is_valid(body)
    answer = door.post(path, body)
    assert answer.status_code == 400
    _check_answer(path, 400, answer.json())


def test_answers_to_calls_that_are_turned_away_are_as_described(door: Door) -> None:
    answer = door.post("/v1/track", {}, key="another-write-key")
    _check_answer("/v1/track", 401, answer.json())
    door.intake.full = True
    answer = door.track()
    assert answer.status_code == 503
    _check_answer("/v1/track", 503, answer.json())
