"""What is known of a deployment at one moment. Nothing here is a judgement: those are in `streams/doctor/checks`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from schemas.topics import Names
from streams.ports import LogBounds, LogIdentity
from streams.snapshots.manifest import StatePoint
from streams.spool.survey import SpoolSurvey


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """A topic that exists."""

    partitions: int
    replicas: int  # of the partition that has fewest
    in_sync: int  # of the partition that has fewest
    config: Mapping[str, str] | None  # None where the broker tells none (the embedded one)


class GroupMember(NamedTuple):
    """A member of a consumer group."""

    member_id: str
    partitions: frozenset[int]


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """A consumer group; one that does not exist has no members."""

    name: str
    state: str
    members: tuple[GroupMember, ...] = ()

    def owner(self, partition: int) -> str | None:
        """The member that the group gave a partition to."""
        return next((member.member_id for member in self.members if partition in member.partitions), None)


@dataclass(frozen=True, slots=True)
class KafkaFacts:
    """What the brokers say."""

    brokers: int
    topics: Mapping[str, TopicFacts]  # by name, those that exist
    log: LogIdentity
    tracking: Mapping[int, LogBounds]
    transitions: Mapping[int, LogBounds]
    dead_letters: Mapping[int, LogBounds]
    without_definitions: tuple[int, ...]  # partitions of `tracking` that are empty
    foreign_start: tuple[int, ...]  # partitions of `tracking` that begin with another record
    newest_ms: int  # the largest timestamp in `tracking`, 0 where there is none
    groups: Mapping[str, GroupFacts]  # by role


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What Redis says of itself."""

    version: tuple[int, ...]
    role: str
    maxmemory: int
    used_memory: int
    policy: str
    aof: bool
    aof_write_ok: bool
    rdb_points: bool | None  # whether it saves by itself; None where it does not say
    last_save_ok: bool
    last_save_age_s: int
    replica_lags_bytes: tuple[int, ...]
    latency_ms: float  # the median of some round trips
    clock_ahead_ms: float  # of ours


class ConsumerFacts(NamedTuple):
    """How far a consumer has settled a partition of `transitions`."""

    role: str
    partition: int
    offset: int


class BuildFacts(NamedTuple):
    """A state that is built for other definitions, beside the one that serves."""

    definitions_hash: str
    offset: int  # of the next record that it takes
    by_worker: bool  # the partition's worker builds, since a change has come to its turn
    keys: int
    idle_s: int | None  # since somebody went on with it; None where Redis does not say
    semantics: str = ""  # version of it that the definitions are for


class SnapshotFacts(NamedTuple):
    """A snapshot that was noted."""

    name: str
    made_at_ms: int
    offsets: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class StateFacts:
    """What Redis holds of Segue."""

    points: Mapping[int, StatePoint]
    outbox: Mapping[int, int]  # entries, by partition
    timers_due: Mapping[int, int]
    stale_keys: Mapping[int, int]  # of generations that do not serve, and that no change of definitions rests on
    builds: Mapping[int, BuildFacts] = field(default_factory=dict)
    consumers: tuple[ConsumerFacts, ...] = ()
    consumer_dead_letters: Mapping[str, int] = field(default_factory=dict)
    snapshots: tuple[SnapshotFacts, ...] = ()  # oldest first


class DoorFacts(NamedTuple):
    """What is set for the collector where the doctor runs."""

    problems: tuple[str, ...] = ()  # what cannot be read of it
    signs_file: str = ""
    signs_as_of_ms: int | None = None  # None where the signs of machines cannot be read
    link_keys: int = 0
    twin_keys: tuple[str, ...] = ()  # ids of keys that have their secret in common
    link_base_url: str = ""
    link_base_url_set: bool = False
    hooks: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What this version of Segue needs."""

    state_format: int
    state_format_oldest: int  # that is gone on with as it is
    redis_oldest: tuple[int, int]
    message_bytes: int
    dead_letter_surplus_bytes: int
    outbox_entries_max: int
    state_format_built_from: int  # the oldest from which a state of ours is built


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it."""

    now_ms: int
    names: Names
    kafka: KafkaFacts
    redis: RedisFacts
    state: StateFacts
    limits: Limits
    door: DoorFacts
    spool_directory: Path | None  # as it is set where this runs
    spool: SpoolSurvey | None  # None where there is no such directory
