"""Running a scenario: a fresh simulator, its records in order of time, and what is seen on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.errors import BugError
from schemas.transitions import Transition
from streams.explaining.contact_view import view
from streams.segmentation import Definitions
from streams.simulation.simulator import BadLine, Simulator


class GivenRecord(NamedTuple):
    """A record as a line for the simulator."""

    stated_ms: int
    """Where it moves the clock to: `received_at`, else `occurred_at`."""
    contact_id: str
    line: bytes
    names: tuple[str, ...] = ()
    """What definitions may look at in it: `event:purchase`, `trait:country`."""


class Reading(NamedTuple):
    """What a score reads, in thousandths, and its tier."""

    milli: int
    tier: str | None


@dataclass(slots=True)
class Course:
    """What became of a scenario. A state at an instant is that after its records and the timers due then."""

    end_ms: int
    """The last instant that was looked at."""
    transitions: list[Transition] = field(default_factory=list)
    readings: dict[tuple[int, str], dict[str, Reading] | None] = field(default_factory=dict)
    """By instant and contact, where somebody asked: each score; None where the contact did not exist."""

    def moves(self, contact_id: str, segment: str) -> list[Transition]:
        """The contact's transitions of a segment, in order."""
        return [move for move in self.transitions if (move.contact_id, move.segment) == (contact_id, segment)]

    def member(self, contact_id: str, segment: str, at_ms: int) -> bool:
        """Whether the contact is in the segment at an instant."""
        before = [move for move in self.moves(contact_id, segment) if move.effective_at <= at_ms]
        return bool(before) and before[-1].type == "segment.entered"


def in_order(given: Iterable[GivenRecord]) -> list[GivenRecord]:
    """Records as they come: by the instant that each states, those of one instant as they were given."""
    return sorted(given, key=lambda record: record.stated_ms)


def run_scenario(
    definitions: Definitions,
    given: Iterable[GivenRecord],
    instants: Iterable[int],
    asked: Iterable[tuple[int, str]],
    end_ms: int,
) -> Course:
    """Run records through the definitions up to `end_ms`, stopping at the instants given.

    The scores of contacts are noted where they are asked for, by instant and contact id.
    """
    simulator, course = Simulator(definitions), Course(end_ms)
    waiting = in_order(given)
    looks: dict[int, list[str]] = {at_ms: [] for at_ms in (*instants, end_ms)}
    for at_ms, contact_id in asked:
        looks.setdefault(at_ms, []).append(contact_id)
    fed = 0
    for at_ms in sorted(looks):
        while fed < len(waiting) and waiting[fed].stated_ms <= at_ms:
            course.transitions += _fed(simulator, waiting[fed])
            fed += 1
        course.transitions += simulator.until(at_ms)
        for contact_id in looks[at_ms]:
            course.readings[at_ms, contact_id] = _readings(simulator, contact_id, at_ms)
    return course


def _fed(simulator: Simulator, record: GivenRecord) -> list[Transition]:
    moves = []
    for result in simulator.feed([record.line]):
        if isinstance(result, BadLine):
            raise BugError(f"a record that was checked is no valid record: {result.reason}")
        moves.append(result)
    return moves


def _readings(simulator: Simulator, contact_id: str, at_ms: int) -> dict[str, Reading] | None:
    contact = simulator.contact(contact_id)
    if contact is None:
        return None
    scores = view(simulator.core, contact, at_ms)["scores"]
    return {name: Reading(round(seen["reading"] * 1000), seen["tier"]) for name, seen in scores.items()}
