"""The conditions on events, decisions, lists and segments: each with its truth and the instants to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle import cells
from tests.oracle.filters import elements, ends, equal, is_number, satisfies
from tests.oracle.history import Applied
from tests.oracle.notation import decimal_of, duration_ms
from tests.oracle.view import View, leaf

_MAX_NUMBER = 10**15
Kept = Callable[[Applied], bool]


# Events


def property_root(event: Applied, path: str, view: View) -> tuple[Any, str]:
    """Where a property's path begins, and the rest of it."""
    if path.startswith("@"):
        local = datetime.fromtimestamp(event.time // 1000, UTC).astimezone(ZoneInfo(view.file.get("zone", "UTC")))
        return {"@hour": local.hour, "@weekday": local.isoweekday(), "@date": local.date().isoformat()}, path
    if path.startswith("context."):
        return event.body.get("context") or {}, path.removeprefix("context.")
    return event.body.get("properties") or {}, path


def passes(event: Applied, where: list[dict[str, Any]], view: View) -> bool:
    """Whether an event passes every filter."""
    for each in where:
        root, path = property_root(event, each["property"], view)
        if not satisfies(root, path, {name: bound for name, bound in each.items() if name != "property"}):
            return False
    return True


def matching(of: dict[str, Any], view: View, *, include_machine: bool) -> list[Applied]:
    """Events of that name that pass the filters, at any time."""
    key = ("matching", id(of), include_machine)
    if key not in view.history.memo:
        view.history.memo[key] = [
            event
            for event in view.history.events()
            if event.body["event"] == of["event"]
            and (include_machine or not event.machine)
            and passes(event, of.get("where", []), view)
        ]
    found: list[Applied] = view.history.memo[key]
    return found


def _timed(of: dict[str, Any], view: View, kept: Kept | None) -> list[tuple[int, Applied]]:
    """Matching events, each with the time at which it counts; `kept` are those that a bound holds for."""
    found = matching(of, view, include_machine=of.get("include_machine", False))
    if kept is None or ("within" not in of and "since" not in of):
        return [(event.time, event) for event in found]
    key = ("timed", id(of))
    if key not in view.history.memo:
        window = duration_ms(of.get("within", "3650d"))
        told = [(event.time, event) for event in found if kept(event)]
        view.history.memo[key] = cells.counted_at(told, window, lambda event: _over(of, view, event))
    timed: list[tuple[int, Applied]] = view.history.memo[key]
    return timed


def _over(of: dict[str, Any], view: View, event: Applied) -> int:
    """When an event is applied, what lies at or before this instant counts no more: no window nor start goes back."""
    reach = sum(duration_ms(of[name]) for name in ("within", "ago") if name in of)
    over = event.clock - reach if "within" in of else -1
    if "since" in of:
        so_far = {id(record) for record in view.history.applied[: view.history.applied.index(event) + 1]}
        marks = matching(of["since"], view, include_machine=of.get("include_machine", False))
        times = sorted((mark.time for mark in marks if id(mark) in so_far), reverse=True)
        nth = of["since"].get("nth", 1)
        over = max(over, times[nth - 1]) if len(times) >= nth else over
    return over


def counted(of: dict[str, Any], view: View, kept: Kept | None = None) -> list[Applied]:
    """Matching events in the window and after the `since` event."""
    newest = view.now - (duration_ms(of["ago"]) if "ago" in of else 0)
    found = [(time, event) for time, event in _timed(of, view, kept) if time <= newest]
    if "within" in of:
        oldest = newest - duration_ms(of["within"])
        found = [(time, event) for time, event in found if oldest < time]
    if "since" in of:
        machine = of.get("include_machine", False)
        marks = sorted((event.time for event in matching(of["since"], view, include_machine=machine)), reverse=True)
        nth = of["since"].get("nth", 1)
        found = [(time, event) for time, event in found if len(marks) >= nth and time > marks[nth - 1]]
    return [event for _, event in found]


def window_looks(of: dict[str, Any], view: View, kept: Kept | None = None) -> Iterator[int]:
    """When events come into the window and when they leave it."""
    ago = duration_ms(of["ago"]) if "ago" in of else 0
    delays = [ago, ago + duration_ms(of["within"])] if "within" in of else [ago]
    for time, _ in _timed(of, view, kept):
        yield from (time + delay for delay in delays)


def _count_satisfies(of: dict[str, Any], count: int) -> bool:
    if "between" in of:
        low, high = of["between"]
        return bool(low <= count <= high)
    if "exactly" in of:
        return bool(count == of["exactly"])
    if "at_most" in of:
        return bool(count <= of["at_most"])
    return bool(count >= of.get("at_least", 1))


@leaf("performed", window_looks)
def performed(of: dict[str, Any], view: View) -> bool:
    """The number of matching events satisfies the comparison."""
    return _count_satisfies(of, len(counted(of, view)))


@leaf("not_performed", window_looks)
def not_performed(of: dict[str, Any], view: View) -> bool:
    """No matching event."""
    return not counted(of, view)


def compares(value: Fraction | None, of: dict[str, Any]) -> bool:
    """Whether a value satisfies every comparison given; None satisfies none."""
    if value is None:
        return False
    tests = {
        "gte": value.__ge__,
        "gt": value.__gt__,
        "lte": value.__le__,
        "lt": value.__lt__,
        "eq": value.__eq__,
    }
    return all(tests[name](Fraction(decimal_of(bound))) for name, bound in of.items() if name in tests)


def _values_in(event: Applied, of: dict[str, Any], view: View) -> list[Any]:
    """What an event has under the property; several where the path leads through a list."""
    root, path = property_root(event, of["property"], view)
    return elements(ends(root, path.split(".")))


def values_of(of: dict[str, Any], view: View, kept: Kept | None = None) -> list[Any]:
    """What the counted events have under the property."""
    return [value for event in counted(of, view, kept) for value in _values_in(event, of, view)]


def with_numbers(of: dict[str, Any], view: View) -> Kept:
    """Keeps the events that have a number under the property."""
    return lambda event: bool(numbers(_values_in(event, of, view)))


def every_event(_event: Applied) -> bool:
    """Keeps all events."""
    return True


def is_numeric(value: object) -> bool:
    """Whether a property's value is a number to reckon with: one beyond 1e15 is none."""
    return is_number(value) and abs(value) <= _MAX_NUMBER


def numbers(values: list[Any]) -> list[Fraction]:
    """The numeric ones, exactly as they are written."""
    return [Fraction(decimal_of(value)) for value in values if is_numeric(value)]


def total(values: list[Any]) -> Fraction:
    """The sum of values taken as decimals of nine places."""
    return sum((Fraction(round(value, 9)) for value in numbers(values)), Fraction(0))


def _kept_of_aggregate(of: dict[str, Any], view: View) -> Kept | None:
    return with_numbers(of, view) if of["function"] in ("sum", "avg") else None


@leaf("aggregate", lambda of, view: window_looks(of, view, _kept_of_aggregate(of, view)))
def aggregate(of: dict[str, Any], view: View) -> bool:
    """The aggregate over the property satisfies every comparison."""
    values = values_of(of, view, _kept_of_aggregate(of, view))
    found = numbers(values)
    result: Fraction | None
    if of["function"] == "distinct":
        different: list[Any] = []
        for value in values:
            if not isinstance(value, dict) and not any(equal(value, other) for other in different):
                different.append(value)
        result = Fraction(len(different))
    elif of["function"] == "sum":
        result = total(values)
    elif not found:
        result = None
    else:
        result = {"avg": total(values) / len(found), "min": min(found), "max": max(found)}[of["function"]]
    return compares(result, of)


def _ratio_looks(of: dict[str, Any], view: View) -> Iterator[int]:
    yield from window_looks(of["of"], view, every_event)
    yield from window_looks(of["to"], view, every_event)


@leaf("ratio", _ratio_looks)
def ratio(of: dict[str, Any], view: View) -> bool:
    """The quotient of two counts satisfies every comparison."""
    above, below = (len(counted(of[name], view, every_event)) for name in ("of", "to"))
    return below >= max(1, of.get("min", 1)) and compares(Fraction(above, below), of)


def _sequence_looks(of: dict[str, Any], view: View) -> Iterator[int]:
    if "in_last" in of:
        for event in view.history.events():
            yield event.time + duration_ms(of["in_last"])


@leaf("sequence", _sequence_looks)
def sequence(of: dict[str, Any], view: View) -> bool:
    """Events match the steps one strictly after the other, soon enough and lately enough."""
    machine = of.get("include_machine", False)
    steps = [[event.time for event in matching(step, view, include_machine=machine)] for step in of["steps"]]
    if "in_last" in of or all(len(times) <= cells.BOUND.entries for times in steps):
        return _completed(of, [cells.newest(times) for times in steps], view.now)
    # What once has happened stays so, though events of it are forgotten.
    return any(
        _completed(of, [cells.newest(_of_first(view, step, upto, machine=machine)) for step in of["steps"]], view.now)
        for upto in range(1, len(view.history.applied) + 1)
    )


def _of_first(view: View, step: dict[str, Any], upto: int, *, machine: bool) -> list[int]:
    """Times of the matching events among the first records that were applied."""
    first = {id(record) for record in view.history.applied[:upto]}
    return [event.time for event in matching(step, view, include_machine=machine) if id(event) in first]


def _completed(of: dict[str, Any], steps: list[list[int]], now: int) -> bool:
    def ends_from(first: int) -> list[int]:
        reached = [first]
        for times in steps[1:]:
            reached = [time for time in times if any(before < time for before in reached)]
        return [time for time in reached if time - first <= duration_ms(of["within"])]

    lasts = [last for first in steps[0] for last in ends_from(first)]
    return any("in_last" not in of or now - duration_ms(of["in_last"]) < last for last in lasts)


# Decisions, lists and other segments


@leaf("consent", lambda _of, _view: [])
def consent(of: dict[str, Any], view: View) -> bool:
    """The latest decision is the one named."""
    names = {True: "granted", False: "denied", None: "unknown"}
    return bool(names[view.history.consent(of["purpose"])] == of["is"])


@leaf("listed", lambda _of, _view: [])
def listed(of: str, view: View) -> bool:
    """The contact is on the list."""
    return view.history.listed(of)


@leaf("in_segment", lambda _of, _view: [])
def in_segment(of: str, view: View) -> bool:
    """The contact is in that segment at this step."""
    return view.members[of]
