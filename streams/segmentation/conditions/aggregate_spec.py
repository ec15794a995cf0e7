"""How an `aggregate` stands in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from streams.segmentation.comparisons import Bounds, RatioBounds
from streams.segmentation.evidence import Evidence, Occurrence, Reach, listed, plain
from streams.segmentation.patterns import MAX_COUNT, CountedSpec, Path, SinceSpec
from streams.segmentation.quantities import Duration
from streams.segmentation.shapes import some_of
from streams.segmentation.wording import bounds, counted, number, plural

_SHAPE: JsonDict = {
    **some_of(*RatioBounds.model_fields, "eq"),
    "if": {"properties": {"function": {"const": "distinct"}}, "required": ["function"]},
    "then": {"properties": {name: {"maximum": MAX_COUNT} for name in Bounds.model_fields}},
}


class AggregateSpec(CountedSpec, Bounds):
    """The sum, average, least, greatest or number of different values of a property, within bounds."""

    model_config = ConfigDict(json_schema_extra=_SHAPE)

    property: Path = Field(description="The property of the events, by its dotted path.", examples=["amount"])
    function: Literal["sum", "avg", "min", "max", "distinct"] = Field(
        description="Sum, average, least or greatest value, or the number of different values.", examples=["sum"]
    )
    within: Duration | None = Field(
        default=None, description="Only events of this last time; without it, of all time.", examples=["7d"]
    )
    since: SinceSpec | None = Field(
        default=None, description="Only events after the newest of these.", examples=[{"event": "cart_add"}]
    )


@dataclass(frozen=True, slots=True)
class AggregateEvidence(Evidence):
    """The value of the function, and what takes part in it."""

    kind = "aggregate"
    value: float | None
    """None: nothing takes part; or, of a `min` or `max`, only the range is kept."""
    count: int | None
    """Events that take part; None where they are not counted."""
    newest: tuple[Occurrence, ...]
    reach: Reach
    or_more: bool = False
    """The condition needs no more different values, so the state keeps no more."""
    above: float | None = None
    below: float | None = None
    """The range in which a `min` or `max` lies, both ends left out."""
    values: tuple[Any, ...] = ()
    """Different values, the one seen last first."""

    def found(self) -> str:
        return f"is {self._value()}{listed(self.newest)}{self.reach.told()}"

    def _value(self) -> str:
        if self.values:
            told = ", ".join(map(plain, self.values[:3])) + ", …" * (len(self.values) > 3)
            return f"{number(self.value or 0)}{' or more' * self.or_more} ({told})"
        if self.value is not None:
            return number(self.value) + ("" if self.count is None else f" over {plural(self.count, 'event')}")
        ends = [
            f"{word} {number(end)}" for word, end in (("above", self.above), ("below", self.below)) if end is not None
        ]
        return " and ".join(ends) or "without a value"


def wording(body: dict[str, Any]) -> str:
    """The aggregate as a person would say it."""
    function = "different values" if body["function"] == "distinct" else body["function"]
    return f"{function} of {body['property']} over {counted(body)} {bounds(body)}"
