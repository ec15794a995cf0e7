"""Which events are meant: a name, filters on properties, and whether suspected machines count."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from schemas.records import Track
from streams.segmentation import wording
from streams.segmentation.calendars import local
from streams.segmentation.problems import Spec
from streams.segmentation.quantities import Event
from streams.segmentation.refusals import keys_of
from streams.segmentation.shapes import some_of
from streams.segmentation.values import Operators, Predicate, found

Path = Annotated[str, StringConstraints(min_length=1, max_length=256)]
CLOCK_PROPERTIES: dict[str, Callable[[int, tzinfo], Any]] = {
    "@hour": lambda at_ms, zone: local(at_ms, zone).hour,
    "@weekday": lambda at_ms, zone: local(at_ms, zone).isoweekday(),
    "@date": lambda at_ms, zone: local(at_ms, zone).date().isoformat(),
}
"""Properties that every event has by its time, in the zone of the file."""
_CONTEXT = "context."


INCLUDE_MACHINE: Any = Field(
    default=False, description="Whether events count that a machine is suspected to have caused.", examples=[True]
)


class Filter(Operators):
    """A property, by its dotted path, and what must hold of it."""

    model_config = ConfigDict(json_schema_extra=some_of(*keys_of(Operators)))

    property: Path = Field(
        description="The property, by its dotted path; context.x reaches into the context, and @hour, @weekday and "
        "@date are the event's time.",
        examples=["amount"],
    )


class EventSpec(Spec):
    """An event by name, and filters that must all hold."""

    event: Event = Field(description="The name of the event.", examples=["purchase"])
    where: list[Filter] = Field(
        default_factory=list,
        description="Filters on its properties; all must hold.",
        examples=[[{"property": "amount", "gte": 50}]],
    )


class CountedSpec(EventSpec):
    """Events that count; suspected machines do not unless they are included."""

    include_machine: bool = INCLUDE_MACHINE


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
