"""Folds what a partition's log held once more, under definitions that change it: what a worker does, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from schemas.records import ContactRecord, DefinitionsRecord
from streams.segmentation import Definitions, Fold, Step, Succession, core_of, rehearsing_core_of


class Past(NamedTuple):
    """A valid record that was folded."""

    offset: int
    clock_ms: int
    record: ContactRecord | None
    """None for one that only moves the clock."""


def changed(fold: Fold, past: Sequence[Past], definitions: Definitions, record: DefinitionsRecord, offset: int) -> Fold:
    """The fold that goes on under `definitions`, which `record` at `offset` brings; it has emitted what that tells.

    All timers that are due by then must have fired in `fold`.
    """
    if definitions.meaning == fold.core.definitions.meaning:
        fold.core = core_of(definitions)
        return fold
    core = core_of(definitions)
    build = _built(past, definitions, fold.partition)
    build.fire(fold.clock_ms, offset)
    after = Fold(core, fold.partition, fold.clock_ms)
    succession = Succession(fold.core.definitions, core)
    step = Step(fold.clock_ms, fold.clock_ms, (fold.partition, offset), after.emitted, record)
    differing = []
    for key in fold.contacts.keys() | build.contacts.keys():
        raw, former = _stored(build, key), _stored(fold, key)
        settled = succession.settle(raw, former, fold.clock_ms)
        if settled.differs:
            known = fold.contacts.get(key) or build.contacts[key]
            differing.append(((known.contact_id or "").encode(), key, settled))
        if settled.raw is not None:
            contact = after.contacts[key] = core.decode(key, settled.raw)
            if contact.next_due is not None:
                after.schedule(contact.next_due, key)
    for _, key, settled in sorted(differing, key=lambda one: one[0]):
        succession.tell(key, settled, step)
    return after


def _built(past: Sequence[Past], definitions: Definitions, partition: int) -> Fold:
    build = Fold(rehearsing_core_of(definitions), partition)
    for one in past:
        build.fire(one.clock_ms, one.offset)
        if one.record is not None:
            build.apply(one.record, one.offset, one.clock_ms)
        build.emitted.clear()
    return build


def _stored(fold: Fold, key: str) -> bytes | None:
    contact = fold.contacts.get(key)
    return None if contact is None else fold.core.encode(contact)
