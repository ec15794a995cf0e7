"""A plan: what would change for whom, in figures and in examples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["added", "changed", "removed", "unchanged"]


@dataclass(frozen=True, slots=True)
class Reasons:
    """How a contact stands with a segment, and the conditions that decide on it."""

    member: bool
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A contact that would enter or leave, and why."""

    contact_id: str
    enters: bool
    before: Reasons | None
    """None where the segment, or the contact, is not there."""
    after: Reasons | None


@dataclass(slots=True)
class SegmentChange:
    """What would become of a segment."""

    name: str
    kind: Kind
    tags: tuple[str, ...]
    members_before: int = 0
    members_after: int = 0
    entering: int = 0
    leaving: int = 0
    samples: list[Sample] = field(default_factory=list)


@dataclass(slots=True)
class ScoreChange:
    """What would become of a score's tiers. A contact without a tier counts under the empty name."""

    name: str
    kind: Kind
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By the tiers before and after, where they differ."""


@dataclass(frozen=True, slots=True)
class Lookback:
    """A condition that looks further back than the log reaches."""

    place: str
    """Path of the segment or score in the file."""
    needs_ms: int | None
    """None: all time."""


@dataclass(frozen=True, slots=True)
class ListMoves:
    """Contacts that `segue apply` would put on a list of the file, or take off: they are in no other figure."""

    name: str
    put_on: int
    taken_off: int


@dataclass(slots=True)
class Plan:
    """What definitions would change."""

    before_hash: str
    before_number: int
    after_hash: str
    partitions: int
    records: int
    """In the log, up to where it was read."""
    segments: list[SegmentChange]
    scores: list[ScoreChange]
    log_begins_ms: int
    """The earliest Kafka timestamp in the log."""
    log_is_cut: bool
    """Whether retention has removed the start of the log."""
    as_of_ms: int
    """The clock that the comparison is of, the earliest of all partitions'."""
    short: list[Lookback]
    behind: int = 0
    """Records that the workers had not folded; they are not compared."""
    lists: list[ListMoves] = field(default_factory=list)
    """Of those that would change."""
    contacts: int = 0
    """In the build."""
    looked_at: int = 0
    """Contacts whose scores and states were compared: the first ones of each partition, where there are many."""
    bytes_before: int = 0
    """Of the states of those that were looked at."""
    bytes_after: int = 0
    before_semantics: str = ""
    after_semantics: str = ""

    @property
    def entering(self) -> int:
        """Transitions that would say that somebody enters."""
        return sum(segment.entering for segment in self.segments)

    @property
    def leaving(self) -> int:
        """Transitions that would say that somebody leaves."""
        return sum(segment.leaving for segment in self.segments)

    @property
    def is_empty(self) -> bool:
        """Whether the definitions that hold are the same text, for the same semantics."""
        return (self.before_hash, self.before_semantics) == (self.after_hash, self.after_semantics)
