"""How often somebody may call, and how long who called too often is told to wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.collector.guarding.addresses import parse_address
from streams.collector.guarding.rates import Buckets, RateError, Rates
from tests.collector.doubles import open_door


class _Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _rates(seconds: _Seconds, address_per_s: int = 0, key_events_per_s: int = 0, tracked_max: int = 100) -> Rates:
    return Rates(
        address_per_s=address_per_s,
        key_events_per_s=key_events_per_s,
        burst_s=2,
        tracked_max=tracked_max,
        seconds=seconds,
    )


def test_a_burst_is_let_in_and_then_as_much_as_the_rate_gives() -> None:
    seconds = _Seconds()
    buckets = Buckets(2.0, 10, seconds)
    assert [buckets.take("a", 1, 5) for _ in range(10)] == [0.0] * 10
    assert buckets.take("a", 1, 5) == pytest.approx(0.2)
    seconds.now = 0.2
    assert buckets.take("a", 1, 5) == 0.0
    assert buckets.take("b", 1, 5) == 0.0, "each has its own"


def test_what_is_more_than_a_full_bucket_is_let_in_once_it_is_full_and_paid_for_afterwards() -> None:
    seconds = _Seconds()
    buckets = Buckets(2.0, 10, seconds)
    assert buckets.take("a", 25, 5) == 0.0
    assert buckets.take("a", 1, 5) == pytest.approx(3.2)
    seconds.now = 3.2
    assert buckets.take("a", 1, 5) == 0.0


def test_no_more_are_kept_than_the_bound_and_the_one_seen_longest_ago_goes() -> None:
    buckets = Buckets(1.0, 3, _Seconds())
    for who in ("a", "b", "c", "a", "d"):
        assert buckets.take(who, 1, 2) == 0.0
    assert len(buckets) == 3
    assert buckets.take("a", 1, 2) > 0, "it was seen lately, so it is still known"
    assert buckets.take("b", 1, 2) == 0.0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 30), st.floats(0, 2)), max_size=60))
def test_over_any_time_nobody_gets_more_than_the_rate_and_one_burst(calls: list[tuple[int, int, float]]) -> None:
    seconds = _Seconds()
    buckets, rate, burst = Buckets(3.0, 10, seconds), 10.0, 30
    taken: dict[int, int] = {}
    for who, tokens, pause in calls:
        seconds.now += pause
        if buckets.take(who, tokens, rate) == 0.0:
            taken[who] = taken.get(who, 0) + tokens
    assert all(count <= burst + rate * seconds.now + 1e-6 for count in taken.values())


def test_a_customer_of_a_provider_is_one_caller_whatever_address_of_its_network_it_uses() -> None:
    rates = _rates(_Seconds(), address_per_s=1)
    for last in ("1", "2"):
        rates.take_call(parse_address(f"2001:db8:1:2::{last}"))
    with pytest.raises(RateError) as refused:
        rates.take_call(parse_address("2001:db8:1:2:ffff::3"))
    assert (refused.value.status, refused.value.reason) == (429, "address_rate")
    rates.take_call(parse_address("2001:db8:1:3::1"))
    rates.take_call(None)


def test_a_keys_own_bound_goes_before_the_settings() -> None:
    rates = _rates(_Seconds(), key_events_per_s=100)
    rates.take_events("k_1", 1, 2)
    with pytest.raises(RateError, match="at most 1 events a second"):
        rates.take_events("k_1", 1, 1)
    rates.take_events("k_2", None, 200)
    with pytest.raises(RateError, match="at most 100 events a second"):
        rates.take_events("k_2", None, 1)


def test_without_a_bound_nothing_is_counted() -> None:
    rates = _rates(_Seconds())
    for _ in range(1_000):
        rates.take_events("k", None, 1_000)
        rates.take_call(parse_address("198.51.100.7"))


def test_a_key_that_sends_too_much_is_told_when_to_come_back_and_nothing_of_it_was_taken() -> None:
    with open_door(collector_key_events_per_s=2, collector_rate_burst_s=1) as door:
        batch = {"batch": [{"type": "track", "userId": "c1", "event": "page_view"}] * 20}
        assert door.post("/v1/batch", batch).status_code == 200
        answer = door.post("/v1/batch", batch)
        assert (answer.status_code, answer.json()["code"]) == (429, "key_rate")
        wait_s = int(answer.headers["retry-after"])
        assert 9 <= wait_s <= 10
        assert answer.headers["x-ratelimit-reset"] == str(wait_s)
        assert len(door.intake.entries) == 20
        assert door.metric("segue_collector_rejected_total", reason="key_rate") == 1


def test_an_address_that_calls_too_often_is_refused_before_its_key_is_looked_at_and_links_are_served() -> None:
    with open_door(collector_address_calls_per_s=1, collector_rate_burst_s=1) as door:
        answers = [door.post("/v1/track", {}, key="no-key").status_code for _ in range(3)]
        assert answers == [401, 429, 429]
        assert door.client.get("/o/x.gif").status_code == 200
