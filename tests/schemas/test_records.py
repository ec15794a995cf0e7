"""From bytes to a record: whatever the bytes are, the outcome is a record or one of few reasons."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.record_models import RECORD_TYPES
from schemas.records import (
    MAX_DEPTH,
    DefinitionsRecord,
    Identify,
    InvalidRecordError,
    Reason,
    Record,
    Track,
    decode_record,
    definitions_hash,
    encode_record,
    parse_json,
    validate_record,
)

BEFORE = (
    b'{"type": "track", "event_id": "e1", "contact_id": "c1", "occurred_at": "2026-11-21T10:00:00Z", "event": "view", '
)


def track(properties: bytes) -> Track:
    record = decode_record(BEFORE + b'"properties": ' + properties + b"}")
    assert isinstance(record, Track)
    return record


def reason_of(raw: bytes | None) -> Reason:
    with pytest.raises(InvalidRecordError) as refused:
        decode_record(raw)
    return refused.value.reason


def nested(levels: int) -> bytes:
    """Properties so that the whole record is `levels` deep: the record and `properties` are two of them."""
    return b'{"a": ' + b"[" * (levels - 2) + b"]" * (levels - 2) + b"}"


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"01", b"+1", b".5"])
def test_what_is_no_json_number_is_undecodable(number: bytes) -> None:
    assert reason_of(BEFORE + b'"properties": {"value": ' + number + b"}}") == "undecodable"


@pytest.mark.parametrize("escaped", [rb"\ud800", rb"\udc00", rb"\ud800\u0041", rb"\ud83dx"])
@pytest.mark.parametrize("field", [b"contact_id", b"event_id", b"source"])
def test_a_lone_surrogate_is_undecodable_wherever_it_stands(escaped: bytes, field: bytes) -> None:
    assert reason_of(BEFORE + b'"' + field + b'": "' + escaped + b'"}') == "undecodable"


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert track(rb'{"face": "\ud83d\ude00"}').properties == {"face": "😀"}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"type": "tick"',
        b'{"type": "tick"} x',
        b"{'type': 'tick'}",
        b"\x00",
    ],
)
def test_bytes_that_are_no_json_are_undecodable(raw: bytes) -> None:
    assert reason_of(raw) == "undecodable"


def test_an_empty_value_is_undecodable() -> None:
    assert reason_of(None) == "undecodable"


def test_nesting_is_allowed_to_the_bound_and_no_further() -> None:
    assert track(nested(MAX_DEPTH)).properties
    assert reason_of(BEFORE + b'"properties": ' + nested(MAX_DEPTH + 1) + b"}") == "too_deep"
    assert reason_of(BEFORE + b'"properties": ' + nested(10_000) + b"}") == "too_deep"


@pytest.mark.parametrize("raw", [b"[" * 1_000_000, b'{"a":' * 100_000, BEFORE + b'"properties": ' + b"[" * 10_000])
def test_nesting_without_an_end_is_too_deep_and_ends_nothing(raw: bytes) -> None:
    assert reason_of(raw) == "too_deep"


def test_brackets_inside_strings_do_not_count_as_nesting() -> None:
    assert track(b'{"a": "' + b"[" * 10_000 + b'"}').properties == {"a": "[" * 10_000}


def test_the_bound_on_depth_is_the_same_in_a_small_thread() -> None:
    outcomes: list[object] = []

    def decode() -> None:
        outcomes.append(track(nested(MAX_DEPTH)).event)
        outcomes.append(reason_of(BEFORE + b'"properties": ' + nested(MAX_DEPTH + 1) + b"}"))

    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=decode)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert outcomes == ["view", "too_deep"]


def test_of_a_key_given_twice_the_last_value_counts() -> None:
    assert track(b'{"a": 1, "a": 2}').properties == {"a": 2}
    record = decode_record(BEFORE + b'"contact_id": "c2", "type": "identify", "traits": {"x": 1, "x": null}}')
    assert isinstance(record, Identify)
    assert record.contact_id == "c2"
    assert record.traits == {"x": None}


@pytest.mark.parametrize("kind", [b'["track"]', b"{}", b"1", b"null", b'"page"', b'"Track"', b'""'])
def test_a_type_that_is_none_of_ours_is_unknown(kind: bytes) -> None:
    assert reason_of(b'{"type": ' + kind + b"}") == "unknown_type"


@pytest.mark.parametrize("raw", [b"[]", b"null", b"1", b'"tick"', b"true"])
def test_json_that_is_no_object_is_invalid(raw: bytes) -> None:
    assert reason_of(raw) == "invalid"


@pytest.mark.parametrize("value", [b"1", b"true", b"null", b"[]", b"{}"])
@pytest.mark.parametrize("field", [b"event_id", b"contact_id", b"occurred_at", b"event"])
def test_required_texts_must_be_texts(field: bytes, value: bytes) -> None:
    assert reason_of(BEFORE + b'"' + field + b'": ' + value + b"}") == "invalid"


def test_everything_wrong_is_named_at_once_with_its_path_and_without_the_values() -> None:
    raw = (
        b'{"type": "list", "event_id": "", "contact_id": 5, "occurred_at": "yesterday by ana@example.org", "list": ""}'
    )
    with pytest.raises(InvalidRecordError) as refused:
        decode_record(raw)
    for path in ("event_id: ", "contact_id: ", "occurred_at: ", "list: ", "member: "):
        assert path in refused.value.detail
    assert "ana@example.org" not in refused.value.detail


def test_lengths_count_characters_and_not_bytes() -> None:
    assert decode_record(BEFORE.replace(b'"c1"', b'"' + "é".encode() * 256 + b'"') + b'"source": null}')
    assert reason_of(BEFORE.replace(b'"c1"', b'"' + "é".encode() * 257 + b'"') + b'"source": null}') == "invalid"


def test_a_removed_trait_survives_our_own_writing() -> None:
    record = decode_record(
        b'{"type":"identify","event_id":"e","contact_id":"c","occurred_at":"2026-11-21T10:00:00Z",'
        b'"traits":{"plan":null,"deep":{"x":null}}}'
    )
    assert decode_record(encode_record(record)) == record
    assert b'"plan":null' in encode_record(record)


def test_the_hash_of_definitions_is_the_sha_256_of_their_text() -> None:
    assert definitions_hash("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_have_a_reason(raw: bytes) -> None:
    try:
        decode_record(raw)
    except InvalidRecordError as error:
        assert error.reason in ("undecodable", "too_deep", "unknown_type", "invalid")  # noqa: PT017 - either will do


@given(
    st.dictionaries(
        st.sampled_from(
            ["event_id", "contact_id", "occurred_at", "event", "properties", "traits", "list", "member", "received_at"]
        ),
        JSON_VALUES,
    ),
    st.sampled_from(sorted(RECORD_TYPES)),
)
def test_any_json_object_is_a_record_or_has_a_reason(body: dict[str, Any], kind: str) -> None:
    try:
        record = decode_record(json.dumps({**body, "type": kind}).encode())
    except InvalidRecordError as error:
        assert error.reason == "invalid"  # noqa: PT017 - either will do
    else:
        assert decode_record(encode_record(record)) == record


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), JSON_VALUES, max_size=5))
def test_properties_come_through_as_they_were(properties: dict[str, Any]) -> None:
    record: Record = track(json.dumps(properties).encode())
    assert isinstance(record, Track)
    assert record.properties == properties
    again = decode_record(encode_record(record))
    assert isinstance(again, Track)
    assert again.properties == properties


def test_the_largest_definitions_that_are_allowed_are_decoded() -> None:
    text = json.dumps({"description": "é" * 400_000}, ensure_ascii=False)
    raw = encode_record(
        DefinitionsRecord(
            type="definitions", definitions=text, hash=definitions_hash(text), number=1, semantics="1", tzdata="2026a"
        )
    )
    record = decode_record(raw)
    assert isinstance(record, DefinitionsRecord)
    assert record.definitions == text


_ANY = st.sampled_from(
    [
        "x",
        "",
        "a" * 129,
        "a" * 257,
        "page_view",
        "page_view\n",
        "Page",
        1,
        True,
        None,
        1.5,
        [],
        {},
        [1],
        {"a": {"b": 1}},
        "2026-11-21T10:00:00.123Z",
        "2026-11-21T10:00:00Z",
        "2026-02-30T10:00:00.000Z",
        "2026-11-21",
        "1969-01-01T00:00:00Z",
    ]
)
_FIELDS = ("type", "event_id", "contact_id", "event", "occurred_at", "properties", "context", "source", "machine",
           "received_at", "backfill", "unknown")  # fmt: skip
_VALID: dict[str, Any] = {
    "type": "track", "event_id": "e", "contact_id": "c", "event": "page_view", "occurred_at": "2026-11-21T10:00:00.1Z",
    "machine": {"suspected": True, "reasons": ["prefetch_proxy"]},
}  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(_FIELDS), _ANY, max_size=2),
    st.dictionaries(st.sampled_from(("suspected", "reasons", "more")), _ANY, max_size=2),
    st.sets(st.sampled_from(_FIELDS), max_size=1),
    st.integers(0, 70),
)
def test_the_quick_way_takes_what_the_models_take_and_for_the_same(
    changed: dict[str, object], machine: dict[str, object], left_out: set[str], depth: int
) -> None:
    deep: object = {}
    for _ in range(depth):
        deep = {"d": deep} if depth % 2 else [deep]
    body = _VALID | {"properties": {"deep": deep}, "machine": {**_VALID["machine"], **machine}} | changed
    raw = json.dumps({name: value for name, value in body.items() if name not in left_out}).encode()
    assert _outcome(decode_record, raw) == _outcome(lambda each: validate_record(parse_json(each)), raw)


def _outcome(decode: Callable[[bytes], Record], raw: bytes) -> object:
    try:
        return decode(raw)
    except InvalidRecordError as error:
        return error.reason, error.detail


def test_of_a_key_given_twice_the_last_counts_on_the_quick_way_too() -> None:
    raw = json.dumps(_VALID).encode().replace(b'"event_id": "e"', b'"event_id": "e", "event_id": "f"')
    record = decode_record(raw)
    assert isinstance(record, Track)
    assert record.event_id == "f"
