"""Decaying sums against the formula in sixty digits."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Context, Decimal
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from streams.segmentation.decay import Decaying, HalfLife
from streams.segmentation.quantities import NANO, NEVER

_EXACT = Context(prec=60)
_EPOCH = 1_700_000_000_000
HALF_LIVES = st.sampled_from([1000, 60_000, 999_000, 3_600_000, 604_800_000, 315_360_000_000])


def reading(parts: list[tuple[int, int]], half_life: int, now: int) -> int:
    """floor(1000 * S + 0.5), where a sum within 1e-24 of the middle between two readings counts as the middle."""
    total = Decimal(0)
    for points, at in parts:
        halvings = _EXACT.divide(Decimal(at - now), Decimal(half_life))
        total = _EXACT.add(total, _EXACT.multiply(Decimal(points), _EXACT.power(Decimal(2), halvings)))
    shifted = _EXACT.add(_EXACT.multiply(total, Decimal(1000)), Decimal("0.5") + Decimal("1e-24"))
    return int(shifted.to_integral_value(ROUND_FLOOR))


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]], int]:
    half_life = draw(HALF_LIVES)
    step = st.sampled_from([0, 1, 777, half_life // 2, half_life, 3 * half_life])
    moments = st.tuples(st.integers(0, 4), step).map(lambda pair: _EPOCH + pair[0] * pair[1])
    parts = draw(st.lists(st.tuples(st.sampled_from([1, 5, 10, 15, -10, -1]), moments), min_size=1, max_size=6))
    now = max(at for _, at in parts) + draw(step) * draw(st.integers(0, 4))
    return half_life, parts, now


def summed(half_life: HalfLife, parts: list[tuple[int, int]]) -> Decaying:
    total = Decaying()
    for points, at in parts:
        half_life.add(total, points * NANO, at)
    return total


@given(histories())
def test_the_reading_is_that_of_the_formula(history: tuple[int, list[tuple[int, int]], int]) -> None:
    duration, parts, now = history
    half_life = HalfLife(duration)
    assert half_life.reading(summed(half_life, parts), 0, now) == reading(parts, duration, now)


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(
    history: tuple[int, list[tuple[int, int]], int], shuffler: Random
) -> None:
    duration, parts, now = history
    half_life = HalfLife(duration)
    shuffled = list(parts)
    shuffler.shuffle(shuffled)
    one, other = summed(half_life, parts), summed(half_life, shuffled)
    assert half_life.reading(one, 0, now) == half_life.reading(other, 0, now)
    # The same sum, though perhaps written at another exponent.
    low = min(one.exponent, other.exponent)
    assert one.weight << (one.exponent - low) == other.weight << (other.exponent - low)


@given(histories(), st.lists(st.sampled_from([-5000, -313, 1, 313, 2500, 3125, 5000, 10000]), min_size=1, max_size=3))
def test_a_crossing_is_the_first_millisecond_past_a_bound(
    history: tuple[int, list[tuple[int, int]], int], bounds: list[int]
) -> None:
    duration, parts, now = history
    half_life, bounds = HalfLife(duration), sorted(set(bounds))
    total = summed(half_life, parts)

    def place(instant: int) -> list[bool]:
        return [reading(parts, duration, instant) >= bound for bound in bounds]

    crossing = half_life.crossing(total, 0, bounds, half_life.reading(total, 0, now), now)
    if crossing == NEVER:
        # Decay is monotonous, so what holds after a thousand half-lives holds for ever.
        assert place(now) == place(now + 1000 * duration)
    else:
        assert crossing > now
        assert place(crossing - 1) == place(now)
        assert place(crossing) != place(now)


def test_a_whole_number_of_half_lives_comes_out_even() -> None:
    half_life = HalfLife(3_600_000)
    total = summed(half_life, [(5, _EPOCH + 1234)])
    # 5 / 2^4 = 0.3125 lies in the middle between two readings, and is read up.
    assert half_life.reading(total, 0, _EPOCH + 1234 + 4 * 3_600_000) == 313


def test_a_weight_stays_small_over_thousands_of_half_lives() -> None:
    half_life = HalfLife(1000)
    total = Decaying()
    for second in range(0, 100_000, 7):
        half_life.add(total, 5 * NANO, _EPOCH + second * 1000)
    assert total.weight.bit_length() <= 640
    assert (
        half_life.reading(total, 0, _EPOCH + 100_000 * 1000)
        == reading([(5, _EPOCH + 99_995_000)], 1000, _EPOCH + 100_000_000) + 1
    )


def test_a_sum_that_decayed_away_reads_zero_and_crosses_nothing() -> None:
    half_life = HalfLife(1000)
    total = summed(half_life, [(5, _EPOCH)])
    late = _EPOCH + 3650 * 86_400_000
    assert half_life.reading(total, 0, late) == 0
    assert half_life.crossing(total, 0, [1000], 0, late) == NEVER
