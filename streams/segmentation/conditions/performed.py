"""`performed` and `not_performed`: how many matching events lie inside a window."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from schemas.instants import LAST_INSTANT_MS
from schemas.records import Track
from streams.segmentation.canonical import meaning
from streams.segmentation.contact import Contact
from streams.segmentation.evidence import Evidence, Occurrence, Past, Reach, listed, reach
from streams.segmentation.patterns import CountedSpec, Pattern
from streams.segmentation.problems import Findings
from streams.segmentation.quantities import NEVER, Duration
from streams.segmentation.refusals import wrong
from streams.segmentation.shapes import one_of_or_none
from streams.segmentation.units import LeafKind, Scope, Unit
from streams.segmentation.windows import MAX_COUNT, Since, SinceSpec, during, newest
from streams.segmentation.wording import counted, plural


def _at_least(value: object) -> object:
    if value == 0 and not isinstance(value, bool):
        raise wrong("expected at least 1: a count is never below 0, so `at_least: 0` would always hold")
    return value


def _in_order(pair: list[int]) -> list[int]:
    if pair[0] > pair[1]:
        raise wrong("expected the lower bound first: no count is above the one and below the other", f"{pair[::-1]}")
    return pair


Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
_UNBOUNDED = 1 << 30
_COMPARISONS = ("at_least", "at_most", "exactly", "between")


class NotPerformedSpec(CountedSpec):
    """The contact did no such thing in the window, or ever."""

    within: Duration | None = Field(
        default=None, description="Only events of this last time; without it, of all time.", examples=["7d"]
    )
    since: SinceSpec | None = Field(
        default=None, description="Only events after the newest of these.", examples=[{"event": "cart_add"}]
    )

    def span(self) -> tuple[int, int]:
        """The least and the greatest count at which the condition is true."""
        return 0, 0


class PerformedSpec(NotPerformedSpec):
    """The contact did something so many times in the window, or ever."""

    model_config = ConfigDict(json_schema_extra=one_of_or_none(*_COMPARISONS))

    at_least: Annotated[int, Field(ge=1, le=MAX_COUNT), BeforeValidator(_at_least)] | None = Field(
        default=None, description="So many events or more; 1 if no number is given.", examples=[3]
    )
    at_most: Count | None = Field(default=None, description="So many events or fewer; none counts too.", examples=[2])
    exactly: Count | None = Field(default=None, description="Exactly so many events.", examples=[1])
    between: Annotated[list[Count], Field(min_length=2, max_length=2), AfterValidator(_in_order)] | None = Field(
        default=None, description="The least and the greatest number of events.", examples=[[2, 5]]
    )

    def span(self) -> tuple[int, int]:
        """The least and the greatest count at which the condition is true."""
        if self.between is not None:
            return self.between[0], self.between[1]
        if self.exactly is not None:
            return self.exactly, self.exactly
        if self.at_most is not None:
            return 0, self.at_most
        return 1 if self.at_least is None else self.at_least, _UNBOUNDED


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


class _Leaf(NamedTuple):
    """A condition on a number of events: so many in the window, or ever where that is None."""

    bit: int
    within_ms: int | None
    least: int
    greatest: int

    @property
    def needed(self) -> tuple[int, int]:
        """In how long a window, and how many newest times decide: one more than the greatest count, or the least."""
        kept = self.least if self.greatest == _UNBOUNDED else self.greatest + 1
        return self.within_ms or NEVER, kept


class CountUnit(Unit):
    """Keeps event times for all conditions that count the same events: those that one of them may still ask for.

    With `since`, it also keeps the newest times of those events, and counts from the nth of them on.
    """

    def __init__(self, spec: NotPerformedSpec, zone: tzinfo) -> None:
        self._pattern = Pattern(spec, zone, spec.include_machine)
        self._leaves: list[_Leaf] = []
        self._leaves_wanted: dict[int, list[_Leaf]] = {}
        self._needs: list[tuple[int, int]] = []
        self._longest_ms = 0
        self.events = frozenset({spec.event})
        self._since: Since | None = None
        if spec.since is not None:
            self._since = Since(spec.since, zone, spec.include_machine)
            self.events |= {spec.since.event}

    def watch(self, bit: int, asked: NotPerformedSpec) -> None:
        super().watch(bit, asked)
        self._leaves.append(_Leaf(bit, asked.within, *asked.span()))
        self._leaves_wanted.clear()
        # The longest window first: mostly the oldest time is kept for it.
        self._needs = _without_lesser(sorted({leaf.needed for leaf in self._leaves}, reverse=True))
        self._longest_ms = self._needs[0][0]
        self.timed = self.forgets = any(leaf.within_ms is not None for leaf in self._leaves)

    def fresh(self) -> list[list[int]]:
        return [[], []]

    def touch(self, contact: Contact, event: Track, at_ms: int, now_ms: int) -> bool:
        times, marks = contact.slots[self.index]
        changed = self._since is not None and self._since.touch(marks, event, at_ms)
        if at_ms <= now_ms - self._longest_ms or not self._pattern.matches(event, at_ms):
            return changed
        insort(times, at_ms)
        self._drop(times, now_ms)
        return True

    def _drop(self, times: list[int], now_ms: int) -> None:
        """Drop the oldest times while no condition asks for them."""
        if times[0] > now_ms - self._longest_ms and len(times) <= self._needs[0][1]:
            return  # as it mostly is
        while times:
            count, oldest_ms = len(times), times[0]
            for within_ms, kept in self._needs:
                if count <= kept and oldest_ms > now_ms - within_ms:
                    return
            del times[0]

    def forget(self, slot: list[list[int]], now_ms: int) -> None:
        if slot[0]:
            self._drop(slot[0], now_ms)

    def look_for(self, wanted: int, contact: Contact, now_ms: int) -> tuple[int, int]:
        leaves = self._leaves_wanted.get(wanted)
        if leaves is None:
            leaves = self._leaves_wanted[wanted] = [leaf for leaf in self._leaves if leaf.bit & wanted]
        return self.look(contact, now_ms, leaves)

    def look(self, contact: Contact, now_ms: int, leaves: list[_Leaf] | None = None) -> tuple[int, int]:
        times, marks = contact.slots[self.index]
        before = 0
        if self._since is not None:
            start = self._since.start(marks)
            before = len(times) if start is None else bisect_right(times, start)
        bits, flip_ms = 0, NEVER
        for bit, within_ms, least, greatest in self._leaves if leaves is None else leaves:
            if within_ms is None:
                if least <= len(times) - before <= greatest:
                    bits |= bit
                continue
            outside = bisect_right(times, now_ms - within_ms)
            count = len(times) - (outside if outside > before else before)
            if count < least:
                continue
            if count <= greatest:
                bits |= bit
                leaving = least
            else:
                leaving = greatest + 1
            # The condition flips when so many newest are no longer inside.
            if leaving and times[-leaving] + within_ms < flip_ms:
                flip_ms = times[-leaving] + within_ms
        return bits, flip_ms

    def keeps(self) -> tuple[str, ...]:
        times = [
            newest(kept) + during(None if within_ms == NEVER else within_ms)
            for within_ms, kept in reversed(self._needs)
        ]
        words = f"{self._pattern}: {', '.join(times)}"
        return (words,) if self._since is None else (words, self._since.keeps())

    def largest(self) -> list[list[int]]:
        times = [LAST_INSTANT_MS] * max(kept for _, kept in self._needs)
        return [times, [] if self._since is None else self._since.largest()]

    def evidence(self, contact: Contact, now_ms: int, past: Past, asked: NotPerformedSpec) -> CountEvidence:
        times, marks = contact.slots[self.index]
        within = reach(asked.within, self._since, marks, now_ms, past)
        start_ms = within.start_ms()
        inside = [] if start_ms is None else times[bisect_right(times, start_ms) :]
        window_ms = asked.within or NEVER
        kept = max(kept for longer_ms, kept in self._needs if longer_ms >= window_ms)
        or_more = len(inside) == len(times) and len(inside) >= kept
        if or_more and start_ms is not None and (known := past.times(self._pattern, start_ms)) is not None:
            inside, or_more = known, False
        return CountEvidence(len(inside), or_more, past.newest(self._pattern, inside), within)


def _without_lesser(needs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The needs, longest window first, without those that another one covers."""
    kept: list[tuple[int, int]] = []
    for within_ms, count in needs:
        if not kept or count > kept[-1][1]:
            kept.append((within_ms, count))
    return kept


