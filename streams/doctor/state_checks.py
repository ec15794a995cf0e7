"""Checks of the state against its log, its owners, its output and the consumers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from schemas.instants import DAY_MS, format_instant
from streams.doctor.facts import Facts
from streams.doctor.findings import Finding, error, numbers, ok, warning
from streams.snapshots.manifest import StatePoint

LAG_RECORDS_MAX = 100_000
"""Some seconds of catching up; beyond it answers are late."""
TIMERS_DUE_MAX = 1_000
SNAPSHOT_AGE_MAX_MS = 7 * DAY_MS


def state_fits_log(facts: Facts) -> Iterable[Finding]:
    """Each partition's cursor lies within the log that it was folded from."""
    bad = False
    for partition, point in sorted(facts.state.points.items()):
        bounds = facts.kafka.tracking.get(partition)
        about = f"state of partition {partition}"
        if bounds is None:
            continue
        if not point.untouched and _other_log(point, facts):
            bad = True
            found = f"folded from topic {point.log.topic_id!r} of cluster {point.log.cluster_id!r}"
            expected = f"topic {facts.kafka.log.topic_id!r} of cluster {facts.kafka.log.cluster_id!r}"
            fix = f"use another SEGUE_NAMESPACE or Redis, or segue epoch raise --partition {partition}"
            yield error(about, found, expected, fix)
        elif not bounds.start <= point.cursor.offset <= bounds.end:
            bad = True
            found = f"goes on at record {point.cursor.offset}"
            expected = f"within the log, {bounds.start} to {bounds.end}"
            fix = "segue restore DIRECTORY with a later snapshot; else segue epoch raise, which folds what is left"
            yield error(about, found, expected, fix)
    if facts.state.points and not bad:
        yield ok("state and log", f"{len(facts.state.points)} partitions belong to this log")


def _other_log(point: StatePoint, facts: Facts) -> bool:
    pairs = ((point.log.cluster_id, facts.kafka.log.cluster_id), (point.log.topic_id, facts.kafka.log.topic_id))
    return any(known and given and known != given for known, given in pairs)


def state_present(facts: Facts) -> Iterable[Finding]:
    """Every partition with records has a state."""
    bounds = facts.kafka.tracking
    missing = [partition for partition, log in bounds.items() if log.end and partition not in facts.state.points]
    if missing:
        found = f"none of partition {numbers(missing)}"
        yield warning("state", found, "a state of every partition", "segue worker; or first segue restore DIRECTORY")
    elif bounds:
        yield ok("state", f"of {len(facts.state.points)} partitions")


def state_format(facts: Facts) -> Iterable[Finding]:
    """The state is of a format that this version goes on with."""
    formats = {point.state_format for point in facts.state.points.values()}
    known, oldest = facts.limits.state_format, facts.limits.state_format_oldest
    if any(number > known for number in formats):
        yield error("format of the state", str(max(formats)), f"{known}", "run a newer version of Segue")
    elif any(number < oldest for number in formats):
        expected = f"{oldest} to {known}"
        if min(formats) < facts.limits.state_format_built_from:
            expected = f"{expected}: a worker of this version folds the log again from its start"
            yield warning("format of the state", str(min(formats)), expected, "nothing, or run the version before")
        else:
            expected = f"{expected}: a worker of this version builds the state anew before it serves"
            fix = "segue plan --upgrade, so that it is quick; then start workers of this version"
            yield warning("format of the state", str(min(formats)), expected, fix)
    elif formats:
        yield ok("format of the state", numbers(formats))


def lag(facts: Facts) -> Iterable[Finding]:
    """The log is folded to about its end."""
    if not facts.kafka.tracking:
        return
    behind = {}
    for partition, bounds in facts.kafka.tracking.items():
        point = facts.state.points.get(partition)
        folded = bounds.start if point is None else max(bounds.start, point.cursor.offset)
        behind[partition] = max(0, bounds.end - folded)
    most = max(behind, key=lambda partition: behind[partition])
    total = sum(behind.values())
    if behind[most] > LAG_RECORDS_MAX:
        found = f"{total:,} records, most in partition {most}: {behind[most]:,}"
        yield warning(
            "lag", found, f"at most {LAG_RECORDS_MAX:,}", "start more workers; see ops/runbooks/SegueLagHigh.md"
        )
    else:
        yield ok("lag", f"{total:,} records")


def timers_due(facts: Facts) -> Iterable[Finding]:
    """Timers fire when they are due."""
    due = sum(facts.state.timers_due.values())
    if due > TIMERS_DUE_MAX:
        fix = "see that workers run and SEGUE_TICKS is not off; with CreateTime, records or ticks must move the clock"
        yield warning("timers", f"{due:,} are due", f"at most {TIMERS_DUE_MAX:,} at any moment", fix)
    elif facts.state.timers_due:
        yield ok("timers", f"{due:,} are due")


def leftovers(facts: Facts) -> Iterable[Finding]:
    """No keys lie about of states that do not serve, but for those that a change of definitions rests on."""
    left = {partition: count for partition, count in facts.state.stale_keys.items() if count}
    if left:
        found = f"{sum(left.values()):,} keys of other generations, in partition {numbers(left)}"
        expected = "none, unless a state is being restored or started over now"
        yield warning("leftovers", found, expected, "segue restore DIRECTORY --yes sweeps them; they only take room")
    else:
        yield ok("leftovers", "none")


