"""Whether partitions may go back to a snapshot: judged from plain facts, before anything is touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from schemas.errors import InputError
from streams.pipeline.relay import Published
from streams.ports import LogBounds, LogIdentity
from streams.snapshots.manifest import StatePoint


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a partition's state has to fit to."""

    log: LogIdentity
    bounds: LogBounds
    published: Published | None  # the last transition that the topic holds
    first_waiting_seq: int | None  # in the snapshot's outbox
    serving: StatePoint | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restore is about to do."""

    points: dict[int, StatePoint]  # to be brought back
    untouched: list[int]  # of which the snapshot holds nothing that was folded
    missing: list[int]  # in the log, and not in the snapshot
    further: dict[int, int]  # records by which the serving state has come further

    @property
    def replayed(self) -> str:
        """The partitions that go back, in words."""
        return ", ".join(f"{partition} (by {records} records)" for partition, records in sorted(self.further.items()))


class Formats(NamedTuple):
    """Formats of a state that a program goes on with: all from the oldest to the newest."""

    oldest: int
    newest: int


def make_plan(points: Mapping[int, StatePoint], surroundings: Mapping[int, Surroundings], known: Formats) -> Plan:
    """Raises `InputError` that names every partition which cannot go back, and why."""
    problems = []
    beyond = sorted(set(points) - set(surroundings))
    if beyond:
        problems.append(f"the log has no partition {', '.join(map(str, beyond))}")
    wanted = {
        partition: point for partition, point in points.items() if partition in surroundings and not point.untouched
    }
    further = {}
    for partition, point in sorted(wanted.items()):
        around = surroundings[partition]
        problems += [f"partition {partition}: {reason}" for reason in _reasons(point, around, known)]
        if around.serving is not None and around.serving.cursor > point.cursor:
            further[partition] = around.serving.cursor.offset - point.cursor.offset
    if problems:
        raise InputError("nothing was restored: " + "; ".join(problems))
    return Plan(
        points=wanted,
        untouched=sorted(set(points) - set(wanted)),
        missing=sorted(set(surroundings) - set(points)),
        further=further,
    )


def _reasons(point: StatePoint, around: Surroundings, known: Formats) -> Iterable[str]:
    if point.state_format > known.newest:
        yield f"the snapshot is of format {point.state_format}, this program knows {known.newest}: use a newer version"
        return
    if point.state_format < known.oldest:
        yield (
            f"the snapshot is of format {point.state_format}, this program's is {known.newest}, and folds those before "
            f"{known.oldest} from the start of the log again: use the version that made it, or restore nothing"
        )
        return
    if not _same_log(point.log, around.log):
        yield (
            f"the snapshot was folded from another log (cluster {point.log.cluster_id!r}, topic id "
            f"{point.log.topic_id!r}, {point.log.partitions} partitions) than this one (cluster "
            f"{around.log.cluster_id!r}, topic id {around.log.topic_id!r}, {around.log.partitions} partitions)"
        )
        return
    yield from _serving_reasons(point, around.serving, known)
    yield from _log_reasons(point, around)


def _serving_reasons(point: StatePoint, serving: StatePoint | None, known: Formats) -> Iterable[str]:
    if serving is None:
        return
    if serving.state_format > known.newest:
        yield f"the state that serves is of format {serving.state_format}: use a newer version"
    if serving.epoch > point.epoch:
        yield (
            f"its output was begun anew since, in epoch {serving.epoch} (the snapshot is of epoch {point.epoch}): "
            "the snapshot cannot continue it"
        )


def _log_reasons(point: StatePoint, around: Surroundings) -> Iterable[str]:
    start, end = around.bounds
    if point.cursor.offset < start:
        yield (
            f"the snapshot goes on at record {point.cursor.offset}, but the log begins at {start}: the records "
            "between are gone; use a later snapshot"
        )
    if point.cursor.offset > end:
        yield f"the snapshot goes on at record {point.cursor.offset}, but the log ends at {end}: records were lost"
    published = around.published
    if published is None:
        return
    if published.epoch > point.epoch and (around.serving is None or around.serving.epoch <= point.epoch):
        yield f"its output was begun anew since, in epoch {published.epoch}: the snapshot cannot continue it"
    first = point.seq + 1 if around.first_waiting_seq is None else around.first_waiting_seq
    if published.epoch == point.epoch and published.seq + 1 < first:
        yield (
            f"the output ends at transition {published.seq}, but the snapshot goes on at {first}: those between are "
            f"lost; `segue epoch raise --partition {point.partition}` publishes all anew"
        )


def _same_log(ours: LogIdentity, found: LogIdentity) -> bool:
    """As `take.lua` has it: what is not known of one of them decides nothing."""
    return all(not known or not given or known == given for known, given in zip(ours, found, strict=True))