def _check(spec: PerformedSpec, _scope: Scope, path: str, findings: Findings) -> None:
    given = {name: bound for name in _COMPARISONS if (bound := getattr(spec, name)) is not None}
    if len(given) > 1:
        findings.add(
            path,
            given,
            f"expected one comparison of {', '.join(_COMPARISONS)}, not several; a range is `between: [2, 5]`",
        )


def _build(spec: Any, zone: tzinfo) -> Unit:
    return CountUnit(spec, zone)


def _wording(body: Any) -> str:
    name = next((name for name in _COMPARISONS if body.get(name) is not None), None)
    bound: Any = 1 if name is None else body[name]
    if name == "between":
        how_often = f"between {bound[0]} and {plural(bound[1], 'time')}"
    else:
        how_often = f"{(name or 'at_least').replace('_', ' ')} {plural(bound, 'time')}"
    return f"{counted(body)}, {how_often}"


def _past(spec: NotPerformedSpec) -> str:
    return meaning(spec, without=("within", *_COMPARISONS))


def _asks(spec: NotPerformedSpec) -> Hashable:
    return spec.within, spec.span()


PERFORMED = LeafKind(PerformedSpec, _build, _check, wording=_wording, past=_past, asks=_asks)
NOT_PERFORMED = LeafKind(NotPerformedSpec, _build, wording=lambda body: f"no {counted(body)}", past=_past, asks=_asks)
