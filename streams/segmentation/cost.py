"""What definitions cost: what they keep for one contact, at most how many bytes of it, and what touches it.

Bytes are those of the stored form (`contact.encode_stored`), measured on a contact of which every part is as large
as it can get. Traits have no bound of their own, nor have the properties of events that can
still be corrected: they are as large as they were sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.instants import LAST_INSTANT_MS
from streams.segmentation.contact import MAX_IDS, AppliedIds
from streams.segmentation.corrections import MAX_RECENT, Corrections
from streams.segmentation.definitions import Definitions
from streams.segmentation.problems import Problem
from streams.segmentation.program import Program
from streams.segmentation.readings import ScoreUnit
from streams.segmentation.references import Place
from streams.segmentation.refusals import ABSENT
from streams.segmentation.stored import Erased, StoredContact, encode_stored
from streams.segmentation.units import Unit
from streams.segmentation.wording import duration

HEAVY_BYTES = 4_000_000
"""A contact that takes more than this may hold the others of its partition up: of 4 MB in 100 ratios of 1,000 entries
each, one record takes about 0.1 s. Other kinds of windows take less for each byte."""

_LONGEST_CONTACT_ID = "\U0010ffff" * 256
_LONGEST_EVENT_ID = "\U0010ffff" * 128
_GREATEST = 1 << 63
_TRAIT = "trait:"


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that is kept once for a contact, however many segments and scores rest on it."""

    words: tuple[str, ...]
    bytes_max: int | None
    """None: as large as it was sent."""
    places: tuple[Place, ...]
    """What rests on it; of a score's sums, all but the score itself."""


@dataclass(frozen=True, slots=True)
class PlaceCost:
    """What a segment or a score costs."""

    place: Place
    kept: tuple[Kept, ...]
    events: tuple[str, ...]
    """Events that touch it."""
    facts: tuple[str, ...]
    """Traits, consents and lists that touch it: `trait:NAME`, `consent:PURPOSE`, `list:NAME`."""
    timed: bool
    """Whether time alone may change it, so that a contact has timers for it."""

    @property
    def bytes_max(self) -> int:
        """What it rests on, shared or not; without traits."""
        return sum(kept.bytes_max or 0 for kept in self.kept)


@dataclass(frozen=True, slots=True)
class Cost:
    """What definitions cost for one contact."""

    places: tuple[PlaceCost, ...]
    """Segments in the order of the file, then scores."""
    kept: tuple[Kept, ...]
    """All that is kept for conditions and scores, each once."""
    base: tuple[Kept, ...]
    """What is kept for a contact under any definitions."""
    bytes_max: int
    """Of a whole contact, its traits left out."""


def cost_of(definitions: Definitions) -> Cost:
    """What the definitions cost."""
    program = Program(definitions)
    places = [Place("segments", segment.name) for segment in definitions.segments]
    places += [Place("scores", name) for name in definitions.scores]
    units = {place: program.units_of(place) for place in places}

    def resting_on(unit: Unit) -> tuple[Place, ...]:
        own = Place("scores", unit.name) if isinstance(unit, ScoreUnit) else None
        return tuple(place for place in places if unit in units[place] and place != own)

    by_unit = {unit.index: Kept(unit.keeps(), _size(unit.largest()), resting_on(unit)) for unit in program.units}
    by_fact = {
        name: _fact(name, tuple(place for place in places if any(name in unit.facts for unit in units[place])))
        for name in sorted(program.by_fact)
    }

    def place_cost(place: Place) -> PlaceCost:
        facts = sorted({name for unit in units[place] for name in unit.facts})
        kept = [by_unit[unit.index] for unit in units[place] if by_unit[unit.index].words]
        return PlaceCost(
            place,
            (*kept, *(by_fact[name] for name in facts)),
            tuple(sorted({name for unit in units[place] for name in unit.events})),
            tuple(facts),
            any(unit.timed for unit in units[place]),
        )

    kept = (*(each for each in by_unit.values() if each.words), *by_fact.values())
    bytes_max = len(encode_stored(_largest(program)))
    return Cost(tuple(map(place_cost, places)), kept, _base(definitions, program, kept, bytes_max), bytes_max)


def heavy(definitions: Definitions) -> Problem | None:
    """A warning where a contact may become so large that it holds others up."""
    most = len(encode_stored(_largest(Program(definitions))))
    if most <= HEAVY_BYTES:
        return None
    return Problem(
        "",
        ABSENT,
        f"a contact with very many events may take up to {most:,} bytes, and each of its records more than 0.1 s, in "
        f"which all others of its partition wait; expected at most {HEAVY_BYTES:,} bytes: let conditions share windows "
        "and ask for fewer events; `segue check --cost` says what is kept",
    )


def _size(stored: Any) -> int:
    return len(msgspec.msgpack.encode(stored))


def _fact(name: str, places: tuple[Place, ...]) -> Kept:
    kind, _, rest = name.partition(":")
    if name.startswith(_TRAIT):
        return Kept((f"trait {rest}: latest value and its time",), None, places)
    words = (
        f"list {rest}: whether on it, and since when" if kind == "list" else f"consent to {rest}: latest and its time"
    )
    return Kept((words,), _size(name) + _size((LAST_INSTANT_MS, True)), places)


def _largest(program: Program) -> StoredContact:
    """A contact of which every part is as large as it can get; its traits were removed."""
    segments = len(program.segments)
    return StoredContact(
        _LONGEST_CONTACT_ID,
        _LONGEST_EVENT_ID,
        LAST_INSTANT_MS,
        LAST_INSTANT_MS,
        AppliedIds.largest(),
        _memberships(segments),
        {unit.index: unit.largest() for unit in program.units},
        {name: (LAST_INSTANT_MS, None if name.startswith(_TRAIT) else True) for name in program.by_fact},
        Erased(LAST_INSTANT_MS, LAST_INSTANT_MS),
    )


def _memberships(segments: int) -> dict[int, tuple[int, int]]:
    return dict.fromkeys(range(segments), (_GREATEST, LAST_INSTANT_MS))


def _base(definitions: Definitions, program: Program, kept: tuple[Kept, ...], bytes_max: int) -> tuple[Kept, ...]:
    """What every contact has, so that all parts together make up `bytes_max`."""
    segments = len(definitions.segments)
    ids = Kept(
        (f"up to {MAX_IDS:,} ids of the records of {duration(definitions.deduplicate_ms)}, to know duplicates by",),
        _size(AppliedIds.largest()),
        (),
    )
    memberships = Kept(
        (f"membership of {segments:,} segments: how many transitions, and when the last was",),
        _size(_memberships(segments)),
        (),
    )
    rest = bytes_max - sum(each.bytes_max or 0 for each in (*kept, ids, memberships))
    correctable = Corrections(definitions, program)
    names = ", ".join(sorted(correctable.events))
    recent = Kept(
        (f"for {duration(correctable.within_ms)}: up to {MAX_RECENT} events since one that can be corrected ({names}), "
         "and what was kept of the contact before them",),
        None,
        (),
    )  # fmt: skip
    identity = Kept(("contact id, id of the first record, clocks, and what is left of an erasure",), rest, ())
    return (identity, memberships, ids, recent) if correctable.events else (identity, memberships, ids)
