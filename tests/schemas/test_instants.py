"""RFC 3339 text and milliseconds, against the standard library's own reading."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.instants import MAX_INSTANT_MS, MIN_INSTANT_MS, format_instant, parse_instant

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANTS = st.integers(MIN_INSTANT_MS, MAX_INSTANT_MS)


@given(INSTANTS)
@example(MIN_INSTANT_MS)
@example(MAX_INSTANT_MS)
@example(951_782_399_999)  # the last millisecond of 28 February 2000
def test_what_is_written_reads_as_the_same(instant_ms: int) -> None:
    assert parse_instant(format_instant(instant_ms)) == instant_ms


@given(INSTANTS)
def test_what_is_written_is_what_the_standard_library_says(instant_ms: int) -> None:
    moment = EPOCH + timedelta(milliseconds=instant_ms)
    assert format_instant(instant_ms) == moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@given(INSTANTS, st.integers(-23 * 60 - 59, 23 * 60 + 59))
def test_a_zone_is_taken_off(instant_ms: int, zone_minutes: int) -> None:
    zone = timezone(timedelta(minutes=zone_minutes))
    local = (EPOCH + timedelta(milliseconds=instant_ms)).astimezone(zone)
    assert parse_instant(local.isoformat(timespec="milliseconds")) == instant_ms


@given(INSTANTS, st.text("0123456789", min_size=1, max_size=12))
def test_fractions_of_a_millisecond_are_cut_off(instant_ms: int, more: str) -> None:
    text = format_instant(instant_ms)
    assert parse_instant(f"{text[:-1]}{more}Z") == instant_ms


@pytest.mark.parametrize(
    ("text", "instant_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.9999Z", 999),
        ("1970-01-01t00:00:01z", 1000),
        ("1970-01-01T00:00:00.5Z", 500),
        ("1970-01-01T00:00:00-00:00", 0),
        ("1969-12-31T23:00:00-01:00", 0),
        ("2000-02-29T12:00:00Z", 951_825_600_000),
        ("2200-01-01T00:59:59.999+01:00", MAX_INSTANT_MS),
    ],
)
def test_forms_that_are_taken(text: str, instant_ms: int) -> None:
    assert parse_instant(text) == instant_ms


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "2026-11-21", "2026-11-21T10:00:00", "2026-11-21T10:00Z", "2026-11-21 10:00:00Z",
        "2026-11-21T10:00:00.Z", "2026-11-21T10:00:00,5Z", "2026-11-21T10:00:00+0100", "2026-11-21T10:00:00+01",
        "2026-11-21T10:00:00 Z", " 2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z\n", "20261121T100000Z",
        "2026-325T10:00:00Z", "2026-W47-6T10:00:00Z", "+2026-11-21T10:00:00Z", "２０２６-11-21T10:00:00Z",
        "2026-11-21T10:00:00.١٢٣Z", "2026-11-21T1０:00:00.123Z", "2026-11-21T10:0 :00.123Z",
    ],
)  # fmt: skip
def test_other_forms_are_refused_with_an_example_of_the_right_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected an RFC 3339 time with seconds and a zone, like "):
        parse_instant(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-29T00:00:00Z", "a date that exists"),
        ("2026-13-01T00:00:00Z", "a date that exists"),
        ("2026-11-31T00:00:00.000Z", "a date that exists"),
        ("0000-01-01T00:00:00Z", "a date that exists"),
        ("2026-11-21T24:00:00Z", "a time of day"),
        ("2026-11-21T23:60:00.000Z", "a time of day"),
        ("2016-12-31T23:59:60Z", "a time of day"),
        ("2016-12-31T23:59:60.000Z", "a time of day"),
        ("2026-11-21T10:00:00+24:00", "a zone between"),
        ("2026-11-21T10:00:00+00:60", "a zone between"),
        ("0001-01-01T00:00:00Z", "from 1970 to 2199"),
        ("1969-12-31T23:59:59.999Z", "from 1970 to 2199"),
        ("1970-01-01T00:00:00+00:01", "from 1970 to 2199"),
        ("2200-01-01T00:00:00.000Z", "from 1970 to 2199"),
        ("2199-12-31T23:59:59-00:01", "from 1970 to 2199"),
        ("9999-12-31T23:59:59Z", "from 1970 to 2199"),
    ],
)
def test_times_that_do_not_exist_or_lie_outside_are_refused(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        parse_instant(text)
