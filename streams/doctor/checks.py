"""All checks, in the order in which they are told. A new one is a function and a line here."""

from __future__ import annotations

from streams.doctor import definitions_checks, door_checks, redis_checks, spool_checks, state_checks, topic_checks
from streams.doctor.facts import Facts
from streams.doctor.findings import Check, Finding

CHECKS: tuple[Check, ...] = (
    topic_checks.topics_exist,
    topic_checks.partition_counts,
    topic_checks.replication,
    topic_checks.timestamps,
    topic_checks.cleanup,
    topic_checks.retention,
    topic_checks.message_sizes,
    topic_checks.log_begins,
    definitions_checks.log_is_whole,
    redis_checks.redis_version,
    redis_checks.redis_role,
    redis_checks.eviction,
    redis_checks.memory,
    redis_checks.persistence,
    redis_checks.replicas,
    redis_checks.latency,
    redis_checks.redis_clock,
    redis_checks.broker_clock,
    state_checks.state_present,
    state_checks.state_fits_log,
    state_checks.state_format,
    definitions_checks.definitions_agree,
    definitions_checks.builds,
    state_checks.lag,
    state_checks.timers_due,
    state_checks.leftovers,
    state_checks.owners,
    state_checks.outbox,
    state_checks.consumer_progress,
    state_checks.consumer_dead_letters,
    state_checks.dead_letters,
    state_checks.snapshots,
    door_checks.door_settings,
    door_checks.machine_signs,
    door_checks.links,
    spool_checks.spool_place,
    spool_checks.spool_waiting,
    spool_checks.spool_room,
    spool_checks.spool_damage,
    spool_checks.spool_keys,
)


def examine(facts: Facts) -> list[Finding]:
    """What every check says."""
    return [finding for check in CHECKS for finding in check(facts)]
