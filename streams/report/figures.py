"""The figures of a report, as the table and the page show them. Durations and instants are in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

FLAP_MS = 86_400_000
"""Who comes back to a segment within this long after leaving it flaps: a workflow would start twice in a day."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram."""

    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Interval:
    """What happened to a segment in one stretch of time: entries, exits, and who was in it at its end."""

    at_ms: int
    entries: int
    exits: int
    members: int


@dataclass(frozen=True, slots=True)
class SegmentFigures:
    """What became of one segment."""

    name: str
    description: str
    tags: tuple[str, ...]
    entries: int
    exits: int
    flapping: int
    """Contacts that came back within `FLAP_MS`."""
    stay_median_ms: int | None
    """Of the stays that ended, the smallest that at least half of them do not exceed."""
    stay_p90_ms: int | None
    stays: tuple[Bar, ...]
    course: tuple[Interval, ...]
    """Stretches in which something happened, in order of time."""

    @property
    def members(self) -> int:
        """Contacts that are in it at the end."""
        return self.entries - self.exits


@dataclass(frozen=True, slots=True)
class ScoreFigures:
    """How a score reads at the end, over all contacts that exist."""

    name: str
    description: str
    contacts: int
    by_tier: bool
    bars: tuple[Bar, ...]
    least: float | None
    median: float | None
    greatest: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """What a simulation came to."""

    definitions: str
    events: tuple[str, ...]
    partitions: int
    begun_ms: int
    ended_ms: int
    interval_ms: int
    """How long the stretches of the segments' courses are."""
    totals: tuple[Bar, ...]
    """Lines by what became of them, and what is to be known of the records applied."""
    segments: tuple[SegmentFigures, ...]
    scores: tuple[ScoreFigures, ...]
