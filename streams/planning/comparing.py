"""Compares what serves in a partition with what is built beside it."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from schemas.errors import UnavailableError
from streams.generations import Build, GenerationStore
from streams.planning.plan import Plan, Sample, SegmentChange
from streams.planning.reasons import reasons
from streams.ports import PartitionMeta
from streams.segmentation import Contact, Core, contact_key
from streams.segmentation.readings import ScoreUnit

_LOOKS_MAX = 4


class Together(Protocol):
    """A partition of which what serves and what is built can be brought to the same place of the log."""

    partition: int

    async def catch_up(self) -> tuple[PartitionMeta, Build]:
        """Both of them, at the same place; what serves may go on at once."""


class _Moves(NamedTuple):
    """Contacts of one partition that differ in a segment."""

    members: int  # before
    enter: set[str]
    leave: set[str]


class Comparison:
    """Notes in a plan what differs, partition by partition.

    What serves goes on while it is read. So what differs is looked at again, with the build brought up to it, until
    nothing has moved meanwhile, or a few times: what differs each time is a difference of the definitions.
    """

    def __init__(
        self, store: GenerationStore, before: Core, after: Core, plan: Plan, *, samples_max: int, looked_at_max: int
    ) -> None:
        """`samples_max` bounds the examples of a segment, `looked_at_max` the contacts whose scores are compared."""
        self._store = store
        self._before = before
        self._after = after
        self._plan = plan
        self._samples_max = samples_max
        self._looked_at_max = looked_at_max
        self._candidates: dict[tuple[str, bool], list[tuple[str, _Here]]] = {}  # by segment and direction

    async def add(self, together: Together) -> None:
        """Compare a partition."""
        here, found = await self._moves(together)
        for change, moves in zip(self._plan.segments, found, strict=True):
            change.members_before += moves.members
            change.members_after += moves.members + len(moves.enter) - len(moves.leave)
            change.entering += len(moves.enter)
            change.leaving += len(moves.leave)
        await self._add_contacts(here, together)
        await self._add_candidates(found, together)

    async def _add_candidates(self, found: Sequence[_Moves], together: Together) -> None:
        """Note contacts that may become examples, all of them as they stand at one place of the log."""
        here = _Here(self._store, together.partition, *await together.catch_up())
        ids: set[str] = set()
        for change, moves in zip(self._plan.segments, found, strict=True):
            for moving, enters in ((moves.enter, True), (moves.leave, False)):
                chosen = heapq.nsmallest(2 * self._samples_max, moving)
                ids.update(chosen)
                known = self._candidates.setdefault((change.name, enters), [])
                known += [(contact_id, here) for contact_id in chosen]
        keys = {contact_key(contact_id): contact_id for contact_id in sorted(ids)}
        for key, old, new in await here.contacts(list(keys), self._before, self._after):
            here.known[keys[key]] = old, new

    async def _moves(self, together: Together) -> tuple[_Here, list[_Moves]]:
        found: list[_Moves] | None = None
        for _ in range(_LOOKS_MAX):
            here = _Here(self._store, together.partition, *await together.catch_up())
            seen = [await self._segment(here, change.name) for change in self._plan.segments]
            found = seen if found is None else [_both(old, new) for old, new in zip(found, seen, strict=True)]
            if not await here.has_moved():
                return here, seen
        assert found is not None, "it was looked at"
        return here, found

    async def _segment(self, here: _Here, name: str) -> _Moves:
        were = await self._store.members(here.partition, here.meta.generation, name)
        are = await self._store.members(here.partition, here.build.generation, name)
        return _Moves(len(were), are.keys() - were.keys(), were.keys() - are.keys())

    def add_samples(self) -> None:
        """Choose examples among the contacts of all partitions, the first ones by id, and note why they move."""
        for change in self._plan.segments:
            for enters in (True, False):
                chosen = sorted(self._candidates.get((change.name, enters), []), key=lambda one: one[0])
                found = 0
                for contact_id, here in chosen:
                    sample = self._sample(contact_id, here, change, enters)
                    if found < self._samples_max and _is_current(sample):
                        change.samples.append(sample)
                        found += 1

    def _sample(self, contact_id: str, here: _Here, change: SegmentChange, enters: bool) -> Sample:
        old, new = here.known[contact_id]
        return Sample(
            contact_id,
            enters,
            reasons(self._before, old, change.name, here.meta.clock_ms),
            reasons(self._after, new, change.name, here.build.clock_ms),
        )

    async def _add_contacts(self, here: _Here, together: Together) -> None:
        plan, page, moved = self._plan, 0, dict[str, list[_Tiers]]()
        while keys := await self._store.built_keys(here.partition, here.build.generation, page):
            plan.contacts += len(keys)
            page += 1
            wanted = keys[: max(0, self._looked_at_max - plan.looked_at)]
            plan.looked_at += len(wanted)
            for key, old, new in await here.contacts(wanted, self._before, self._after):
                moved |= self._count(key, self._tiers(here, old, new))
        plan.bytes_before += here.bytes_before
        plan.bytes_after += here.bytes_after
        if moved and await here.has_moved():
            moved = await self._still(moved, together)
        for tiers in moved.values():
            for score, (was, now) in zip(plan.scores, tiers, strict=True):
                if was is not None and now is not None and was != now:
                    score.moves[was, now] += 1

    def _count(self, key: str, tiers: list[_Tiers]) -> dict[str, list[_Tiers]]:
        """Count a contact to its tiers; the contact, where some differ."""
        for score, (was, now) in zip(self._plan.scores, tiers, strict=True):
            if was is not None:
                score.before[was] += 1
            if now is not None:
                score.after[now] += 1
        return {key: tiers} if any(None not in each and each.was != each.now for each in tiers) else {}

    async def _still(self, moved: dict[str, list[_Tiers]], together: Together) -> dict[str, list[_Tiers]]:
        """Of contacts whose tiers were seen to differ: where they do so in the same way when looked at again."""
        here = _Here(self._store, together.partition, *await together.catch_up())
        return {
            key: [each if each == now else _Tiers(None, None) for each, now in zip(moved[key], tiers, strict=True)]
            for key, old, new in await here.contacts(list(moved), self._before, self._after)
            for tiers in [self._tiers(here, old, new)]
        }

    def _tiers(self, here: _Here, old: Contact | None, new: Contact | None) -> list[_Tiers]:
        return [
            _Tiers(
                _tier(self._before.program.scores.get(score.name), old, here.meta.clock_ms),
                _tier(self._after.program.scores.get(score.name), new, here.build.clock_ms),
            )
            for score in self._plan.scores
        ]


class _Tiers(NamedTuple):
    """Of one contact by one score; None where the score or the contact is not there."""

    was: str | None
    now: str | None


def _both(old: _Moves, new: _Moves) -> _Moves:
    return _Moves(new.members, old.enter & new.enter, old.leave & new.leave)


def _is_current(sample: Sample) -> bool:
    """Whether the contact still differs, now that it is looked at by itself."""
    was = sample.before is not None and sample.before.member
    now = sample.after is not None and sample.after.member
    return (was, now) == (not sample.enters, sample.enters)


class _Here:
    """A partition, with both of its states."""

    def __init__(self, store: GenerationStore, partition: int, meta: PartitionMeta, build: Build) -> None:
        self._store = store
        self.partition = partition
        self.meta = meta
        self.build = build
        self.bytes_before = self.bytes_after = 0
        self.known: dict[str, tuple[Contact | None, Contact | None]] = {}
        """Contacts by id, before and after."""

    async def has_moved(self) -> bool:
        """Whether what serves has gone on. Raises `UnavailableError` where it was changed or has gone."""
        meta = await self._store.serving(self.partition)
        if meta is None or meta.generation != self.meta.generation:
            raise UnavailableError(f"partition {self.partition}: its state was changed meanwhile: plan again")
        return meta.cursor != self.meta.cursor

    async def contacts(
        self, keys: Sequence[str], before: Core, after: Core
    ) -> list[tuple[str, Contact | None, Contact | None]]:
        """Keys of contacts, and the contacts as they stand before and after; None where they are not there."""
        olds = await self._store.states(self.partition, self.meta.generation, keys)
        news = await self._store.states(self.partition, self.build.generation, keys)
        self.bytes_before += sum(len(raw) for raw in olds if raw is not None)
        self.bytes_after += sum(len(raw) for raw in news if raw is not None)
        return [
            (key, _decoded(before, key, old), _decoded(after, key, new))
            for key, old, new in zip(keys, olds, news, strict=True)
        ]


def _decoded(core: Core, key: str, raw: bytes | None) -> Contact | None:
    return None if raw is None else core.decode(key, raw)


def _tier(score: ScoreUnit | None, contact: Contact | None, now_ms: int) -> str | None:
    """The tier, empty where there is none; None where the score or the contact is not there."""
    if score is None or contact is None or not contact.exists:
        return None
    return score.tier_of(score.reading(contact, now_ms)) or ""
