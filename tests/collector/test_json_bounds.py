"""JSON that means harm: nested deeply, numbers without an end, names given twice. Whatever it is, it is answered."""

from __future__ import annotations

import gzip
import json

import pytest

from schemas.records import MAX_DEPTH
from streams.collector.settings import BATCH_BYTES_MAX
from tests.collector.doubles import Door

_EVENT = b'{"type":"track","userId":"c1","event":"page_view","properties":{"x":%s}}'


def _both_ways(value: bytes) -> list[tuple[str, bytes]]:
    event = _EVENT % value
    return [("/v1/track", event), ("/v1/batch", b'{"batch":[%s]}' % event)]


@pytest.mark.parametrize(
    "number", [b"1e999", b"-1e999", b"1" + b"0" * 5_000, b"-" + b"9" * 20_000, b"NaN", b"Infinity"]
)
def test_a_number_that_is_none_is_refused(door: Door, number: bytes) -> None:
    for path, body in _both_ways(number):
        assert door.post(path, body).status_code == 400
    assert door.intake.entries == []


@pytest.mark.parametrize("number", [b"1e308", b"1e-999", b"18446744073709551616", b"0." + b"1" * 5_000, b"-0"])
def test_a_number_that_can_be_read_is_kept(door: Door, number: bytes) -> None:
    for path, body in _both_ways(number):
        assert door.post(path, body).status_code == 200
    (kept,) = {record["properties"]["x"] for record in door.intake.records}
    assert kept == json.loads(number)


@pytest.mark.parametrize("levels", [MAX_DEPTH, 500, 5_000])
@pytest.mark.parametrize(("opened", "closed"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_json_that_is_nested_deeper_than_a_record_may_be_is_refused(
    door: Door, levels: int, opened: bytes, closed: bytes
) -> None:
    for path, body in _both_ways(opened * levels + b"1" + closed * levels):
        assert door.post(path, body).status_code == 400
    assert door.intake.entries == []


def test_json_that_is_nested_as_deeply_as_a_record_may_be_is_taken(door: Door) -> None:
    levels = MAX_DEPTH - 2
    assert door.post("/v1/track", _EVENT % (b"[" * levels + b"]" * levels)).status_code == 200


@pytest.mark.parametrize(
    "body", [b"[" * 400_000, b'{"batch":' * 50_000, b'{"batch":[' + b"[" * 400_000 + b"]}", b'"' * 9]
)
def test_brackets_without_an_end_are_refused(door: Door, body: bytes) -> None:
    assert door.post("/v1/batch", body).status_code == 400
    assert door.post("/v1/track", body[:30_000]).status_code == 400


def test_of_a_name_that_is_given_twice_the_last_value_counts(door: Door) -> None:
    body = b'{"userId":"c1","userId":"c2","event":"a","event":"page_view","properties":{"x":1,"x":2}}'
    assert door.post("/v1/track", body).status_code == 200
    (record,) = door.intake.records
    assert (record["contact_id"], record["event"], record["properties"]) == ("c2", "page_view", {"x": 2})


@pytest.mark.parametrize("text", [b'"\xff"', b'"\xed\xa0\x80"', b'"\x00"'])
def test_text_that_is_no_unicode_is_refused(door: Door, text: bytes) -> None:
    for path, body in _both_ways(text):
        assert door.post(path, body).status_code == 400


@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch", "/v1/consent"])
def test_a_small_body_that_unpacks_to_a_large_one_is_refused(door: Door, path: str) -> None:
    bomb = gzip.compress(b" " * (100 * BATCH_BYTES_MAX))
    assert len(bomb) < BATCH_BYTES_MAX / 8
    answer = door.post(path, bomb[:31_000] if path != "/v1/batch" else bomb, **{"Content-Encoding": "gzip"})
    assert answer.status_code == 413
