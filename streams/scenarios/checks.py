"""Expectations: each looks at what became of a scenario, and says what it expected and what it found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from schemas.transitions import Transition, TransitionType
from streams.scenarios.course import Course, Reading
from streams.scenarios.moments import Calendar
from streams.scenarios.wording import (
    Wanted,
    difference,
    found_at,
    found_instead,
    listed,
    move_text,
    past,
    reading_text,
)


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that does not hold."""

    expected: str
    found: str
    segment: str | None = None
    """The segment whose transitions tell more."""
    why_at_ms: int | None = None
    """The instant at which it is worth asking why the contact is in that segment, or is not."""
    difference: tuple[tuple[str, str], ...] = ()
    """Lines of a difference: a mark (`-` expected only, `+` found only, or a space) and the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(ABC):
    """One thing that must hold of one contact."""

    path: str
    """Where it stands in the scenarios file."""
    contact: str

    @property
    def due_ms(self) -> int | None:
        """Where it stands among the others in time; None is after all of them."""
        return None

    def instants(self) -> Iterator[int]:
        """Instants that the run must reach."""
        if self.due_ms is not None:
            yield self.due_ms

    def asks(self) -> Iterator[int]:
        """Instants at which the contact's scores must be read."""
        yield from ()

    @abstractmethod
    def failure(self, course: Course, calendar: Calendar) -> Failure | None:
        """What does not hold, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCheck(Check):
    """Something at an instant."""

    at_ms: int

    @property
    def due_ms(self) -> int | None:
        return self.at_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class InSegment(StateCheck):
    """The contact is in a segment, or is not."""

    segment: str
    member: bool

    def failure(self, course: Course, calendar: Calendar) -> Failure | None:
        if course.member(self.contact, self.segment, self.at_ms) == self.member:
            return None
        return Failure(
            f"{self.contact} {_is_in(self.member)} {self.segment} at {calendar.text(self.at_ms)}",
            found_at(course.moves(self.contact, self.segment), self.at_ms, course.end_ms, calendar),
            self.segment,
            self.at_ms,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InThroughout(InSegment):
    """The contact is in a segment, or is not, from `at_ms` until just before `before_ms`."""

    before_ms: int

    def instants(self) -> Iterator[int]:
        yield self.at_ms
        yield self.before_ms - 1

    def failure(self, course: Course, calendar: Calendar) -> Failure | None:
        moves = course.moves(self.contact, self.segment)
        if course.member(self.contact, self.segment, self.at_ms) != self.member:
            broken_ms = self.at_ms
        else:
            broken = (move.effective_at for move in moves if self.at_ms < move.effective_at < self.before_ms)
            first_ms = next(broken, None)
            if first_ms is None:
                return None
            broken_ms = first_ms
        span = f"from {calendar.text(self.at_ms)} until just before {calendar.text(self.before_ms)}"
        return Failure(
            f"{self.contact} {_is_in(self.member)} {self.segment} {span}",
            found_at(moves, broken_ms, course.end_ms, calendar),
            self.segment,
            broken_ms,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InOnly(StateCheck):
    """The contact is in exactly these segments."""

    segments: tuple[str, ...]
    defined: tuple[str, ...]

    def failure(self, course: Course, calendar: Calendar) -> Failure | None:
        found = [name for name in self.defined if course.member(self.contact, name, self.at_ms)]
        if set(found) == set(self.segments):
            return None
        lines = [(" " if name in self.segments else "+", name) for name in found]
        lines += [("-", name) for name in self.segments if name not in found]
        return Failure(
            f"segments of {self.contact} at {calendar.text(self.at_ms)}: {listed(self.segments)}",
            listed(found),
            difference=tuple(lines),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCheck(StateCheck):
    """Something of a score's reading."""

    score: str
    words: str

    def asks(self) -> Iterator[int]:
        yield self.at_ms

    @abstractmethod
    def holds(self, reading: Reading) -> bool:
        """Whether the reading is as expected."""

    def failure(self, course: Course, calendar: Calendar) -> Failure | None:
        scores = course.readings[self.at_ms, self.contact]
        reading = None if scores is None else scores[self.score]
        if reading is not None and self.holds(reading):
            return None
        expected = f"{self.score} of {self.contact} {self.words} at {calendar.text(self.at_ms)}"
        return Failure(expected, reading_text(reading, self.contact))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingWithin(ScoreCheck):
    """The reading lies within bounds, in thousandths; both belong to it, None is no bound."""

    low: int | None
    high: int | None

    def holds(self, reading: Reading) -> bool:
        return (self.low is None or self.low <= reading.milli) and (self.high is None or reading.milli <= self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class TierIs(ScoreCheck):
    """The score is in a tier, or in none."""

    tier: str | None

    def holds(self, reading: Reading) -> bool:
        return reading.tier == self.tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved(Check):
    """One transition is there, exactly; an exit that ends a stay comes right after the entry that begins it."""

    segment: str
    wanted: Wanted
    follows: Wanted | None = None

    @property
    def due_ms(self) -> int | None:
        return self.wanted.at_ms

    def failure(self, course: Course, calendar: Calendar) -> Failure | None:
        moves = course.moves(self.contact, self.segment)
        met = [place for place, move in enumerate(moves) if self.wanted.is_met_by(move)]
        if self.follows is None:
            if met:
                return None
        elif any(self.follows.is_met_by(moves[place - 1]) for place in met if place):
            return None
        elif met:
            return self._other_stay(moves[met[0] - 1], calendar)
        member = course.member(self.contact, self.segment, self.wanted.at_ms)
        return Failure(
            f"{self.contact} in {self.segment}: {self.wanted.text(calendar)}",
            found_instead(moves, self.wanted, course.end_ms, calendar),
            self.segment,
            None if member == (self.wanted.type == "segment.entered") else self.wanted.at_ms,
        )

    def _other_stay(self, begun: Transition, calendar: Calendar) -> Failure:
        assert self.follows is not None, "only a stay has two ends"
        return Failure(
            f"{self.contact} in {self.segment}: one stay, {self.follows.text(calendar)}, {self.wanted.text(calendar)}",
            f"the stay that ends then began otherwise: {move_text(begun, calendar)}",
            self.segment,
            self.wanted.at_ms,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverMoved(Check):
    """No transition of one type is there."""

    segment: str
    type: TransitionType

    def failure(self, course: Course, calendar: Calendar) -> Failure | None:
        found = [move for move in course.moves(self.contact, self.segment) if move.type == self.type]
        if not found:
            return None
        return Failure(
            f"{self.contact} in {self.segment}: never {past(self.type)} until {calendar.text(course.end_ms)}",
            move_text(found[0], calendar),
            self.segment,
            found[0].effective_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedExactly(Check):
    """These transitions are there, in this order, and no others."""

    segment: str
    wanted: tuple[Wanted, ...]

    def instants(self) -> Iterator[int]:
        yield from (each.at_ms for each in self.wanted)

    def failure(self, course: Course, calendar: Calendar) -> Failure | None:
        moves = course.moves(self.contact, self.segment)
        if len(moves) == len(self.wanted) and all(
            wanted.is_met_by(move) for wanted, move in zip(self.wanted, moves, strict=True)
        ):
            return None
        surplus = [move.effective_at for move in moves if not any(wanted.is_met_by(move) for wanted in self.wanted)]
        missing = [wanted.at_ms for wanted in self.wanted if not any(map(wanted.is_met_by, moves))]
        return Failure(
            f"{self.contact} in {self.segment}: {_transitions(len(self.wanted))} until {calendar.text(course.end_ms)}",
            _transitions(len(moves)) + (", but not these" if len(moves) == len(self.wanted) else ""),
            self.segment,
            min([*surplus, *missing], default=None),
            tuple(difference(moves, self.wanted, calendar)),
        )


def _is_in(member: bool) -> str:
    return "in" if member else "not in"


def _transitions(count: int) -> str:
    return f"{count or 'no'} transition{'' if count == 1 else 's'}"
