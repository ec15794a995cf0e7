"""Which events are meant: a name, filters on properties, and whether suspected machines count."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from streams.segmentation.problems import Spec
from streams.segmentation.quantities import Event
from streams.segmentation.refusals import keys_of
from streams.segmentation.shapes import some_of
from streams.segmentation.values import Operators

Path = Annotated[str, StringConstraints(min_length=1, max_length=256)]


MAX_COUNT = 1000
"""No condition counts further."""

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


class SinceSpec(EventSpec):
    """Only events strictly after the nth newest of these count."""

    nth: Annotated[int, Field(ge=1, le=MAX_COUNT)] = Field(
        default=1, description="The how many-th newest of these events is the start.", examples=[5]
    )
