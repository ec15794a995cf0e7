"""Event specs, compiled: which events are meant, and what lies under the paths of their properties."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from typing import Any

from schemas.records import Track
from streams.segmentation import wording
from streams.segmentation.calendars import local
from streams.segmentation.patterns import EventSpec, Filter
from streams.segmentation.values import Predicate, found

CLOCK_PROPERTIES: dict[str, Callable[[int, tzinfo], Any]] = {
    "@hour": lambda at_ms, zone: local(at_ms, zone).hour,
    "@weekday": lambda at_ms, zone: local(at_ms, zone).isoweekday(),
    "@date": lambda at_ms, zone: local(at_ms, zone).date().isoformat(),
}
"""Properties that every event has by its time, in the zone of the file."""
_CONTEXT = "context."


def _filter(spec: Filter, zone: tzinfo) -> Callable[[Track, int], bool]:
    clock = CLOCK_PROPERTIES.get(spec.property)
    if clock is not None:
        predicate = Predicate("value", spec)
        return lambda _event, at_ms: predicate.holds({"value": clock(at_ms, zone)})
    if spec.property.startswith(_CONTEXT):
        predicate = Predicate(spec.property.removeprefix(_CONTEXT), spec)
        return lambda event, _at_ms: predicate.holds(event.context)
    predicate = Predicate(spec.property, spec)
    return lambda event, _at_ms: predicate.holds(event.properties)


class Pattern:
    """A compiled event spec."""

    __slots__ = ("_filters", "_include_machine", "_spec", "event")

    def __init__(self, spec: EventSpec, zone: tzinfo, include_machine: bool) -> None:
        self.event = spec.event
        self._include_machine = include_machine
        self._filters = [_filter(each, zone) for each in spec.where]
        self._spec = spec

    def __str__(self) -> str:
        words = wording.event(self._spec.model_dump(by_alias=True, exclude_none=True))
        return f"{words}, machines too" if self._include_machine else words

    def matches(self, event: Track, at_ms: int) -> bool:
        """Whether an event with event time `at_ms` is meant."""
        if event.event != self.event:
            return False
        if not self._include_machine and event.machine is not None and event.machine.suspected:
            return False
        return not self._filters or all(test(event, at_ms) for test in self._filters)


def property_of(path: str, zone: tzinfo) -> Callable[[Track, int], list[Any]]:
    """Reads a property of an event: all values at the end of its path, which are several where it meets a list."""
    clock = CLOCK_PROPERTIES.get(path)
    if clock is not None:
        return lambda _event, at_ms: [clock(at_ms, zone)]
    steps = tuple(path.removeprefix(_CONTEXT).split("."))
    if path.startswith(_CONTEXT):
        return lambda event, _at_ms: list(found(event.context, steps))
    return lambda event, _at_ms: list(found(event.properties, steps))
