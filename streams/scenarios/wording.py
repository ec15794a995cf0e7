"""What people read of transitions and readings: what was expected, and what was found instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from schemas.transitions import Transition, TransitionType
from streams.scenarios.course import Reading
from streams.scenarios.moments import Calendar, span_text


class Wanted(NamedTuple):
    """A transition that must have been."""

    type: TransitionType
    at_ms: int
    cause: str | None
    """The kind of its cause; None where any will do."""

    def is_met_by(self, move: Transition) -> bool:
        """Whether `move` is this transition."""
        return (move.type, move.effective_at) == (self.type, self.at_ms) and self.cause in {None, move.cause.kind}

    def text(self, calendar: Calendar) -> str:
        """`entered 2026-03-02T10:00:00.000Z (+1h), by timer`."""
        cause = f", by {self.cause}" if self.cause else ""
        return f"{past(self.type)} {calendar.text(self.at_ms)}{cause}"


def listed(names: Sequence[str]) -> str:
    """Names in a row; `none` where there is none."""
    return ", ".join(names) or "none"


def past(type_: TransitionType) -> str:
    """`segment.entered` is `entered`."""
    return type_.removeprefix("segment.")


def cause_text(move: Transition) -> str:
    """`timer`, or `event purchase`."""
    return " ".join(filter(None, (move.cause.kind, move.cause.event)))


def move_text(move: Transition, calendar: Calendar) -> str:
    """`entered 2026-03-02T10:00:00.000Z (+1h), by timer`."""
    return f"{past(move.type)} {calendar.text(move.effective_at)}, by {cause_text(move)}"


def found_at(moves: Sequence[Transition], at_ms: int, end_ms: int, calendar: Calendar) -> str:
    """How a membership stood at an instant, what had brought that about, and what came or would come next."""
    last = max((place for place, move in enumerate(moves) if move.effective_at <= at_ms), default=-1)
    parts = ["in" if last >= 0 and moves[last].type == "segment.entered" else "not in"]
    parts += [_beside(moves[place], at_ms, calendar) for place in (last, last + 1) if 0 <= place < len(moves)]
    if last + 1 == len(moves):
        parts += [_due(moves, calendar)] if moves else [f"never entered until {calendar.text(end_ms)}"]
    return "; ".join(filter(None, parts))


def found_instead(moves: Sequence[Transition], wanted: Wanted, end_ms: int, calendar: Calendar) -> str:
    """The transition that comes closest to one that is not there."""
    alike = [move for move in moves if move.type == wanted.type]
    if alike:
        return _beside(min(alike, key=lambda move: abs(move.effective_at - wanted.at_ms)), wanted.at_ms, calendar)
    parts = [f"never {past(wanted.type)} until {calendar.text(end_ms)}", _due(moves, calendar)]
    return "; ".join(filter(None, parts))


def _beside(move: Transition, at_ms: int, calendar: Calendar) -> str:
    """A transition and how far it lies from an instant."""
    text = move_text(move, calendar)
    if move.effective_at == at_ms:
        return f"{text}, at that instant"
    side = "before" if move.effective_at < at_ms else "later"
    return f"{text}, {span_text(abs(move.effective_at - at_ms))} {side}"


def _due(moves: Sequence[Transition], calendar: Calendar) -> str:
    """What would come after the last transition if nothing else did."""
    if not moves or moves[-1].valid_until is None:
        return ""
    verb = "leave" if moves[-1].type == "segment.entered" else "enter"
    return f"would {verb} at {calendar.text(moves[-1].valid_until)}, as it stood then"


def difference(moves: Sequence[Transition], wanted: Sequence[Wanted], calendar: Calendar) -> Iterator[tuple[str, str]]:
    """Both lists side by side, in order: `-` is expected only, `+` is found only, a space is both."""
    kinds = {(move.type, move.effective_at): move.cause.kind for move in moves}
    # A wanted transition without a cause takes that of its counterpart, so that the two compare as equal.
    ours = [(each.type, each.at_ms, each.cause or kinds.get((each.type, each.at_ms))) for each in wanted]
    theirs = [(move.type, move.effective_at, move.cause.kind) for move in moves]
    for tag, first, end, other, other_end in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from ((" ", move_text(move, calendar)) for move in moves[other:other_end])
        else:
            yield from (("-", each.text(calendar)) for each in wanted[first:end])
            yield from (("+", move_text(move, calendar)) for move in moves[other:other_end])


def reading_text(reading: Reading | None, contact_id: str) -> str:
    """`14.9, tier warm`."""
    if reading is None:
        return f"nothing is known of {contact_id} then"
    return points_text(reading.milli) + (f", tier {reading.tier}" if reading.tier is not None else "")


def points_text(milli: int) -> str:
    """Thousandths as a number of points, without needless zeros."""
    text = f"{abs(milli) // 1000}.{abs(milli) % 1000:03d}".rstrip("0").rstrip(".")
    return f"-{text}" if milli < 0 else text
