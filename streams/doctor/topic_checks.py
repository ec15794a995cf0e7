"""Checks of the topics: there, alike, kept, and replicated as a log must be that everything is the fold of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from schemas.instants import DAY_MS, format_instant
from streams.doctor.facts import Facts, TopicFacts
from streams.doctor.findings import Finding, error, numbers, ok, warning

_RETENTION_MARGIN_MS = DAY_MS
"""A snapshot that is this close to losing its log would not be restored in time."""
_ALTER = "kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {setting}={value}"


def _ours(facts: Facts) -> dict[str, TopicFacts]:
    names = facts.names
    wanted = (names.tracking, names.transitions, names.dead_letter, names.lists, names.keys)
    return {name: facts.kafka.topics[name] for name in wanted if name in facts.kafka.topics}


def _configured(facts: Facts) -> dict[str, Mapping[str, str]]:
    return {name: topic.config for name, topic in _ours(facts).items() if topic.config is not None}


def _alter(topic: str, setting: str, value: object) -> str:
    return _ALTER.format(topic=topic, setting=setting, value=value)


def topics_exist(facts: Facts) -> Iterable[Finding]:
    """All five topics are there."""
    names = facts.names
    wanted = (names.tracking, names.transitions, names.dead_letter, names.lists, names.keys)
    missing = [name for name in wanted if name not in facts.kafka.topics]
    makes_its_own = any(topic.config is None for topic in facts.kafka.topics.values())  # the embedded broker
    if missing and not makes_its_own:
        yield error("topics", f"no {', '.join(missing)}", "all five", "segue topics create")
    else:
        yield ok("topics", ", ".join(name for name in wanted if name in facts.kafka.topics))


def partition_counts(facts: Facts) -> Iterable[Finding]:
    """`tracking`, `transitions` and dead letters have equally many partitions, and as many as the state knows."""
    names = facts.names
    counts = {name: topic.partitions for name, topic in _ours(facts).items() if name not in (names.lists, names.keys)}
    known = {point.log.partitions for point in facts.state.points.values() if point.log.partitions}
    if not counts:
        return
    told = ", ".join(f"{name} {count}" for name, count in counts.items())
    if len(set(counts.values())) > 1:
        yield error("partitions", told, "equally many", "delete the topics and create them: segue topics create")
    elif known - {counts.get(names.tracking)} and names.tracking in counts:
        yield error(
            "partitions",
            f"{told}; the state was folded from {numbers(known)}",
            "the number never changes",
            "restore the topic from a backup, or use another SEGUE_NAMESPACE",
        )
    else:
        yield ok("partitions", told)


def replication(facts: Facts) -> Iterable[Finding]:
    """A broker may die: replicas, and how many of them have to acknowledge."""
    for name, topic in _ours(facts).items():
        if topic.config is None:
            continue
        least = int(topic.config.get("min.insync.replicas", "1"))
        told = f"{topic.replicas} replicas, {topic.in_sync} in sync, min.insync.replicas {least}"
        about = f"replication of {name}"
        if topic.in_sync < least:
            yield error(about, told, f"at least {least} in sync, else nothing can be written", "bring the brokers back")
        elif topic.in_sync < topic.replicas:
            yield warning(about, told, "all in sync", "bring the brokers back")
        elif topic.replicas < 3:
            fix = f"kafka-reassign-partitions.sh for {name}, on {max(3, facts.kafka.brokers)} brokers"
            yield warning(about, told, "3 replicas, so that a broker may die", fix)
        elif least < 2:
            fix = _alter(name, "min.insync.replicas", 2)
            yield warning(about, told, "min.insync.replicas 2, else one broker's word is taken for all", fix)
        elif least >= topic.replicas:
            fix = _alter(name, "min.insync.replicas", topic.replicas - 1)
            yield warning(about, told, "fewer than there are replicas, else no broker may be away", fix)
        else:
            yield ok(about, told)


def timestamps(facts: Facts) -> Iterable[Finding]:
    """The broker's clock is the only one that counts."""
    config = _configured(facts).get(facts.names.tracking)
    if config is None:
        return
    found = config.get("message.timestamp.type", "CreateTime")
    if found == "LogAppendTime":
        yield ok("timestamps of tracking", found)
    else:
        yield warning(
            "timestamps of tracking",
            found,
            "LogAppendTime, unless history is replayed: with CreateTime a sender's wrong clock moves time",
            _alter(facts.names.tracking, "message.timestamp.type", "LogAppendTime"),
        )


