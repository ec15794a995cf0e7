"""How fast a contender was, read from the stamps of what it published, and what it used meanwhile."""

from __future__ import annotations

import random

import pytest

from bench.comparing.pace import Places
from bench.comparing.sampling import Sample, Sampler
from bench.work.events import Work
from bench.work.expected import Change, Published

WORK = Work(events=1_000, contacts=50, taken=1_000)
PLACES = Places(WORK)
DRAWN = list(WORK.drawn())


def published(number: int, appended_ms: int) -> Published:
    """A transition that one of the events causes."""
    return Published(Change(DRAWN[number].contact, 0, 1, DRAWN[number].at_ms), True, appended_ms)


def test_the_rate_is_events_between_soon_after_a_tenth_and_the_end() -> None:
    steady = [published(number, 5_000 + number) for number in range(1_000)]
    pace = PLACES.pace(steady)
    assert pace is not None
    assert pace.per_second == pytest.approx(1_000, rel=0.01)
    assert pace.events == pytest.approx(650, abs=10)
    assert pace.begin_ms == pytest.approx(5_350, abs=10)
    assert pace.end_ms == 5_999


def test_batches_in_any_order_are_measured_from_the_end_of_one_to_the_end_of_another() -> None:
    # Two batches; each is published within 10 ms after two seconds of work.
    dice = random.Random(3)
    found = [published(number, 2_000 * (1 + number // 500) + dice.randrange(10)) for number in range(1_000)]
    dice.shuffle(found)
    pace = PLACES.pace(found)
    assert pace is not None
    assert pace.per_second == pytest.approx(250, rel=0.03)


def test_what_comes_in_one_batch_has_no_rate() -> None:
    assert PLACES.pace([published(number, 7_000 + number // 10) for number in range(1_000)]) is None
    assert PLACES.pace([published(number, 7_000) for number in range(1_000)]) is None
    assert PLACES.pace([published(3, 7_000)]) is None
    assert PLACES.pace([]) is None


def test_processor_time_between_two_moments_is_read_between_the_samples() -> None:
    sampler = Sampler([], [], [])
    sampler.samples = [
        Sample(1_000.0, 1.0, 10.0, 0.0),
        Sample(2_000.0, 3.0, 20.0, 0.0),
        Sample(3_000.0, 3.5, 20.0, 1.0),
    ]
    assert sampler.used(1_500.0, 2_500.0) == pytest.approx((1.25, 5.0, 0.5))
    assert sampler.used(0.0, 9_000.0) == (2.5, 10.0, 1.0)
