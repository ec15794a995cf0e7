"""Exact comparisons of quotients of whole numbers with bounds as they are written."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from streams.segmentation.problems import Findings, Spec
from streams.segmentation.quantities import MAX_MAGNITUDE


def exactly(value: float) -> Fraction:
    """The number as it is written: 0.1 is a tenth."""
    return Fraction(Decimal(repr(value)))


def _number(value: object) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -MAX_MAGNITUDE <= value <= MAX_MAGNITUDE:
        raise ValueError("expected a number of at most 1e15")
    return exactly(value)


Number = Annotated[Fraction, BeforeValidator(_number), WithJsonSchema({"type": "number"})]


class RatioBounds(Spec):
    """Bounds that must all hold of a number."""

    gte: Number | None = None
    gt: Number | None = None
    lte: Number | None = None
    lt: Number | None = None

    def bounds(self) -> dict[str, Fraction]:
        """The bounds that are given, by name."""
        given: dict[str, Any] = {name: getattr(self, name, None) for name in ("gte", "gt", "lte", "lt", "eq")}
        return {name: bound for name, bound in given.items() if bound is not None}


class Bounds(RatioBounds):
    """Bounds that must all hold of a number, equality among them."""

    eq: Number | None = None


def check_bounds(spec: RatioBounds, path: str, findings: Findings) -> None:
    """Note bounds that are missing, or that no number can satisfy together."""
    bounds = spec.bounds()
    if not bounds:
        findings.add(
            path, None, "expected at least one comparison of gte, gt, lte, lt" + (", eq" * hasattr(spec, "eq"))
        )
        return
    lows = [(bounds[name], name == "gt") for name in ("gte", "gt", "eq") if name in bounds]
    highs = [(bounds[name], name == "lt") for name in ("lte", "lt", "eq") if name in bounds]
    for low, above in lows:
        for high, below in highs:
            if low > high or (low == high and (above or below)):
                findings.add(path, {name: float(bound) for name, bound in bounds.items()},
                             "expected bounds that a number can satisfy together")  # fmt: skip
                return


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