def cleanup(facts: Facts) -> Iterable[Finding]:
    """Nothing but age removes records, and of lists and keys the newest value stays."""
    for name, config in _configured(facts).items():
        wanted = "compact" if name in (facts.names.lists, facts.names.keys) else "delete"
        found, about = config.get("cleanup.policy", "delete"), f"cleanup.policy of {name}"
        if found == wanted:
            yield ok(about, found)
        else:
            yield error(about, found, wanted, _alter(name, "cleanup.policy", wanted))


def retention(facts: Facts) -> Iterable[Finding]:
    """`tracking` is kept for ever, or for longer than the oldest snapshot is old."""
    name = facts.names.tracking
    config = _configured(facts).get(name)
    if config is None:
        return
    about = f"retention of {name}"
    kept_ms, kept_bytes = int(config.get("retention.ms", "-1")), int(config.get("retention.bytes", "-1"))
    if kept_bytes != -1:
        fix = _alter(name, "retention.bytes", -1)
        yield error(about, f"retention.bytes {kept_bytes}", "no bound: a rush would remove records early", fix)
    if kept_ms == -1:
        yield ok(about, "for ever")
        return
    told, fix = f"{kept_ms / DAY_MS:g} days", _alter(name, "retention.ms", -1)
    oldest = facts.state.snapshots[0] if facts.state.snapshots else None
    if oldest is None:
        expected = "for ever, or a snapshot: a lost Redis cannot be rebuilt from this log"
        yield warning(about, f"{told}, and no snapshot is known", expected, f"segue snapshot DIRECTORY, or {fix}")
    elif facts.now_ms - oldest.made_at_ms >= kept_ms - _RETENTION_MARGIN_MS:
        expected = "a day longer than the oldest snapshot is old, else it cannot be restored"
        made = format_instant(oldest.made_at_ms)
        fix = f"segue snapshot DIRECTORY --keep N with fewer, or {fix}"
        yield warning(about, f"{told}, and snapshot {oldest.name} was made at {made}", expected, fix)
    else:
        yield ok(about, f"{told}, the oldest snapshot is younger")


def message_sizes(facts: Facts) -> Iterable[Finding]:
    """The brokers take the largest record that Segue writes, and its dead letter."""
    configs, names, limits = _configured(facts), facts.names, facts.limits
    tracking = int(configs.get(names.tracking, {}).get("max.message.bytes", "0"))
    wanted = {
        names.tracking: limits.message_bytes,
        names.dead_letter: max(tracking, limits.message_bytes) + limits.dead_letter_surplus_bytes,
    }
    for name, least in wanted.items():
        if name not in configs:
            continue
        found, about = int(configs[name].get("max.message.bytes", "0")), f"max.message.bytes of {name}"
        if found < least:
            yield error(about, str(found), f"at least {least}", _alter(name, "max.message.bytes", least))
        else:
            yield ok(about, str(found))


def log_begins(facts: Facts) -> Iterable[Finding]:
    """Every partition of `tracking` begins with definitions."""
    kafka = facts.kafka
    if kafka.foreign_start:
        found = f"partition {numbers(kafka.foreign_start)} begins with another record"
        fix = "delete the topics, segue topics create, segue apply FILE"
        yield error("start of the log", found, "definitions: it can never be evaluated", fix)
    elif kafka.without_definitions:
        found = f"partition {numbers(kafka.without_definitions)} is empty"
        yield error("start of the log", found, "definitions in every partition", "segue apply FILE")
    elif kafka.tracking:
        yield ok("start of the log", f"{len(kafka.tracking)} partitions begin with definitions")
