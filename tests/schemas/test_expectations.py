"""What a refused record is told: our words, the path, and never the value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.records import InvalidRecordError, decode_record

TRACK: dict[str, Any] = {
    "type": "track",
    "event_id": "e1",
    "contact_id": "c1",
    "occurred_at": "2026-11-21T10:00:00Z",
    "event": "purchase",
}
DEFINITIONS: dict[str, Any] = {
    "type": "definitions",
    "definitions": "{}",
    "hash": "0" * 64,
    "number": 1,
    "semantics": "1",
    "tzdata": "2026a",
}


@pytest.mark.parametrize(
    ("record", "changed", "told"),
    [
        (TRACK, {"contact_id": ""}, "contact_id: expected text that is not empty"),
        (TRACK, {"contact_id": "x" * 257}, "contact_id: expected at most 256 characters"),
        (TRACK, {"event_id": 5}, "event_id: expected text"),
        (TRACK, {"event": "Cart Add"}, "event: expected a name in snake_case such as cart_add, at most 64 characters"),
        (TRACK, {"backfill": "yes"}, "backfill: expected true or false"),
        (TRACK, {"properties": [1]}, "properties: expected an object"),
        (TRACK, {"machine": 1}, "machine: expected an object"),
        (TRACK, {"machine": {"suspected": True, "reasons": {}}}, "machine.reasons: expected a list"),
        (TRACK, {"machine": {}}, "machine.suspected: expected a value, and it is missing"),
        (TRACK, {"occurred_at": 5}, "occurred_at: expected an RFC 3339 time as a string"),
        (DEFINITIONS, {"hash": "F" * 64}, "hash: expected 64 hex digits in lower case"),
        (DEFINITIONS, {"number": 0}, "number: expected at least 1"),
        (DEFINITIONS, {"number": "1"}, "number: expected a whole number"),
        (
            TRACK,
            {"event_id": "", "contact_id": 1},
            "event_id: expected text that is not empty; contact_id: expected text",
        ),
    ],
)
def test_what_was_expected_is_said_in_our_words(record: dict[str, Any], changed: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRecordError) as refused:
        decode_record(json.dumps(record | changed).encode())
    assert refused.value.detail == told


def test_what_is_missing_is_said() -> None:
    with pytest.raises(InvalidRecordError) as refused:
        decode_record(b'{"type": "erase", "event_id": "e1", "occurred_at": "2026-11-21T10:00:00Z"}')
    assert refused.value.detail == "contact_id: expected a value, and it is missing"
