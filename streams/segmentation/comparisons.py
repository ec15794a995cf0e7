"""Exact comparisons of quotients of whole numbers with bounds as they are written."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from streams.segmentation.problems import Findings, Spec
from streams.segmentation.quantities import NUMBER_SCHEMA, check_number, plainly
from streams.segmentation.refusals import ABSENT


def exactly(value: float) -> Fraction:
    """The number as it is written: 0.1 is a tenth."""
    return Fraction(Decimal(repr(value)))


def _number(value: object) -> Fraction:
    check_number(value, "expected a number, like 50 or 0.5")
    assert isinstance(value, int | float), "it is a number"
    return exactly(value)


Number = Annotated[Fraction, BeforeValidator(_number), NUMBER_SCHEMA]


class RatioBounds(Spec):
    """Bounds that must all hold of a number."""

    gte: Number | None = Field(default=None, description="At least this number.", examples=[50])
    gt: Number | None = Field(default=None, description="More than this number.", examples=[50])
    lte: Number | None = Field(default=None, description="At most this number.", examples=[50])
    lt: Number | None = Field(default=None, description="Less than this number.", examples=[50])

    def bounds(self) -> dict[str, Fraction]:
        """The bounds that are given, by name."""
        given: dict[str, Any] = {name: getattr(self, name, None) for name in ("gte", "gt", "lte", "lt", "eq")}
        return {name: bound for name, bound in given.items() if bound is not None}


class Bounds(RatioBounds):
    """Bounds that must all hold of a number, equality among them."""

    eq: Number | None = Field(default=None, description="Exactly this number.", examples=[50])


def check_bounds(spec: RatioBounds, path: str, findings: Findings) -> None:
    """Note bounds that are missing, or that no number can satisfy together."""
    bounds = spec.bounds()
    if not bounds:
        names = "gte, gt, lte, lt" + (", eq" if isinstance(spec, Bounds) else "")
        findings.add_whole(path, ABSENT, f"expected at least one comparison of {names}, like `gte: 3`")
    elif not satisfiable(bounds):
        findings.add_whole(path, {name: plainly(bound) for name, bound in bounds.items()}, APART)


APART = "expected bounds that a number can satisfy together, the lower one below the upper one"


def satisfiable(bounds: Mapping[str, Any]) -> bool:
    """Whether one value can satisfy all of `gte`, `gt`, `lte`, `lt` and `eq` that are given."""
    lows = [(bounds[name], name == "gt") for name in ("gte", "gt", "eq") if name in bounds]
    highs = [(bounds[name], name == "lt") for name in ("lte", "lt", "eq") if name in bounds]
    return not any(low > high or (low == high and (above or below)) for low, above in lows for high, below in highs)


class Comparisons:
    """Compiled bounds."""

    __slots__ = ("_bounds",)

    def __init__(self, spec: RatioBounds) -> None:
        self._bounds = [(name, bound.numerator, bound.denominator) for name, bound in spec.bounds().items()]

    def hold(self, numerator: int, denominator: int = 1) -> bool:
        """Whether every bound holds of the quotient; the denominator is positive."""
        for name, above, below in self._bounds:
            difference = numerator * below - above * denominator
            if name == "gte":
                holds = difference >= 0
            elif name == "gt":
                holds = difference > 0
            elif name == "lte":
                holds = difference <= 0
            elif name == "lt":
                holds = difference < 0
            else:
                holds = difference == 0
            if not holds:
                return False
        return True
