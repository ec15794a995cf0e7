"""Exponential decay in exact arithmetic: `S(t) = sum of points_i * 2^-((t - t_i) / D)`.

The sum is kept as one whole number `weight` at an exponent, `S(t) * 2^(t/D)`. Adding whole numbers does
not depend on their order, and whole numbers are the same on every machine; so neither the order of
arrival nor the processor can show in a score, nor in the millisecond at which it crosses a bound. Floats
serve as a fast path where their error cannot matter, else the whole numbers decide.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from decimal import Context, Decimal

from streams.segmentation.quantities import NEVER

PRECISION = 128
"""Binary digits behind the point of a weight."""
_GUARD = 32
_KEPT_BITS = 640
"""A weight keeps this many digits: what is over 500 half-lives weaker than the rest falls off its end."""
_KNOWN_BITS = 115
"""A sum that lies below the middle between two readings by less than 2^-115 of its decaying part counts as the middle
itself: the last digits of an irrational power are not known, a whole number of half-lives must come out even."""
_FADED_BITS = 120
"""A decaying part below 2^-120 billionths only tells on which side of a whole number of billionths the sum lies."""
_MILLI_NANO = 1_000_000
_HALF_NANO = _MILLI_NANO // 2
_CONTEXT = Context(prec=80)


class Decaying:
    """A decaying sum. `weight * 2^exponent / 2^PRECISION` billionths, at the instant 0, grown by 2^(t/D)."""

    __slots__ = ("exponent", "log2", "weight")

    def __init__(self, weight: int = 0, exponent: int = 0) -> None:
        self.weight = weight
        self.exponent = exponent
        self.log2 = math.log2(abs(weight)) if weight else 0.0


def largest_sum() -> Decaying:
    """No sum takes more room when it is stored."""
    return Decaying(1 << _KEPT_BITS, 1 << 62)


class HalfLife:
    """The arithmetic of one half-life of `duration_ms` milliseconds."""

    def __init__(self, duration_ms: int) -> None:
        self.duration_ms = duration_ms
        self._tables: list[list[int]] = []
        step = 1
        while step < duration_ms:
            power = _CONTEXT.power(Decimal(2), _CONTEXT.divide(Decimal(step), Decimal(duration_ms)))
            factor = int(_CONTEXT.multiply(power, Decimal(1 << (PRECISION + _GUARD))))
            table = [1 << (PRECISION + _GUARD)]
            for _ in range(255):
                table.append(table[-1] * factor >> (PRECISION + _GUARD))
            self._tables.append(table)
            step *= 256

    def _growth(self, rest_ms: int) -> int:
        """2^(rest/D) with PRECISION digits, for 0 <= rest < D: one factor for each byte of `rest_ms`."""
        product = 1 << (PRECISION + _GUARD)
        for table in self._tables:
            digit = rest_ms & 255
            if digit:
                product = product * table[digit] >> (PRECISION + _GUARD)
            rest_ms >>= 8
        return product >> _GUARD

    def add(self, sum_: Decaying, points_nano: int, at_ms: int) -> None:
        """Add a contribution of `points_nano` billionths made at `at_ms`."""
        exponent, rest = divmod(at_ms, self.duration_ms)
        weight = points_nano * self._growth(rest)
        if sum_.weight == 0:
            sum_.exponent = exponent
        shift = exponent - sum_.exponent
        if shift >= 0:
            if shift > _KEPT_BITS:
                sum_.weight >>= shift
                sum_.exponent, shift = exponent, 0
            total = sum_.weight + (weight << shift)
        elif shift < -_KEPT_BITS:
            total = sum_.weight + (weight >> -shift)
        else:
            total = (sum_.weight << -shift) + weight
            sum_.exponent = exponent
        excess = total.bit_length() - _KEPT_BITS
        if excess > 0:
            total >>= excess
            sum_.exponent += excess
        sum_.weight = total
        sum_.log2 = math.log2(abs(total)) if total else 0.0

    def reading(self, sum_: Decaying, steady_nano: int, now_ms: int) -> int:
        """`floor(1000 * S + 0.5)` at `now_ms`, in thousandths, of the sum and an undecaying part."""
        if sum_.weight == 0:
            return (steady_nano + _HALF_NANO) // _MILLI_NANO
        halvings, rest = divmod(now_ms, self.duration_ms)
        power = sum_.log2 + (sum_.exponent - PRECISION - halvings) - rest / self.duration_ms
        if power < 200:
            decayed: float = 2.0**power
            scaled = ((decayed if sum_.weight > 0 else -decayed) + steady_nano + _HALF_NANO) / _MILLI_NANO
            whole = math.floor(scaled)
            error = 1e-9 + 1e-11 * (abs(scaled) + decayed / _MILLI_NANO)
            if error < scaled - whole < 1 - error:
                return whole
        return self._exact_reading(sum_, steady_nano, now_ms)

    def _exact_reading(self, sum_: Decaying, steady_nano: int, now_ms: int) -> int:
        halvings, rest = divmod(now_ms, self.duration_ms)
        if rest:
            scaled = sum_.weight * self._growth(self.duration_ms - rest)
            shift = 2 * PRECISION + 1 + halvings - sum_.exponent
        else:
            scaled = sum_.weight
            shift = PRECISION + halvings - sum_.exponent
        if shift > scaled.bit_length() + _FADED_BITS:
            return (steady_nano + _HALF_NANO - (scaled < 0)) // _MILLI_NANO
        total = scaled + (abs(scaled) >> _KNOWN_BITS) + ((steady_nano + _HALF_NANO) << shift)
        return (total >> shift) // _MILLI_NANO

    def crossing(self, sum_: Decaying, steady_nano: int, bounds: list[int], reading: int, now_ms: int) -> int:
        """The first instant after `now_ms` at which the reading passes one of `bounds`, or `NEVER`.

        `reading` is the one at `now_ms`; `bounds` are thousandths in rising order. A falling sum passes the
        highest bound at or under its reading, at the first millisecond at which the reading is below it; a
        rising (negative) one reaches the lowest bound over it.
        """
        if not sum_.weight or not bounds:
            return NEVER
        falling = sum_.weight > 0
        place = bisect_right(bounds, reading) - falling
        if not 0 <= place < len(bounds):
            return NEVER
        bound = bounds[place]
        # Where the decaying part alone would stand if the reading were just at the bound.
        target = bound * _MILLI_NANO - _HALF_NANO - steady_nano
        if target == 0 or (target > 0) != falling:
            return NEVER
        periods = sum_.log2 - PRECISION - math.log2(abs(target))
        after_ms = self.duration_ms * periods
        base = sum_.exponent * self.duration_ms + math.floor(after_ms)
        error = 1e-6 + 1e-12 * self.duration_ms * (1 + abs(periods))
        if error < after_ms - math.floor(after_ms) < 1 - error:
            return max(base + 1, now_ms + 1)
        return self._search(sum_, steady_nano, bound, max(base, now_ms))

    def _search(self, sum_: Decaying, steady_nano: int, bound: int, near_ms: int) -> int:
        falling = sum_.weight > 0

        def passed(instant_ms: int) -> bool:
            return (self._exact_reading(sum_, steady_nano, instant_ms) < bound) == falling

        while passed(near_ms):
            near_ms -= 1
        while not passed(near_ms):
            near_ms += 1
        return near_ms
