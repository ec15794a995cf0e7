"""What stands behind a truth: which events and times, counts, values, and the parts of a score.

Every kind of evidence is a small typed structure that belongs to its condition. A field whose name ends in `_ms`
is an instant. From the state alone the events are known by their time; where the contact's records were replayed,
`Past` says which ones they were.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import msgspec

from schemas.records import Correction, Suspicion, Track
from streams.segmentation.matching import Pattern
from streams.segmentation.windows import Since
from streams.segmentation.wording import instant, plural

SHOWN = 10
"""Events that one piece of evidence names, the newest first."""
MAX_EVENTS = 10_000
"""Events of one name that are remembered of a replay, the newest by arrival."""
TakesPart: TypeAlias = Callable[[Track, int], bool]


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A record that counts: its event time, and where the log was read, which one it is."""

    at_ms: int
    event_id: str | None = None
    position: str | None = None
    corrected_by: str | None = None
    """The id of the correction that has it count, where one has."""

    def __str__(self) -> str:
        return instant(self.at_ms) + (", corrected" if self.corrected_by is not None else "")


class Evidence(ABC):
    """What there is of the thing that a condition asks for."""

    __slots__ = ()
    kind: ClassVar[str]

    @abstractmethod
    def found(self) -> str:
        """In few words, as a person would go on after the condition: `has 1 (2026-11-21T10:00:00Z)`."""

    def brief(self) -> str:
        """The same in fewer words, where there are any."""
        return self.found()


class Past:
    """Records that were applied to one contact: they lend their ids to the times that the state keeps."""

    def __init__(self) -> None:
        self._events: dict[str, deque[tuple[int, Track, str]]] = {}
        self._facts: dict[str, Occurrence] = {}
        self._corrections: dict[str, str] = {}  # by the event's id

    def note_event(self, event: Track, at_ms: int, position: str) -> None:
        """Remember an event with its event time."""
        self._events.setdefault(event.event, deque(maxlen=MAX_EVENTS)).append((at_ms, event, position))

    def correct(self, correction: Correction) -> None:
        """Mark an event, or take its mark back, as a correction has it."""
        self._corrections[correction.corrects] = correction.event_id
        for events in self._events.values():
            for place, (at_ms, event, position) in enumerate(events):
                if event.event_id == correction.corrects:
                    corrected = msgspec.structs.replace(event, machine=Suspicion(correction.machine.suspected))
                    events[place] = at_ms, corrected, position

    def note_fact(self, name: str, fact: Occurrence) -> None:
        """Remember what set a fact; the last by event time stands, at equal ones the later."""
        known = self._facts.get(name)
        if known is None or fact.at_ms >= known.at_ms:
            self._facts[name] = fact

    def clear(self) -> None:
        """Forget all: the contact was erased."""
        self._events.clear()
        self._facts.clear()
        self._corrections.clear()

    def matching(self, pattern: Pattern, takes_part: TakesPart | None = None) -> list[tuple[Occurrence, Track]]:
        """The events that a pattern means, in order of event time."""
        found = [
            (Occurrence(at_ms, event.event_id, position, self._corrections.get(event.event_id)), event)
            for at_ms, event, position in self._events.get(pattern.event, ())
            if pattern.matches(event, at_ms) and (takes_part is None or takes_part(event, at_ms))
        ]
        return sorted(found, key=lambda each: each[0].at_ms)

    def knows_all(self, event: str) -> bool:
        """Whether all events of this name are remembered: some are, and not so many that others were forgotten."""
        return 0 < len(self._events.get(event, ())) < MAX_EVENTS

    def times(self, pattern: Pattern, after_ms: int) -> list[int] | None:
        """Times of all events strictly after an instant that a pattern means, rising; None where it is not known."""
        if not self.knows_all(pattern.event):
            return None
        known = self._events[pattern.event]
        return sorted(at_ms for at_ms, event, _ in known if at_ms > after_ms and pattern.matches(event, at_ms))

    def newest(
        self, pattern: Pattern, times: Sequence[int], takes_part: TakesPart | None = None
    ) -> tuple[Occurrence, ...]:
        """The newest of these times, newest first, each with its event where that is known; `times` rise."""
        shown = list(reversed(times[-SHOWN:]))
        known = self._events.get(pattern.event)
        if not known or not shown:
            return tuple(Occurrence(at_ms) for at_ms in shown)
        named: dict[int, list[Occurrence]] = {}
        for occurrence, _ in self.matching(pattern, takes_part):
            named.setdefault(occurrence.at_ms, []).append(occurrence)
        return tuple(named[at_ms].pop() if named.get(at_ms) else Occurrence(at_ms) for at_ms in shown)

    def one(self, pattern: Pattern, at_ms: int) -> Occurrence:
        """The event that a pattern means at an instant."""
        return self.newest(pattern, [at_ms])[0]

    def fact(self, name: str, at_ms: int) -> Occurrence:
        """The record that set a fact at an event time."""
        known = self._facts.get(name)
        return known if known is not None and known.at_ms == at_ms else Occurrence(at_ms)


@dataclass(frozen=True, slots=True)
class Reach:
    """Which events count: those strictly after the start of the window, and after the `since` event."""

    window_from_ms: int | None
    since: Occurrence | None = None
    since_missing: int = 0
    """So many `since` events are still missing; until then nothing counts."""

    def start_ms(self) -> int | None:
        """Events strictly after it count; None: none does."""
        if self.since_missing:
            return None
        return max(
            -1 if self.window_from_ms is None else self.window_from_ms, -1 if self.since is None else self.since.at_ms
        )

    def told(self) -> str:
        """What to say of the start, if anything."""
        if self.since_missing:
            return f"; {plural(self.since_missing, 'since event')} missing, so nothing counts"
        return "" if self.since is None else f"; since {self.since}"


def reach(within_ms: int | None, since: Since | None, marks: list[int], now_ms: int, past: Past) -> Reach:
    """Which events count now, under a window and a `since` with its slot."""
    window_from_ms = None if within_ms is None else now_ms - within_ms
    if since is None:
        return Reach(window_from_ms)
    start_ms = since.start(marks)
    if start_ms is None:
        return Reach(window_from_ms, None, since.nth - len(marks))
    return Reach(window_from_ms, past.one(since.pattern, start_ms))


def listed(occurrences: Iterable[Occurrence], most: int = 3) -> str:
    """The newest times in brackets: ` (2026-11-21T10:00:00Z, …)`."""
    shown = [str(occurrence) for occurrence in occurrences]
    if not shown:
        return ""
    return f" ({', '.join(shown[:most])}{', …' if len(shown) > most else ''})"


def plain(value: Any) -> str:
    """A value of a property or a trait in few words."""
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


@dataclass(frozen=True, slots=True)
class CountEvidence(Evidence):
    """How many events count."""

    kind = "count"
    count: int
    or_more: bool
    """There may be more: the state keeps only as many as the conditions need. False where the log was read."""
    newest: tuple[Occurrence, ...]
    reach: Reach

    def found(self) -> str:
        more = " or more" if self.or_more else ""
        return f"has {self.count or 'none'}{more}{listed(self.newest)}{self.reach.told()}"
