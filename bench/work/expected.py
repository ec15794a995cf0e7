"""The right result: what Segue's core makes of the same events in memory, and how an output is held against it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec
import yaml

from bench.work.events import PARTITIONS, Work
from bench.work.rules import SEGMENTS
from schemas.records import Track, decode_record
from schemas.transitions import Transition
from streams.segmentation import Core, Fold, compile_definitions, contact_key
from tests.support.run_directory import CHECKOUT

DEFINITIONS = Path(__file__).with_name("definitions.yaml")
_CACHE = CHECKOUT / ".cache" / "bench" / "work"
ROUNDING_MS = 1
"""An exit by decay may be this far off where a contender reckons in floats: its last digits are not to decide."""
_PLACES = {name: place for place, name in enumerate(SEGMENTS)}


class Change(NamedTuple):
    """One change of a membership, by the number of its contact and of its segment."""

    contact: int
    segment: int
    sequence: int
    effective_at: int


class Expected(msgspec.Struct):
    """The result over the first events of a work."""

    changes: list[tuple[int, int, int, int]]
    """All that is effective at or before the last event of its contact: what every contender has to publish."""
    published: int
    """Transitions that Segue publishes: these, and those by time alone up to the end of the partition's log."""
    last_ms: dict[int, int]
    """The last event of each contact."""


class Published(NamedTuple):
    """A transition that a contender published."""

    change: Change
    entered: bool
    appended_ms: int


@dataclass
class Judgement:
    """How an output compares with the right one."""

    missing: int = 0
    unexpected: int = 0
    repeated: int = 0
    off: int = 0
    """Changes at another instant, or an entry that should be an exit."""
    examples: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        """Repeats are no fault of at-least-once."""
        return not (self.missing or self.unexpected or self.off)

    def __str__(self) -> str:
        if self.right:
            return "right" if not self.repeated else f"right, {self.repeated:,} repeated"
        counts = f"{self.missing:,} missing, {self.unexpected:,} unexpected, {self.off:,} off"
        return f"WRONG: {counts} (such as {'; '.join(self.examples)})"


def expected(work: Work) -> Expected:
    """The right result, which is kept for the next time."""
    path = _CACHE / f"{_key(work)}.msgpack"
    if path.exists():
        return msgspec.msgpack.decode(path.read_bytes(), type=Expected)
    found = expected_of(work)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(msgspec.msgpack.encode(found))
    partial.rename(path)
    return found


def _key(work: Work) -> str:
    """Of all that the result rests on: the numbers, the events, the definitions, the core."""
    digest = hashlib.sha256(repr(work).encode())
    core = sorted((CHECKOUT / "streams" / "segmentation").rglob("*.py"))
    for path in [DEFINITIONS, *Path(__file__).parent.glob("e*.py"), *core]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def expected_of(work: Work) -> Expected:
    """The right result, worked out now."""
    core = Core(compile_definitions(yaml.safe_load(DEFINITIONS.read_text())))
    folds = [Fold(core, partition) for partition in range(PARTITIONS)]
    keys = [contact_key(contact_id) for contact_id in work.ids]
    last_ms: dict[int, int] = {}
    changes: list[tuple[int, int, int, int]] = []
    for offset, (contact, at_ms, value) in enumerate(work.drawn()):
        record = decode_record(value)
        assert isinstance(record, Track)
        fold = folds[work.partitions[contact]]
        fold.fire(at_ms, offset)
        fold.apply(record, offset, at_ms, keys[contact])
        last_ms[contact] = at_ms
        changes.extend(map(_change, fold.emitted))
        fold.emitted.clear()
    kept = [change for change in changes if change[3] <= last_ms[change[0]]]
    return Expected(kept, len(changes), last_ms)


def _change(transition: Transition) -> Change:
    segment = _PLACES[transition.segment]
    return Change(number_of(transition.contact_id), segment, transition.sequence, transition.effective_at)


def number_of(contact_id: str) -> int:
    """The number of a contact of the work."""
    return int(contact_id.rpartition("-")[2])


def place_of(segment: str) -> int:
    """The number of a segment."""
    return _PLACES[segment]


def judge(published: Iterable[Published], right: Expected, rounding_ms: int) -> Judgement:
    """Hold an output against the right one; what is effective after its contact's last event is passed over."""
    open_ = {change[:3]: change[3] for change in right.changes}
    seen: set[tuple[int, int, int]] = set()
    judgement = Judgement()
    for change, entered, _ in published:
        key = change[:3]
        if key in seen:
            judgement.repeated += 1
            continue
        effective_at = open_.pop(key, None)
        if effective_at is None:
            if change.effective_at > right.last_ms.get(change.contact, -1):
                continue
            judgement.unexpected += 1
        elif abs(effective_at - change.effective_at) > rounding_ms or entered != bool(change.sequence & 1):
            judgement.off += 1
        else:
            seen.add(key)
            continue
        seen.add(key)
        judgement.examples = [*judgement.examples, f"{change} against {effective_at}"][:3]
    judgement.missing = len(open_)
    judgement.examples = [*judgement.examples, *(f"{key} missing" for key in list(open_)[:2])][:3]
    return judgement
