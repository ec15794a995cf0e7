"""How an `aggregate` stands in the file."""

from __future__ import annotations

from typing import Literal

from streams.segmentation.comparisons import Bounds
from streams.segmentation.patterns import CountedSpec, Path
from streams.segmentation.quantities import Duration
from streams.segmentation.windows import SinceSpec


class AggregateSpec(CountedSpec, Bounds):
    """An aggregate over a property of matching events, and its bounds."""

    property: Path
    function: Literal["sum", "avg", "min", "max", "distinct"]
    within: Duration | None = None
    since: SinceSpec | None = None
