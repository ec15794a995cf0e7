"""What stands behind the reading of a score: its parts, its tier, and what bounds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from streams.segmentation.evidence import Evidence, Occurrence
from streams.segmentation.wording import number


@dataclass(frozen=True, slots=True)
class Contribution:
    """An event that a rule gave points for, as many as it was worth at its instant. Known where the log was read."""

    event: str
    points: float
    at: Occurrence


@dataclass(frozen=True, slots=True)
class ExpiringSum:
    """Points that vanish a fixed time after their event."""

    expires_after: str
    points: float
    events: int
    next_expiry_ms: int | None


@dataclass(frozen=True, slots=True)
class WhilePoints:
    """Points that are there while a condition holds."""

    condition: str
    points: float
    holds: bool


@dataclass(frozen=True, slots=True)
class MixedPart:
    """A part of a mix: between 0 and 1, times its weight."""

    measure: Literal["recency", "frequency", "monetary"]
    event: str
    weight: float
    part: float
    points: float
    newest: tuple[Occurrence, ...]


@dataclass(frozen=True, slots=True)
class ScoreParts:
    """Of what a score is made. Each part is rounded for itself."""

    undecayed: float = 0.0
    """Points that stay for good."""
    decaying: float | None = None
    """What is left now of points that are halved; None where the score has no half-life."""
    expiring: tuple[ExpiringSum, ...] = ()
    whiles: tuple[WhilePoints, ...] = ()
    mix: tuple[MixedPart, ...] = ()
    newest: tuple[Contribution, ...] = ()

    def told(self) -> str:
        """The parts that are not nothing: `31.2 decaying + 10 expiring after 7d`."""
        parts = [(self.decaying or 0.0, "decaying"), (self.undecayed, "undecayed")]
        parts += [(part.points, f"expiring after {part.expires_after}") for part in self.expiring]
        parts += [(part.points, f"while {part.condition}") for part in self.whiles if part.holds]
        parts += [(part.points, f"{part.measure} of {part.event}") for part in self.mix]
        return " + ".join(f"{number(round(points, 3))} {what}" for points, what in parts if points)


@dataclass(frozen=True, slots=True)
class ScoreEvidence(Evidence):
    """A score, read."""

    kind = "score"
    score: str
    reading: float
    tier: str | None
    bounded_by: Literal["cap", "floor"] | None
    """What holds the reading where it is."""
    unbounded: float
    """The reading without cap and floor."""
    parts: ScoreParts

    def found(self) -> str:
        parts = self.parts.told()
        return self.brief() + (f": {parts}" if parts else "")

    def brief(self) -> str:
        tier = "" if self.tier is None else f", tier {self.tier}"
        bounded = "" if self.bounded_by is None else f", at its {self.bounded_by} (else {number(self.unbounded)})"
        return f"is {number(self.reading)}{tier}{bounded}"
