"""Settings of the worker: every queue, batch, wait and retry of it has its bound here, with its unit.

None of them changes a result; they change how fast it comes and what the worker does when something is down.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from schemas.settings import CommonSettings

TicksMode = Literal["auto", "on", "off"]


class ProbeSettings(CommonSettings):
    """Where a process that folds or reads along shows how it is."""

    metrics_host: str = Field(default="127.0.0.1", description="Address on which /metrics and /healthz are served.")
    metrics_port: int = Field(
        default=0, ge=0, le=65_535, description="Port of /metrics and /healthz; 0 takes a free one and logs it."
    )


class WorkerSettings(ProbeSettings):
    """Settings of `segue worker`."""

    ticks: TicksMode = Field(
        default="auto",
        description="Append a `tick` when a timer is due and no record moves the clock. `auto`: on where the broker "
        "stamps records (`append`), off where producers do (`create`), since time there moves by records alone.",
    )
    tick_interval_ms: int = Field(
        default=25, ge=5, le=60_000, description="Least time between two ticks of a partition, in milliseconds."
    )
    tick_drift_window_ms: int = Field(
        default=60_000,
        ge=1_000,
        le=3_600_000,
        description="How long, in milliseconds, a measured difference between the broker's clock and ours counts.",
    )

    batch_records_max: int = Field(
        default=1_000, ge=1, le=5_000, description="Most records folded and committed at once, in records."
    )
    batches_in_flight_max: int = Field(
        default=16, ge=1, le=256, description="Most batches read from Kafka and not folded yet, over all partitions."
    )
    fetch_wait_ms: int = Field(
        default=10,
        ge=1,
        le=5_000,
        description="How long the broker may gather records while they flow, in milliseconds.",
    )
    fetch_bytes_min: int = Field(
        default=65_536, ge=1, le=16_777_216, description="With this many bytes the broker answers at once."
    )
    fetch_idle_wait_ms: int = Field(
        default=250,
        ge=1,
        le=5_000,
        description="How long the broker may wait for a first record while none flow, in milliseconds.",
    )
    fetch_partition_bytes_max: int = Field(
        default=1_048_576, ge=65_536, le=67_108_864, description="Most bytes fetched of one partition at once."
    )

    timers_per_commit_max: int = Field(
        default=500, ge=1, le=10_000, description="Most timers fired in one commit, in timers."
    )
    transitions_per_commit_max: int = Field(
        default=1_000,
        ge=1,
        le=10_000,
        description="A commit that has caused this many transitions takes no more records.",
    )
    contacts_cached_max: int = Field(
        default=20_000, ge=0, le=5_000_000, description="Most contacts kept in memory for each partition, in contacts."
    )
    outbox_entries_max: int = Field(
        default=20_000,
        ge=100,
        le=1_000_000,
        description="Most transitions of a partition that wait for the broker's ack before folding pauses.",
    )
    dead_letter_ratio_max: float = Field(
        default=0.05,
        ge=0.0,
        le=1.0,
        description="Share of dead letters over a window of records above which the worker stops; 1 never stops it.",
    )
    dead_letter_window_records: int = Field(
        default=1_000, ge=1, le=1_000_000, description="Window of that share, in records of a partition."
    )

    session_timeout_ms: int = Field(
        default=6_000, ge=1_000, le=300_000, description="Silence after which the group gives our partitions away."
    )
    heartbeat_interval_ms: int = Field(
        default=1_000, ge=100, le=60_000, description="Time between two heartbeats to the group, in milliseconds."
    )
    rebalance_timeout_ms: int = Field(
        default=10_000, ge=1_000, le=300_000, description="How long the group waits for a member to join again."
    )
    request_timeout_ms: int = Field(
        default=20_000, ge=1_000, le=300_000, description="Time that one request to Kafka may take, in milliseconds."
    )
    group_commit_interval_ms: int = Field(
        default=2_000, ge=100, le=600_000, description="Time between two commits of the group's offsets (a lag hint)."
    )
    publish_timeout_ms: int = Field(
        default=60_000, ge=1_000, le=900_000, description="Time in which Kafka must take a message, else we stop."
    )
    publish_queue_messages_max: int = Field(
        default=100_000, ge=1_000, le=10_000_000, description="Most messages waiting for Kafka, in messages."
    )

    retry_first_ms: int = Field(
        default=100, ge=1, le=60_000, description="Pause before the first retry after a failure, in milliseconds."
    )
    retry_most_ms: int = Field(
        default=2_000, ge=1, le=600_000, description="Longest pause between two retries, in milliseconds."
    )
    idle_check_interval_ms: int = Field(
        default=2_000,
        ge=100,
        le=600_000,
        description="A partition in which nothing happens looks so often whether its state in Redis is still there.",
    )
    stall_timeout_ms: int = Field(
        default=30_000,
        ge=1_000,
        le=3_600_000,
        description="Lag without progress for this long ends the process, so that it is started afresh.",
    )
    lag_interval_ms: int = Field(
        default=2_000, ge=100, le=600_000, description="Time between two looks at the ends of the log."
    )
    stop_timeout_ms: int = Field(
        default=8_000, ge=500, le=600_000, description="Time in which work under way is finished at a stop."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> WorkerSettings:
        if self.heartbeat_interval_ms * 3 > self.session_timeout_ms:
            raise ValueError("session_timeout_ms: expected at least three heartbeat_interval_ms")
        if self.session_timeout_ms > self.request_timeout_ms:
            raise ValueError("session_timeout_ms: expected at most request_timeout_ms")
        if self.retry_first_ms > self.retry_most_ms:
            raise ValueError("retry_first_ms: expected at most retry_most_ms")
        return self
