"""`ratio`: the quotient of two counts, each in a window of its own."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from schemas.records import Track
from streams.segmentation.canonical import meaning
from streams.segmentation.comparisons import Comparisons, RatioBounds, check_bounds
from streams.segmentation.contact import Contact
from streams.segmentation.evidence import Evidence, Occurrence, Past
from streams.segmentation.matching import Pattern
from streams.segmentation.patterns import CountedSpec
from streams.segmentation.problems import Findings, join
from streams.segmentation.quantities import NEVER, Duration, plainly
from streams.segmentation.refusals import ABSENT
from streams.segmentation.shapes import some_of
from streams.segmentation.units import LeafKind, Scope, Unit
from streams.segmentation.windows import LARGEST, MAX_ENTRIES, Cells, Entry, drop_until, first_after
from streams.segmentation.wording import bounds, counted, duration, number

_DECIMALS = 10**6


class CountSpec(CountedSpec):
    """A count, in a window that may lie some time ago."""

    model_config = ConfigDict(json_schema_extra={"dependentRequired": {"ago": ["within"]}})

    within: Duration | None = Field(
        default=None, description="Only events of this last time; without it, of all time.", examples=["7d"]
    )
    ago: Duration | None = Field(
        default=None, description="Shifts the window so far into the past; needs `within`.", examples=["30d"]
    )


class RatioSpec(RatioBounds):
    """The quotient of two counts, within bounds."""

    model_config = ConfigDict(json_schema_extra=some_of(*RatioBounds.model_fields))

    of: CountSpec = Field(description="The count that is divided.", examples=[{"event": "email_open", "within": "30d"}])
    to: CountSpec = Field(
        description="The count that it is divided by.", examples=[{"event": "email_delivered", "within": "30d"}]
    )
    min: Annotated[int, Field(ge=1)] = Field(
        default=1, description="How many `to` must count at least; with fewer the condition is false.", examples=[4]
    )


@dataclass(frozen=True, slots=True)
class Counted:
    """One of the two counts: events strictly after one instant, up to another."""

    count: int
    after_ms: int | None
    up_to_ms: int
    newest: tuple[Occurrence, ...]


@dataclass(frozen=True, slots=True)
class RatioEvidence(Evidence):
    """Both counts and their quotient."""

    kind = "ratio"
    of: Counted
    to: Counted
    least: int
    quotient: float | None
    """None where `to` does not count enough."""

    def found(self) -> str:
        if self.quotient is None:
            return f"counts {self.of.count} and {self.to.count}, and the second must be at least {self.least}"
        return f"is {self.of.count} / {self.to.count} = {number(self.quotient)}"


class _Window:
    """One of the two counts. Without a window it is a running count, kept as one entry."""

    def __init__(self, spec: CountSpec, zone: tzinfo) -> None:
        self._pattern = Pattern(spec, zone, spec.include_machine)
        self._within_ms = spec.within
        self._ago_ms = spec.ago or 0
        self.cells = None if spec.within is None else Cells(spec.within)

    def touch(self, entries: list[Entry], event: Track, at_ms: int, now_ms: int) -> bool:
        if not self._pattern.matches(event, at_ms):
            return False
        if self.cells is None:
            if entries:
                entries[0].count += 1
            else:
                entries.append(Entry(at_ms))
            return True
        self.forget(entries, now_ms)
        if at_ms <= self._oldest_ms(now_ms):
            return False
        self.cells.add(entries, Entry(at_ms))
        return True

    def _oldest_ms(self, now_ms: int) -> int:
        """Events at or before it count at no instant from `now_ms` on."""
        return -1 if self._within_ms is None else now_ms - self._ago_ms - self._within_ms

    def forget(self, entries: list[Entry], now_ms: int) -> None:
        if self.cells is not None:
            drop_until(entries, self._oldest_ms(now_ms))

    def count(self, entries: list[Entry], now_ms: int) -> int:
        if self._within_ms is None:
            return entries[0].count if entries else 0
        end_ms = now_ms - self._ago_ms
        inside = entries[first_after(entries, end_ms - self._within_ms) : first_after(entries, end_ms)]
        return sum(entry.count for entry in inside)

    def evidence(self, entries: list[Entry], now_ms: int, past: Past) -> Counted:
        end_ms = now_ms - self._ago_ms
        if self._within_ms is None:
            times = [occurrence.at_ms for occurrence, _ in past.matching(self._pattern)]
            return Counted(self.count(entries, now_ms), None, end_ms, past.newest(self._pattern, times))
        start_ms = end_ms - self._within_ms
        inside = [entry.at_ms for entry in entries if start_ms < entry.at_ms <= end_ms]
        return Counted(self.count(entries, now_ms), start_ms, end_ms, past.newest(self._pattern, inside))

    def keeps(self) -> str:
        if self._within_ms is None:
            return f"{self._pattern}: count"
        reach = duration(self._ago_ms + self._within_ms)
        return f"{self._pattern}: up to {MAX_ENTRIES:,} entries of time and count in {reach}"

    def largest(self) -> list[Entry]:
        return [LARGEST] * (1 if self._within_ms is None else MAX_ENTRIES)

    def moves(self, entries: list[Entry], now_ms: int) -> list[tuple[int, int]]:
        """When events will come into the window or leave it, after `now_ms`, and by how much the count moves then."""
        if self._within_ms is None:
            return []
        found = [(entry.at_ms + self._ago_ms, entry.count) for entry in entries]
        found += [(entry.at_ms + self._ago_ms + self._within_ms, -entry.count) for entry in entries]
        return [move for move in found if move[0] > now_ms]


class RatioUnit(Unit):
    """Keeps the entries of both counts, for all conditions on their quotient."""

    def __init__(self, spec: RatioSpec, zone: tzinfo) -> None:
        super().__init__()
        self._of = _Window(spec.of, zone)
        self._to = _Window(spec.to, zone)
        self._leaves: list[tuple[int, int, Comparisons]] = []
        self.cells = tuple(window.cells for window in (self._of, self._to) if window.cells is not None)
        self.timed = self.forgets = bool(self.cells)
        self.events = frozenset({spec.of.event, spec.to.event})

    def watch(self, bit: int, asked: RatioSpec) -> None:
        super().watch(bit, asked)
        self._leaves.append((bit, asked.min, Comparisons(asked)))

    def fresh(self) -> list[list[Entry]]:
        return [[], []]

    def touch(self, contact: Contact, event: Track, at_ms: int, now_ms: int) -> bool:
        of, to = contact.slots[self.index]
        changed = self._of.touch(of, event, at_ms, now_ms)
        return self._to.touch(to, event, at_ms, now_ms) or changed

    def look(self, contact: Contact, now_ms: int) -> tuple[int, int]:
        of, to = contact.slots[self.index]
        above, below = self._of.count(of, now_ms), self._to.count(to, now_ms)
        bits = self._bits(above, below)
        moves: dict[int, tuple[int, int]] = {}
        for instant_ms, by in self._of.moves(of, now_ms):
            moves[instant_ms] = moves.get(instant_ms, (0, 0))[0] + by, 0
        for instant_ms, by in self._to.moves(to, now_ms):
            more, so_far = moves.get(instant_ms, (0, 0))
            moves[instant_ms] = more, so_far + by
        for instant_ms in sorted(moves):
            above += moves[instant_ms][0]
            below += moves[instant_ms][1]
            if self._bits(above, below) != bits:
                return bits, instant_ms
        return bits, NEVER

    def _bits(self, above: int, below: int) -> int:
        """The leaves that hold of these two counts."""
        return sum(bit for bit, least, comparisons in self._leaves if below >= least and comparisons.hold(above, below))

    def forget(self, slot: list[list[Entry]], now_ms: int) -> None:
        self._of.forget(slot[0], now_ms)
        self._to.forget(slot[1], now_ms)

    def evidence(self, contact: Contact, now_ms: int, past: Past, asked: RatioSpec) -> RatioEvidence:
        entries = contact.slots[self.index]
        of, to = self._of.evidence(entries[0], now_ms, past), self._to.evidence(entries[1], now_ms, past)
        quotient = of.count / to.count if to.count >= asked.min else None
        return RatioEvidence(of, to, asked.min, quotient)

    def keeps(self) -> tuple[str, ...]:
        return self._of.keeps(), self._to.keeps()

    def largest(self) -> Any:
        return self.store([self._of.largest(), self._to.largest()])

    def store(self, slot: Any) -> Any:
        return [[(entry.at_ms, entry.count) for entry in entries] for entries in slot]

    def restore(self, stored: Any) -> Any:
        return [[Entry(at_ms, count) for at_ms, count in entries] for entries in stored]


def _check(spec: RatioSpec, _scope: Scope, path: str, findings: Findings) -> None:
    check_bounds(spec, path, findings)
    for name, bound in spec.bounds().items():
        if (bound * _DECIMALS).denominator != 1:
            findings.add(join(path, name), plainly(bound), "expected a number with at most 6 decimals, like 0.333333")
    for name, count in (("of", spec.of), ("to", spec.to)):
        if count.ago is not None and count.within is None:
            findings.add(
                join(path, name, "ago"),
                ABSENT,
                "expected `within` beside it, like `within: 30d`: it is the window that lies some time ago",
            )


def _wording(body: Any) -> str:
    return f"{counted(body['of'])} divided by {counted(body['to'])}, {bounds(body)}"


def _past(spec: RatioSpec) -> str:
    return meaning(spec, without=("min", "gte", "gt", "lte", "lt"))


def _asks(spec: RatioSpec) -> Hashable:
    return spec.min, tuple(spec.bounds().items())


RATIO = LeafKind(RatioSpec, RatioUnit, _check, wording=_wording, past=_past, asks=_asks)