def owners(facts: Facts) -> Iterable[Finding]:
    """Whom the group gave a partition to is who holds its fence."""
    group = facts.kafka.groups.get("worker")
    if group is None or not facts.kafka.tracking:
        return
    if not group.members:
        held = max((point.fence.generation for point in facts.state.points.values()), default=0)
        found = f"group {group.name} has no members ({group.state})"
        fix = "segue worker"
        if held and group.state.lower() == "dead":
            found += f", and does not exist any more; fences are of generation {held}"
            fix = "stop all workers, segue fence reset, then segue worker"
        yield error("workers", found, "a worker for each partition", fix)
        return
    unowned = [partition for partition in facts.kafka.tracking if group.owner(partition) is None]
    foreign = [
        partition
        for partition, point in facts.state.points.items()
        if (owner := group.owner(partition)) is not None and point.fence.member != owner
    ]
    if unowned:
        found = f"nobody has partition {numbers(unowned)} ({group.state})"
        yield warning("workers", found, "an owner for each partition", "wait for the rebalance, then run this again")
    elif foreign:
        found = f"partition {numbers(foreign)}: the fence is another's than the group's member"
        fix = "wait a few seconds; if it stays, stop all workers, segue fence reset, then start them"
        yield error("workers", found, "the same member", fix)
    else:
        yield ok("workers", f"{len(group.members)} members, {len(facts.kafka.tracking)} partitions")


def outbox(facts: Facts) -> Iterable[Finding]:
    """What is committed reaches Kafka."""
    most = max(facts.state.outbox.values(), default=0)
    bound = facts.limits.outbox_entries_max
    told = f"{sum(facts.state.outbox.values()):,} transitions wait, at most {most:,} of a partition"
    if most > bound // 2:
        fix = "see whether a worker runs and Kafka takes `transitions` (min.insync.replicas, disk)"
        yield warning("outbox", told, f"below {bound // 2:,}; folding pauses at {bound:,}", fix)
    else:
        yield ok("outbox", told)


def consumer_progress(facts: Facts) -> Iterable[Finding]:
    """Each consumer is within `transitions`, and somebody runs it."""
    by_role = defaultdict(list)
    for progress in facts.state.consumers:
        by_role[progress.role].append(progress)
    for role, rows in sorted(by_role.items()):
        about, behind, lost, beyond = f"consumer {role}", 0, [], []
        for row in rows:
            start, end = facts.kafka.transitions.get(row.partition, (0, 0))
            behind += max(0, end - max(start, row.offset))
            lost += [row.partition] if row.offset < start else []
            beyond += [row.partition] if row.offset > end else []
        group = facts.kafka.groups.get(role)
        if beyond:
            found = f"progress beyond the end of transitions in partition {numbers(beyond)}"
            fix = f"if it is the right topic: {_command(role)} --from beginning"
            yield error(about, found, "progress within the topic", fix)
        elif lost:
            found = f"transitions it has not seen are gone in partition {numbers(lost)}"
            fix = f"longer retention of transitions; then start once with {_command(role)} --accept-gap"
            yield error(about, found, "every transition kept until it is consumed", fix)
        elif behind and group is not None and not group.members:
            found = f"{behind:,} transitions wait, and nobody consumes them"
            yield error(about, found, "a running consumer", _command(role))
        elif behind > LAG_RECORDS_MAX:
            fix = "see its log: a paused endpoint, or a partition that stopped (ops/runbooks/SegueConsumerStopped.md)"
            yield warning(about, f"{behind:,} transitions behind", f"at most {LAG_RECORDS_MAX:,}", fix)
        else:
            yield ok(about, f"{behind:,} transitions behind")


def _command(role: str, words: str = "") -> str:
    kind, _, name = role.partition("-")
    parts = ["segue consumer", kind, words, f"--name {name}" if name else ""]
    return " ".join(filter(None, parts))


def consumer_dead_letters(facts: Facts) -> Iterable[Finding]:
    """No delivery that was given up waits for a person."""
    for role, count in sorted(facts.state.consumer_dead_letters.items()):
        if count:
            fix = f"{_command(role, 'dead list')}, then replay or drop them"
            yield warning(f"dead deliveries of {role}", f"{count:,} wait", "none", fix)
        else:
            yield ok(f"dead deliveries of {role}", "none")


def dead_letters(facts: Facts) -> Iterable[Finding]:
    """How many records could not be used."""
    count = sum(end - start for start, end in facts.kafka.dead_letters.values())
    if count:
        fix = f"look at topic {facts.names.dead_letter}: header segue_dlq.reason; ops/runbooks/SegueDeadLetters.md"
        yield warning("dead letters", f"{count:,} records", "none that nobody has looked at", fix)
    elif facts.kafka.dead_letters:
        yield ok("dead letters", "none")


def snapshots(facts: Facts) -> Iterable[Finding]:
    """There is a restore point, and the log goes on from it."""
    known = facts.state.snapshots
    if not known:
        if facts.state.points:
            expected = "one a day: else a lost Redis is folded from the start of the log"
            yield warning("snapshots", "none is known", expected, "segue snapshot DIRECTORY --keep 7")
        return
    newest = known[-1]
    gone = [
        partition
        for partition, offset in newest.offsets.items()
        if partition in facts.kafka.tracking and offset < facts.kafka.tracking[partition].start
    ]
    told = f"{len(known)}, the newest of {format_instant(newest.made_at_ms)}"
    if gone:
        found = f"{told}, and the log after it is gone in partition {numbers(gone)}"
        yield error("snapshots", found, "a log from the snapshot on", "segue snapshot DIRECTORY, now")
    elif facts.now_ms - newest.made_at_ms > SNAPSHOT_AGE_MAX_MS:
        yield warning("snapshots", told, "one within a week", "segue snapshot DIRECTORY --keep 7, by a timer")
    else:
        yield ok("snapshots", told)
