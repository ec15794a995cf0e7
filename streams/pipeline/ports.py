"""What the pipelines of a worker share: the outside, and the bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from schemas.metrics import Meters
from schemas.topics import Names
from streams.generations import BuildStore, GenerationStore, History, RecordReader
from streams.ports import Clock, LogIdentity, Publisher, StateStore, TailReader, TimestampType


@dataclass(frozen=True, slots=True)
class PipelineBounds:
    """Bounds of a pipeline, each of one partition. None of them changes a result."""

    timers_per_commit_max: int = 500
    transitions_per_commit_max: int = 1_000
    contacts_cached_max: int = 20_000
    outbox_entries_max: int = 20_000
    forwards_waiting_max: int = 500
    dead_letter_ratio_max: float = 0.05
    dead_letter_window_records: int = 1_000


@dataclass(frozen=True, slots=True)
class PipelinePorts:
    """What a pipeline needs of the outside. `on_failure` hears of an error that ended a relay."""

    names: Names
    log: LogIdentity
    partitions: int  # of `tracking`
    timestamp_type: TimestampType
    store: StateStore
    builds: BuildStore
    generations: GenerationStore
    history: History
    records: RecordReader
    publisher: Publisher
    tails: TailReader
    clock: Clock
    meters: Meters
    on_failure: Callable[[BaseException], None]
