"""Scores: sums over all matching events, read to three decimals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any

from tests.oracle.cells import counted_at
from tests.oracle.conditions import (
    counted,
    every_event,
    is_numeric,
    matching,
    property_root,
    total,
    values_of,
    window_looks,
    with_numbers,
)
from tests.oracle.filters import elements, ends
from tests.oracle.history import Applied
from tests.oracle.notation import EXACT, decimal_of, duration_ms, half_power
from tests.oracle.view import View, leaf, next_look, truth

_TIE = Decimal("1e-22")
"""A thousandfold mix this near to a half of a thousandth is that half: its logarithms are not known any better."""
_KNOWN = 1 / Decimal(2**115)
"""A sum that is this part of what is decaying near to a half of a thousandth is that half."""
_FADED = Decimal("1e-30")
"""Points have nine places, so that less than this decides on ties alone."""
_FOREVER_HALF_LIVES = 400
"""After so many half-lives nothing of a contribution can be seen."""


def nine_places(value: Decimal) -> Decimal:
    """Rounded half to even."""
    return value.quantize(Decimal("1e-9"), ROUND_HALF_EVEN, context=EXACT)


def _points(rule: dict[str, Any], view: View) -> list[tuple[Applied, Decimal]]:
    """The events that match a rule, and their points."""
    found = []
    for event in matching(rule, view, include_machine=rule.get("include_machine", False)):
        points = decimal_of(rule["points"])
        if "per" in rule:
            root, path = property_root(event, rule["per"], view)
            factors = elements(ends(root, path.split(".")))
            # Several values are no number. Numbers have nine places, as in sums, and so has the product.
            factor = nine_places(decimal_of(factors[0])) if len(factors) == 1 and is_numeric(factors[0]) else Decimal(0)
            points = nine_places(EXACT.multiply(points, factor))
        found.append((event, points))
    return found


def _expiring(name: str, width: int, view: View) -> list[tuple[int, Decimal]]:
    """Of the rules whose points expire after a width: the times at which they count, and the points."""
    key = ("expiring", name, width)
    if key not in view.history.memo:
        score = view.file["scores"][name]
        rules = [rule for rule in score["points"] if "event" in rule and _expiry(score, rule) == width]
        arrived = {id(record): place for place, record in enumerate(view.history.applied)}
        found = [part for rule in rules for part in _points(rule, view) if part[1]]
        found.sort(key=lambda part: arrived[id(part[0])])
        timed = counted_at(
            [(event.time, (event, points)) for event, points in found], width, lambda of: of[0].clock - width
        )
        view.history.memo[key] = [(time, points) for time, (_, points) in timed]
    remembered: list[tuple[int, Decimal]] = view.history.memo[key]
    return remembered


def _widths(score: dict[str, Any]) -> set[int]:
    """After how long points of a score expire."""
    widths = (_expiry(score, rule) for rule in score["points"] if "event" in rule)
    return {width for width in widths if width is not None}


def _expiry(score: dict[str, Any], rule: dict[str, Any]) -> int | None:
    text = rule.get("expires_after", score.get("expires_after"))
    return None if text is None else duration_ms(text)


def _decays(score: dict[str, Any], rule: dict[str, Any]) -> bool:
    return "half_life" in score and "event" in rule and "expires_after" not in rule


def _decaying(name: str, view: View) -> tuple[int, Decimal]:
    """The decaying contributions as one: a reference instant and the sum there."""
    key = ("decaying", name)
    if key not in view.history.memo:
        score = view.file["scores"][name]
        told = [part for rule in score["points"] if _decays(score, rule) for part in _points(rule, view)]
        parts = [(event.time, points) for event, points in told]
        reference = max((time for time, _ in parts), default=0)
        amount = Decimal(0)
        for time, points in parts:
            weight = half_power(reference - time, duration_ms(score["half_life"]))
            amount = EXACT.add(amount, EXACT.multiply(points, weight))
        view.history.memo[key] = (reference, amount)
    found: tuple[int, Decimal] = view.history.memo[key]
    return found


def _part(part: dict[str, Any], view: View) -> Decimal:
    """One part of a mix, between 0 and 1."""
    if "recency" in part:
        of = part["recency"]
        times = [event.time for event in matching(of, view, include_machine=of.get("include_machine", False))]
        if not times:
            return Decimal(0)
        return max(Decimal(0), 1 - EXACT.divide(Decimal(view.now - max(times)), Decimal(duration_ms(of["over"]))))
    if "frequency" in part:
        of = part["frequency"]
        amount = Decimal(len(counted(of, view, every_event)))
    else:
        of = part["monetary"]
        exact = total(values_of(of, view, with_numbers(of, view)))
        amount = max(Decimal(0), EXACT.divide(Decimal(exact.numerator), Decimal(exact.denominator)))
    full = decimal_of(of["full"])
    if of.get("scale", "linear") == "linear":
        return min(Decimal(1), EXACT.divide(amount, full))
    return min(Decimal(1), EXACT.divide(EXACT.ln(1 + amount), EXACT.ln(1 + full)))


def _mixed(mix: list[dict[str, Any]], view: View) -> Decimal:
    result = Decimal(0)
    for part in mix:
        result = EXACT.add(result, EXACT.multiply(decimal_of(part["weight"]), _part(part, view)))
    return result


def _steady(name: str, view: View) -> Decimal:
    """What of a score does not decay."""
    score = view.file["scores"][name]
    result = Decimal(0)
    for rule in score["points"]:
        if "while" in rule:
            result = EXACT.add(result, decimal_of(rule["points"]) if truth(rule["while"], view) else Decimal(0))
        elif _expiry(score, rule) is None and not _decays(score, rule):
            result = EXACT.add(result, sum((points for _, points in _points(rule, view)), Decimal(0)))
    for width in _widths(score):
        lasting = (points for time, points in _expiring(name, width, view) if view.now < time + width)
        result = EXACT.add(result, sum(lasting, Decimal(0)))
    return result


def read(value: Decimal, tie: Decimal = Decimal(0)) -> Decimal:
    """floor(1000 * S + 0.5) / 1000, where what is as near to a tie as `tie` is the tie."""
    shifted = EXACT.add(EXACT.multiply(value, Decimal(1000)), Decimal("0.5"))
    nearest = shifted.to_integral_value(context=EXACT)
    if abs(EXACT.subtract(shifted, nearest)) > tie:
        nearest = shifted.to_integral_value(rounding=ROUND_FLOOR, context=EXACT)
    return nearest / 1000 + 0  # there is no negative zero


def _sum_read(name: str, view: View) -> Decimal:
    """The score as it is read, without its bounds."""
    score = view.file["scores"][name]
    if "mix" in score:
        return read(_mixed(score["mix"], view), _TIE)
    steady = _steady(name, view)
    if "half_life" not in score:
        return read(steady)
    reference, amount = _decaying(name, view)
    decaying = EXACT.multiply(amount, half_power(view.now - reference, duration_ms(score["half_life"])))
    if amount and abs(decaying) < _FADED:
        # It is never over, and lies below or above what does not decay, however little.
        return read(EXACT.add(steady, _FADED.copy_sign(amount)))
    return read(EXACT.add(steady, decaying), abs(EXACT.multiply(decaying, _KNOWN)))


def reading(name: str, view: View) -> Decimal:
    """The score as conditions, tiers and transitions know it."""
    score = view.file["scores"][name]
    found = _sum_read(name, view)
    if "cap" in score:
        found = min(found, decimal_of(score["cap"]))
    if "floor" in score:
        found = max(found, decimal_of(score["floor"]))
    return found


def _score_truth(of: dict[str, Any], view: View) -> bool:
    found = reading(of["name"], view)
    tests = {"gte": found.__ge__, "gt": found.__gt__, "lte": found.__le__, "lt": found.__lt__}
    return all(tests[key](decimal_of(bound)) for key, bound in of.items() if key in tests)


def tier_at(score: dict[str, Any], found: Decimal) -> str | None:
    """The tier that a reading lies in."""
    tier = None
    for name, bound in score["tiers"].items():
        if bound is None or found >= decimal_of(bound):
            tier = name
    return tier


def _tier_truth(of: dict[str, Any], view: View) -> bool:
    return bool(tier_at(view.file["scores"][of["name"]], reading(of["name"], view)) == of["is"])


def _breaks(name: str, view: View) -> Iterator[int]:
    """Instants after now between which the score moves in one direction only."""
    score = view.file["scores"][name]
    for part in score.get("mix", []):
        if "recency" in part:
            over = duration_ms(part["recency"]["over"])
            yield from (event.time + over for event in view.history.events() if event.time + over > view.now)
        else:
            of = part.get("frequency") or part["monetary"]
            kept = every_event if "frequency" in part else with_numbers(of, view)
            yield from (at for at in window_looks(of, view, kept) if at > view.now)
    for rule in score.get("points", []):
        if "while" in rule:
            look = next_look(rule["while"], view)
            if look is not None:
                yield look
    for width in _widths(score) if "points" in score else ():
        yield from (time + width for time, _ in _expiring(name, width, view) if time + width > view.now)


def _crossing(name: str, view: View, last: int, bound: Decimal, *, inclusive: bool) -> int | None:
    """The first instant after now and up to `last` at which the reading lies on the other side of a bound.

    Until `last` the score moves in one direction only, so halving finds it.
    """

    def above(now: int) -> bool:
        found = reading(name, replace(view, now=now))
        return found >= bound if inclusive else found > bound

    low, high, side = view.now, last, above(view.now)
    if above(high) == side:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if above(middle) == side else (low, middle)
    return high


def _remembered_crossing(name: str, view: View, last: int, bound: Decimal, *, inclusive: bool) -> int | None:
    """The same, searched for once: seen from any later instant on the way, the crossing is the same one."""
    key = ("crossing", name, last, bound, inclusive, tuple(sorted(view.members.items())))
    if key not in view.history.memo or view.now < view.history.memo[key][0]:
        view.history.memo[key] = (view.now, _crossing(name, view, last, bound, inclusive=inclusive))
    found: int | None = view.history.memo[key][1]
    return found


def _looks(name: str, bounds: list[tuple[Decimal, bool]], view: View) -> Iterator[int]:
    score = view.file["scores"][name]
    last = min(_breaks(name, view), default=None)
    if last is not None:
        yield last
        last -= 1
    elif "half_life" in score:
        last = _decaying(name, view)[0] + _FOREVER_HALF_LIVES * duration_ms(score["half_life"])
    if last is not None and last > view.now and ("half_life" in score or "mix" in score):
        for bound, inclusive in bounds:
            crossing = _remembered_crossing(name, view, last, bound, inclusive=inclusive)
            if crossing is not None:
                yield crossing


def _score_looks(of: dict[str, Any], view: View) -> Iterator[int]:
    bounds = [(decimal_of(bound), key in ("gte", "lt")) for key, bound in of.items() if key != "name"]
    return _looks(of["name"], bounds, view)


def _tier_looks(of: dict[str, Any], view: View) -> Iterator[int]:
    bounds = view.file["scores"][of["name"]]["tiers"].values()
    return _looks(of["name"], [(decimal_of(bound), True) for bound in bounds if bound is not None], view)


leaf("score", _score_looks)(_score_truth)
leaf("tier", _tier_looks)(_tier_truth)
