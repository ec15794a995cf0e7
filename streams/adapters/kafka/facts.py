"""What the brokers say of Segue's topics and groups, as plain facts for `segue doctor`."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka.admin import ConsumerGroupDescription

from schemas.topics import Names
from streams.adapters.kafka.topics import KafkaTopics
from streams.doctor.facts import GroupFacts, GroupMember, KafkaFacts, TopicFacts
from streams.ports import LogBounds, LogIdentity
from streams.sending.log_start import LogStarts, read_log_starts


def kafka_facts(topics: KafkaTopics, names: Names, roles: Iterable[str]) -> KafkaFacts:
    """What there is; `roles` are those of the groups to look at. Raises `UnavailableError`."""
    wanted = (names.tracking, names.transitions, names.dead_letter, names.lists, names.keys)
    counts, replication = topics.partition_counts(wanted), topics.replication(wanted)
    there = names.tracking in counts
    starts = read_log_starts(topics, names.tracking) if there else LogStarts()
    groups = {names.group(role): role for role in roles}
    return KafkaFacts(
        brokers=topics.brokers(),
        topics={name: TopicFacts(counts[name], *replication[name], topics.config(name)) for name in counts},
        log=topics.log_identity(names.tracking) if there else LogIdentity("", ""),
        tracking=topics.log_bounds(names.tracking),
        transitions=topics.log_bounds(names.transitions),
        dead_letters=topics.log_bounds(names.dead_letter),
        without_definitions=tuple(starts.empty),
        foreign_start=tuple(starts.other),
        newest_ms=_newest_ms(topics, names),
        groups={groups[name]: _group(name, found) for name, found in topics.groups(groups).items()},
    )


def _newest_ms(topics: KafkaTopics, names: Names) -> int:
    bounds: dict[int, LogBounds] = topics.log_bounds(names.tracking)
    if topics.is_embedded() or not bounds:
        return 0
    return max(topics.latest_timestamps(names.tracking).values())


def _group(name: str, found: ConsumerGroupDescription) -> GroupFacts:
    members = [
        GroupMember(
            member.member_id,
            frozenset(place.partition for place in (member.assignment.topic_partitions if member.assignment else ())),
        )
        for member in found.members
    ]
    return GroupFacts(name, getattr(found.state, "name", str(found.state)), tuple(members))
