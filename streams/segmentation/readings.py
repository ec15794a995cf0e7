"""What every score is to the rest of the core: a reading, and the leaves and tiers that it decides."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

from mypy_extensions import mypyc_attr

from streams.segmentation.contact import Contact
from streams.segmentation.evidence import Past
from streams.segmentation.quantities import NEVER
from streams.segmentation.score_evidence import ScoreEvidence, ScoreParts
from streams.segmentation.scores import UNBOUNDED, ScoreSpec, Span
from streams.segmentation.units import Unit


class Watched(NamedTuple):
    """Leaves that read a score: each bit with the readings at which it is true, and all bounds in rising order."""

    leaves: list[tuple[int, Span]]
    bounds: list[int]


@mypyc_attr(allow_interpreted_subclasses=True)
class ScoreUnit(Unit):
    """A score and all leaves that read it."""

    def __init__(self, name: str, spec: ScoreSpec) -> None:
        super().__init__()
        self.name = name
        self._low = -UNBOUNDED if spec.floor is None else spec.floor
        self._high = UNBOUNDED if spec.cap is None else spec.cap
        self._watched = Watched([], [])
        self._watched_of: dict[int, Watched] = {}
        self._tiers = spec.tier_spans()

    def watch(self, bit: int, span: Span) -> None:
        """Let `bit` be true while the reading lies in `span`."""
        self.mask |= bit
        self._watched = self._watching([*self._watched.leaves, (bit, span)])
        self._watched_of.clear()

    def _watching(self, leaves: list[tuple[int, Span]]) -> Watched:
        # A bound outside of (floor, cap] is never passed by the bounded reading.
        return Watched(
            leaves, sorted({bound for _, span in leaves for bound in span if self._low < bound <= self._high})
        )

    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:
        return self.look_at(self._watched, contact, now_ms)

    def look_for(self, wanted: int, contact: Contact, now_ms: int) -> tuple[int, int]:
        watched = self._watched_of.get(wanted)
        if watched is None:
            leaves = [leaf for leaf in self._watched.leaves if leaf[0] & wanted]
            watched = self._watched_of[wanted] = self._watching(leaves)
        bits, flip_ms = self.look_at(watched, contact, now_ms)
        return bits, flip_ms if flip_ms == NEVER else self.next_turn(watched, contact, now_ms, flip_ms)

    @abstractmethod
    def next_turn(self, watched: Watched, contact: Contact, now_ms: int, flip_ms: int) -> int:
        """The first instant after `now_ms` at which one of the leaves turns by time alone; `look_at` said `flip_ms`."""

    @abstractmethod
    def look_at(self, watched: Watched, contact: Contact, now_ms: int) -> tuple[int, int]:
        """As `look`, for some of the leaves. Its instant may be an edge, at which none of them turns after all."""

    def span_of_tier(self, name: str) -> Span:
        """The readings of one tier."""
        return self._tiers[name]

    def reading(self, contact: Contact, now_ms: int) -> int:
        """The score read at `now_ms`, in thousandths, within floor and cap."""
        return self._bounded(self.unbounded(contact, now_ms))

    def _bounded(self, unbounded: int) -> int:
        if unbounded > self._high:
            return self._high
        return unbounded if unbounded > self._low else self._low

    @abstractmethod
    def unbounded(self, contact: Contact, now_ms: int) -> int:
        """`floor(1000 * S + 0.5)` at `now_ms`, in thousandths."""

    def tier_of(self, reading: int) -> str | None:
        """The tier in which a reading, in thousandths, lies."""
        return next((name for name, (low, high) in self._tiers.items() if low <= reading < high), None)

    @abstractmethod
    def parts(self, contact: Contact, now_ms: int, past: Past) -> ScoreParts:
        """Of what the score is made at `now_ms`."""

    def evidence(self, contact: Contact, now_ms: int, past: Past, asked: Any = None) -> ScoreEvidence:  # noqa: ARG002 - all leaves of a score ask for its reading
        unbounded = self.unbounded(contact, now_ms)
        reading = self._bounded(unbounded)
        return ScoreEvidence(
            self.name,
            reading / 1000,
            self.tier_of(reading),
            None if reading == unbounded else "cap" if reading < unbounded else "floor",
            unbounded / 1000,
            self.parts(contact, now_ms, past),
        )

    def bits_of(self, watched: Watched, unbounded: int) -> int:
        """The leaves that are true at a reading."""
        reading = self._bounded(unbounded)
        bits = 0
        for bit, (low, high) in watched.leaves:
            if low <= reading < high:
                bits |= bit
        return bits
