"""Times of scenarios: what may be written, and that what is printed may be written again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.instants import MAX_INSTANT_MS, parse_instant
from streams.scenarios.moments import Calendar, parse_moment, span_text

START = parse_instant("2026-03-02T09:00:00Z")
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("text", "after_ms"),
    [
        ("start", 0),
        (0, 0),
        ("+1ms", 1),
        ("-1ms", -1),
        ("+90s", 90 * SECOND),
        ("+1d2h", DAY + 2 * HOUR),
        ("-1d2h", -DAY - 2 * HOUR),
        ("+7d-1ms", 7 * DAY - 1),
        ("+2w+1m", 14 * DAY + MINUTE),
        ("start-1h30m", -90 * MINUTE),
        ("2026-03-02T09:00:00Z", 0),
        ("2026-03-02T10:00:00.250+01:00", 250),
        ("2026-03-02T10:00:00+01:00-1ms", -1),
        ("2026-03-02T09:00:00z+1d", DAY),
    ],
)
def test_a_time_is_read(text: object, after_ms: int) -> None:
    assert parse_moment(text).resolve(START) == START + after_ms


@pytest.mark.parametrize(
    "text",
    ["", " ", "+", "1h", "+1", "+1.5d", "+1y", "+1d 2h", "+1D", "soon", "start1h", "2026-03-02", "2026-03-02T09:00:00",
     "+1234567890123d", 1, 0.0, True, False, None, [], {}],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected a time"):
        parse_moment(text)


def test_a_time_lies_between_1970_and_2199() -> None:
    assert parse_moment("2199-12-31T23:59:59.998Z+1ms").resolve(None) == MAX_INSTANT_MS
    assert parse_moment("1970-01-01T00:00:00.001Z-1ms").resolve(None) == 0
    for text in ("2199-12-31T23:59:59.999Z+1ms", "1970-01-01T00:00:00Z-1ms"):
        with pytest.raises(ValueError, match="expected a time from 1970 to 2199"):
            parse_moment(text).resolve(None)


def test_a_time_after_the_start_needs_a_start() -> None:
    with pytest.raises(ValueError, match="expected a `start`"):
        parse_moment("+1h").resolve(None)


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [
        (0, "0ms"),
        (1, "1ms"),
        (999, "999ms"),
        (1000, "1s"),
        (7 * DAY - 1, "7d-1ms"),
        (7 * DAY - 10, "7d-10ms"),
        (7 * DAY - 11, "6d23h59m59s989ms"),
        (7 * DAY + 1, "7d1ms"),
        (2 * DAY + 21 * HOUR + 43 * MINUTE + 44 * SECOND + 375, "2d21h43m44s375ms"),
    ],
)
def test_a_length_of_time_is_written_as_people_do(span_ms: int, text: str) -> None:
    assert span_text(span_ms) == text


@given(st.integers(-START, MAX_INSTANT_MS - START))
def test_what_is_printed_of_a_time_may_be_written_again(after_ms: int) -> None:
    instant_ms = START + after_ms
    calendar = Calendar(START)
    assert parse_moment(calendar.after_start(instant_ms)).resolve(START) == instant_ms
    assert parse_moment(calendar.text(instant_ms).split(" ")[0]).resolve(START) == instant_ms
