"""`performed` and `not_performed`: how many matching events lie inside a window."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import tzinfo
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from streams.segmentation.canonical import meaning
from streams.segmentation.conditions.counting import UNBOUNDED, CountUnit
from streams.segmentation.patterns import MAX_COUNT, CountedSpec, SinceSpec
from streams.segmentation.problems import Findings
from streams.segmentation.quantities import Duration
from streams.segmentation.refusals import wrong
from streams.segmentation.shapes import one_of_or_none
from streams.segmentation.units import LeafKind, Scope, Unit
from streams.segmentation.wording import counted, plural


def _at_least(value: object) -> object:
    if value == 0 and not isinstance(value, bool):
        raise wrong("expected at least 1: a count is never below 0, so `at_least: 0` would always hold")
    return value


def _in_order(pair: list[int]) -> list[int]:
    if pair[0] > pair[1]:
        raise wrong("expected the lower bound first: no count is above the one and below the other", f"{pair[::-1]}")
    return pair


Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
_COMPARISONS = ("at_least", "at_most", "exactly", "between")


class NotPerformedSpec(CountedSpec):
    """The contact did no such thing in the window, or ever."""

    within: Duration | None = Field(
        default=None, description="Only events of this last time; without it, of all time.", examples=["7d"]
    )
    since: SinceSpec | None = Field(
        default=None, description="Only events after the newest of these.", examples=[{"event": "cart_add"}]
    )

    def span(self) -> tuple[int, int]:
        """The least and the greatest count at which the condition is true."""
        return 0, 0


class PerformedSpec(NotPerformedSpec):
    """The contact did something so many times in the window, or ever."""

    model_config = ConfigDict(json_schema_extra=one_of_or_none(*_COMPARISONS))

    at_least: Annotated[int, Field(ge=1, le=MAX_COUNT), BeforeValidator(_at_least)] | None = Field(
        default=None, description="So many events or more; 1 if no number is given.", examples=[3]
    )
    at_most: Count | None = Field(default=None, description="So many events or fewer; none counts too.", examples=[2])
    exactly: Count | None = Field(default=None, description="Exactly so many events.", examples=[1])
    between: Annotated[list[Count], Field(min_length=2, max_length=2), AfterValidator(_in_order)] | None = Field(
        default=None, description="The least and the greatest number of events.", examples=[[2, 5]]
    )

    def span(self) -> tuple[int, int]:
        """The least and the greatest count at which the condition is true."""
        if self.between is not None:
            return self.between[0], self.between[1]
        if self.exactly is not None:
            return self.exactly, self.exactly
        if self.at_most is not None:
            return 0, self.at_most
        return 1 if self.at_least is None else self.at_least, UNBOUNDED


def _check(spec: PerformedSpec, _scope: Scope, path: str, findings: Findings) -> None:
    given = {name: bound for name in _COMPARISONS if (bound := getattr(spec, name)) is not None}
    if len(given) > 1:
        findings.add(
            path,
            given,
            f"expected one comparison of {', '.join(_COMPARISONS)}, not several; a range is `between: [2, 5]`",
        )


def _build(spec: Any, zone: tzinfo) -> Unit:
    return CountUnit(spec, zone)


def _wording(body: Any) -> str:
    name = next((name for name in _COMPARISONS if body.get(name) is not None), None)
    bound: Any = 1 if name is None else body[name]
    if name == "between":
        how_often = f"between {bound[0]} and {plural(bound[1], 'time')}"
    else:
        how_often = f"{(name or 'at_least').replace('_', ' ')} {plural(bound, 'time')}"
    return f"{counted(body)}, {how_often}"


def _past(spec: NotPerformedSpec) -> str:
    return meaning(spec, without=("within", *_COMPARISONS))


def _asks(spec: NotPerformedSpec) -> Hashable:
    return spec.within, spec.span()


PERFORMED = LeafKind(PerformedSpec, _build, _check, wording=_wording, past=_past, asks=_asks)
NOT_PERFORMED = LeafKind(NotPerformedSpec, _build, wording=lambda body: f"no {counted(body)}", past=_past, asks=_asks)
