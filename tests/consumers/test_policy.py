"""What an answer means: plain functions of answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.webhook.policy import Answer, Pauses, Verdict, classify, judge, read_retry_after

PAUSES = Pauses((5, 300, 1800), max_s=600, jitter_ratio=0.2, retry_after_min_s=1, retry_after_max_s=86_400)
NOW_MS = 1_795_000_000_000  # Wed, 18 Nov 2026 11:06:40 GMT


def verdict_of(status: int) -> Verdict:
    return judge(Answer(classify(status), status))


@given(st.integers(min_value=100, max_value=999))
def test_every_status_has_one_verdict(status: int) -> None:
    verdict = verdict_of(status)
    assert (verdict is Verdict.DELIVERED) == (200 <= status < 300)
    assert (verdict is Verdict.GONE) == (status == 410)
    assert (verdict is Verdict.REJECTED) == (400 <= status < 500 and status not in (408, 410, 429))


@pytest.mark.parametrize("status", [301, 302, 307, 308, 408, 429, 500, 502, 503, 504, 599])
def test_redirects_throttling_and_server_errors_pause_the_endpoint(status: int) -> None:
    assert verdict_of(status) is Verdict.TROUBLE


def test_no_answer_pauses_the_endpoint() -> None:
    for kind in ("timeout", "connection", "refused"):
        assert judge(Answer(kind)) is Verdict.TROUBLE


def test_pauses_follow_the_steps_up_to_their_bound() -> None:
    assert [PAUSES.pause_s(failures, None, 0) for failures in (1, 2, 3, 4, 900)] == [5, 300, 600, 600, 600]


@given(st.integers(min_value=1, max_value=50), st.none() | st.floats(min_value=0, max_value=1e9), st.floats(0, 1))
def test_jitter_adds_at_most_its_share_and_takes_nothing(failures: int, asked: float | None, draw: float) -> None:
    plain = PAUSES.pause_s(failures, asked, 0)
    assert plain <= PAUSES.pause_s(failures, asked, draw) <= plain * 1.2


def test_what_the_receiver_asks_for_goes_before_the_steps_within_bounds() -> None:
    assert PAUSES.pause_s(3, 7.0, 0) == 7
    assert PAUSES.pause_s(1, 0.0, 0) == 1
    assert PAUSES.pause_s(1, 1e9, 0) == 86_400


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("Wed, 18 Nov 2026 11:07:40 GMT", 60.0),
        ("Wed, 18 Nov 2026 11:00:00 GMT", 0.0),
        ("Wed, 18 Nov 2026 11:07:40 -0000", 60.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("١٢", None),
        ("9" * 5000, None),
        ("Wed, 99 Nov 2026 11:07:40 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str | None, expected: float | None) -> None:
    assert read_retry_after(value, NOW_MS) == expected
