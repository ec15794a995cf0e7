"""What a leaf condition is made of: a spec in the file, and a unit that watches a contact.

A *unit* keeps one slot of a contact's state, owns one or more bits of truth, and knows the next instant
at which one of them may flip by time alone. Leaves that rest on the same past share a unit, whatever they
ask of it: all leaves on one score, all counts of the same events.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, TypeAlias

from mypy_extensions import mypyc_attr
from pydantic import BaseModel

from schemas.records import Track
from streams.segmentation.canonical import meaning
from streams.segmentation.evidence import Evidence, Past
from streams.segmentation.problems import Findings
from streams.segmentation.quantities import NEVER
from streams.segmentation.windows import Cells
from streams.segmentation.wording import Wording, one_line

if TYPE_CHECKING:
    from streams.segmentation.contact import Contact
    from streams.segmentation.scores import ScoreSpec

Test: TypeAlias = Callable[[int], bool]
"""A condition on a contact's bits."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Unit(ABC):
    """Watches one thing of a contact. Stateless itself: the state is the contact's slot `index`."""

    index: int
    """Place of its slot and its flip."""

    def __init__(self) -> None:
        self.mask = 0
        """The bits it owns."""
        self.events: frozenset[str] = frozenset()
        """Names of the events that may touch it."""
        self.facts: frozenset[str] = frozenset()
        """Names of the facts that it reads."""
        self.reads = 0
        """Bits of others that it reads. One that reads some is looked at after them."""
        self.standing = False
        """Whether it may hold, or flip, of a contact of whom it has seen neither an event nor a fact."""
        self.timed = False
        """Whether time alone can flip one of its bits."""
        self.forgets = False
        """Whether time alone makes something in its slot useless."""
        self.cells: tuple[Cells, ...] = ()
        """What bounds its windows."""

    def watch(self, bit: int, asked: Any) -> None:  # noqa: ARG002 - what is asked is all that its spec says
        """Own one more bit: the truth of what is asked, for most kinds of leaves by their spec."""
        self.mask |= bit

    def fresh(self) -> Any:
        """The slot of a contact of whom nothing is known."""
        return None

    def touch(self, contact: Contact, event: Track, at_ms: int, now_ms: int) -> bool:  # noqa: ARG002 - an interface
        """Fold an event with event time `at_ms` into the slot; whether anything changed."""
        return False

    @abstractmethod
    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:
        """Which of its bits are true at `now_ms`, and the first instant after it at which one may flip.

        That instant supposes that only the clock moves; it is `NEVER` where none can flip so.
        """

    def look_for(self, wanted: int, contact: Contact, now_ms: int) -> tuple[int, int]:  # noqa: ARG002 - most answer at once
        """As `look`, where only the bits in `wanted` matter: those of others, and their flips, may be left out."""
        return self.look(contact, now_ms)

    def forget(self, slot: Any, now_ms: int) -> None:  # noqa: B027 - most have nothing to forget
        """Drop what no instant from `now_ms` on asks for, so that it is not stored."""

    @abstractmethod
    def evidence(self, contact: Contact, now_ms: int, past: Past, asked: Any) -> Evidence:
        """What a leaf rests on at `now_ms`: `asked` is its spec; `past` lends event ids to the times that are kept."""

    def keeps(self) -> tuple[str, ...]:
        """What it keeps of a contact at most, in words; facts are the contact's and left out."""
        return ()

    def largest(self) -> Any:
        """The stored form of a slot that takes as much room as one can."""
        return None

    def store(self, slot: Any) -> Any:
        """The slot in a form that is stored."""
        return slot

    def restore(self, stored: Any) -> Any:
        """The slot in stored form, as it is worked on."""
        return stored


def note_flip(flips: dict[int, int], index: int, flip_ms: int) -> None:
    """Let a unit's next flip be at `flip_ms`."""
    if flip_ms < NEVER:
        flips[index] = flip_ms
    elif index in flips:
        del flips[index]


def look(contact: Contact, units: Iterable[Unit], now_ms: int) -> int:
    """Read the units' bits at `now_ms` and their next flips into the contact; the bits that changed."""
    before = bits = contact.bits
    for unit in units:
        true, flip_ms = unit.look(contact, now_ms)
        note_flip(contact.flips, unit.index, flip_ms)
        bits = bits & ~unit.mask | true
    contact.bits = bits
    return before ^ bits


def look_ahead(contact: Contact, units: Iterable[Unit], now_ms: int, wanted: int) -> int:
    """As `look`, for those bits alone that are in `wanted`."""
    before = bits = contact.bits
    for unit in units:
        true, flip_ms = unit.look_for(wanted, contact, now_ms)
        note_flip(contact.flips, unit.index, flip_ms)
        mask = unit.mask & wanted
        bits = bits & ~mask | true & mask
    contact.bits = bits
    return before ^ bits


@dataclass(frozen=True, slots=True)
class Scope:
    """What a condition may refer to."""

    scores: dict[str, ScoreSpec]
    segments: frozenset[str]
    lists: frozenset[str]
    zone: tzinfo
    unread: frozenset[str] = frozenset()
    """Scores that the file has, and that have problems of their own."""


@dataclass(frozen=True, slots=True)
class LeafKind:
    """One kind of leaf condition: its spec, what it refers to, and how its unit is made.

    `build` makes the unit of a leaf, given the zone of the file; it is None for leaves that read a score, whose
    unit is the score's own. `check` notes what the types of the spec alone cannot say; None where they say it all.
    `wording` says the condition as a person would.
    """

    spec: type[BaseModel]
    build: Callable[[Any, tzinfo], Unit] | None
    check: Callable[[Any, Scope, str, Findings], None] | None = None
    score: Callable[[Any], Iterable[str]] = lambda _spec: ()
    wording: Wording = one_line
    past: Callable[[Any], str] = meaning
    """What of the past a leaf rests on. Leaves with one `build` and one past share a unit."""
    asks: Callable[[Any], Hashable] = lambda _spec: None
    """What a leaf asks of its unit. Leaves that ask the same of one unit are one bit."""
