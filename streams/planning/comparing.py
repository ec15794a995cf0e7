"""Compares what serves in a partition with what is built beside it."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from streams.generations import Build, GenerationStore
from streams.planning.plan import Plan, Sample, ScoreChange, SegmentChange
from streams.planning.reasons import reasons
from streams.ports import PartitionMeta
from streams.segmentation import Contact, Core, contact_key
from streams.segmentation.readings import ScoreUnit


class Comparison:
    """Notes in a plan what differs, partition by partition."""

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

    async def add(self, partition: int, meta: PartitionMeta, build: Build) -> None:
        """Compare a partition."""
        here = _Here(self._store, partition, meta, build)
        for change in self._plan.segments:
            were = await self._store.members(partition, meta.generation, change.name)
            are = await self._store.members(partition, build.generation, change.name)
            change.members_before += len(were)
            change.members_after += len(are)
            enter, leave = are.keys() - were.keys(), were.keys() - are.keys()
            change.entering += len(enter)
            change.leaving += len(leave)
            for ids, enters in ((enter, True), (leave, False)):
                known = self._candidates.setdefault((change.name, enters), [])
                known += [(contact_id, here) for contact_id in heapq.nsmallest(self._samples_max, ids)]
        await self._add_contacts(here)

    async def add_samples(self) -> None:
        """Choose examples among the contacts of all partitions, the first ones by id, and note why they move."""
        for change in self._plan.segments:
            for enters in (True, False):
                chosen = sorted(self._candidates.get((change.name, enters), []), key=lambda one: one[0])
                for contact_id, here in chosen[: self._samples_max]:
                    change.samples.append(await self._sample(contact_id, here, change, enters))

    async def _sample(self, contact_id: str, here: _Here, change: SegmentChange, enters: bool) -> Sample:
        ((old, new),) = await here.contacts([contact_key(contact_id)], self._before, self._after)
        return Sample(
            contact_id,
            enters,
            reasons(self._before, old, change.name, here.meta.clock_ms),
            reasons(self._after, new, change.name, here.build.clock_ms),
        )

    async def _add_contacts(self, here: _Here) -> None:
        plan, page = self._plan, 0
        while keys := await self._store.built_keys(here.partition, here.build.generation, page):
            plan.contacts += len(keys)
            page += 1
            wanted = keys[: max(0, self._looked_at_max - plan.looked_at)]
            plan.looked_at += len(wanted)
            for old, new in await here.contacts(wanted, self._before, self._after):
                for score in plan.scores:
                    self._add_tiers(score, here, old, new)
        plan.bytes_before += here.bytes_before
        plan.bytes_after += here.bytes_after

    def _add_tiers(self, score: ScoreChange, here: _Here, old: Contact | None, new: Contact | None) -> None:
        was = _tier(self._before.program.scores.get(score.name), old, here.meta.clock_ms)
        now = _tier(self._after.program.scores.get(score.name), new, here.build.clock_ms)
        if was is not None:
            score.before[was] += 1
        if now is not None:
            score.after[now] += 1
        if was is not None and now is not None and was != now:
            score.moves[was, now] += 1


class _Here:
    """A partition, with both of its states."""

    def __init__(self, store: GenerationStore, partition: int, meta: PartitionMeta, build: Build) -> None:
        self._store = store
        self.partition = partition
        self.meta = meta
        self.build = build
        self.bytes_before = self.bytes_after = 0

    async def contacts(
        self, keys: Sequence[str], before: Core, after: Core
    ) -> list[tuple[Contact | None, Contact | None]]:
        """Contacts as they stand before and after; None where they are not there."""
        olds = await self._store.states(self.partition, self.meta.generation, keys)
        news = await self._store.states(self.partition, self.build.generation, keys)
        self.bytes_before += sum(len(raw) for raw in olds if raw is not None)
        self.bytes_after += sum(len(raw) for raw in news if raw is not None)
        return [
            (_decoded(before, key, old), _decoded(after, key, new))
            for key, old, new in zip(keys, olds, news, strict=True)
        ]


def _decoded(core: Core, key: str, raw: bytes | None) -> Contact | None:
    return None if raw is None else core.decode(key, raw)


def _tier(score: ScoreUnit | None, contact: Contact | None, now_ms: int) -> str | None:
    """The tier, empty where there is none; None where the score or the contact is not there."""
    if score is None or contact is None or not contact.exists:
        return None
    return score.tier_of(score.reading(contact, now_ms)) or ""
