"""What each alarm fires at, and what it just does not fire at, as series for `promtool test rules`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

Series: TypeAlias = Mapping[str, str]
"""A series by its values: one a minute, in promtool's notation (`0+5x60`: 0, 5, 10… for an hour; `_` is none)."""

HOUR = 60


def steady(value: float) -> str:
    """A gauge that stays."""
    return f"{value:g}x{HOUR}"


def rising(each_minute: float) -> str:
    """A counter that rises for an hour."""
    return f"0+{each_minute:g}x{HOUR}"


def once(at_minute: int, step: float = 1) -> str:
    """A counter that rises once."""
    return f"0x{at_minute} {step:g}x{HOUR - at_minute - 1}"


def latest(minutes: int, value: float, before: float = 0) -> str:
    """A gauge that has stood at `value` for so many of the last minutes."""
    return f"{before:g}x{HOUR - minutes} {value:g}x{minutes}"


def histogram(name: str, quick: float, slow: float, slow_le: str) -> dict[str, str]:
    """Observations a minute: `quick` of 1 ms, `slow` up to `slow_le`."""
    return {
        f'{name}_bucket{{le="0.001"}}': rising(quick),
        f'{name}_bucket{{le="{slow_le}"}}': rising(quick + slow),
        f'{name}_bucket{{le="+Inf"}}': rising(quick + slow),
    }


WELL: Series = {
    'up{job="collector",instance="c:1"}': steady(1),
    'up{job="worker",instance="w:1"}': steady(1),
    'up{job="consumer",instance="h:1"}': steady(1),
    'up{job="detector",instance="d:1"}': steady(1),
    "segue_detector_lag_records": steady(1_000),
    'segue_detector_events_given_up_total{reason="memory_full"}': rising(0),
    'segue_detector_events_given_up_total{reason="contact_full"}': rising(5),
    'segue_commit_seconds_count{instance="w:1"}': rising(60),
    'segue_partitions_owned{instance="w:1"}': steady(8),
    'segue_lag_records{partition="0"}': steady(3),
    'segue_records_total{type="track"}': rising(60_000),
    'segue_timer_overdue_seconds{partition="0"}': steady(0.02),
    **histogram("segue_timer_lateness_seconds", 600, 3, "30"),
    **histogram("segue_end_to_end_seconds", 600, 3, "30"),
    **histogram("segue_commit_seconds", 600, 3, "1"),
    'segue_outbox_entries{partition="0"}': steady(20),
    'segue_definitions_number{partition="0",instance="w:1"}': steady(3),
    'segue_definitions_number{partition="1",instance="w:1"}': steady(3),
    'segue_definitions_number{partition="1",instance="gone:1"}': steady(2),
    "segue_fence_losses_total": rising(0),
    "segue_resynchronisations_total": rising(0),
    "segue_replays_total": rising(0),
    "segue_batches_dropped_total": rising(0),
    "segue_watchdog_stops_total": rising(0),
    'segue_dead_letters_total{reason="invalid"}': rising(0),
    "segue_forward_records_lost_total": rising(0),
    "segue_records_future_total": rising(60),
    "segue_window_entries_merged_total": rising(0),
    'segue_collector_lost_total{route="open"}': rising(0),
    'segue_collector_rejected_total{reason="kafka_away"}': rising(0),
    'segue_collector_rejected_total{reason="invalid"}': rising(5),
    'segue_collector_requests_total{route="track",status="200"}': rising(600),
    'segue_collector_queue_records{instance="c:1"}': steady(100),
    'segue_collector_spool_records{instance="c:1"}': steady(0),
    'segue_collector_spool_bytes{instance="c:1"}': steady(0),
    'segue_collector_spool_limit_bytes{instance="c:1"}': steady(1_000_000),
    'segue_collector_spool_damaged_total{instance="c:1"}': rising(0),
    'segue_collector_spool_refused_total{instance="c:1"}': rising(0),
    'segue_collector_hook_events_total{event="email_open",provider="ses"}': rising(100),
    'segue_collector_hook_refused_total{provider="ses",reason="unidentified"}': rising(1),
    'segue_collector_hook_refused_total{provider="ses",reason="kafka_away"}': rising(0),
    **histogram("segue_collector_request_seconds", 600, 3, "10"),
    'segue_consumer_gaps_total{instance="h:1"}': rising(0),
    'segue_consumer_partitions_stopped{instance="h:1"}': steady(0),
    'segue_consumer_lag_records{partition="0"}': steady(10),
    'segue_consumer_transitions_total{outcome="unreadable"}': rising(0),
    'segue_webhook_paused{instance="h:1"}': steady(0),
    'segue_webhook_attempts_total{answer="2xx"}': rising(600),
    'segue_webhook_attempts_total{answer="5xx"}': rising(10),
    'segue_webhook_dead_letters{instance="h:1"}': steady(0),
    **histogram("segue_webhook_delivery_seconds", 600, 3, "60"),
}
"""A deployment that is well; an hour of it."""


class Case(NamedTuple):
    """An alarm, and what of `WELL` is otherwise when it fires, and when it almost does."""

    alarm: str
    fires: Series
    almost: Series
    too: frozenset[str] = frozenset()  # alarms that fire as well


COMMITS = 'segue_commit_seconds_count{instance="w:1"}'
OWNED = 'segue_partitions_owned{instance="w:1"}'
LAG = 'segue_lag_records{partition="0"}'
IDLE = {'segue_records_total{type="track"}': steady(500), "segue_records_future_total": steady(5)}
BUILT = "segue_build_records_total"
DEFINED = 'segue_definitions_number{partition="0",instance="w:1"}'
FORGOTTEN = 'segue_detector_events_given_up_total{reason="memory_full"}'
OVERDUE = 'segue_timer_overdue_seconds{partition="0"}'
OUTBOX = 'segue_outbox_entries{partition="0"}'
DEAD = 'segue_dead_letters_total{reason="invalid"}'
REJECTED = "segue_collector_rejected_total{{reason={}}}".format
UNIDENTIFIED = 'segue_collector_hook_refused_total{provider="ses",reason="unidentified"}'
UNWRITTEN = 'segue_collector_hook_refused_total{provider="ses",reason="kafka_away"}'
QUEUE = 'segue_collector_queue_records{instance="c:1"}'
SPOOLED = 'segue_collector_spool_records{instance="c:1"}'
SPOOL_BYTES = 'segue_collector_spool_bytes{instance="c:1"}'
MOVED_LOST = "segue_forward_records_lost_total"
DAMAGED = 'segue_collector_spool_damaged_total{instance="c:1"}'
STOPPED = 'segue_consumer_partitions_stopped{instance="h:1"}'
BEHIND = 'segue_consumer_lag_records{partition="0"}'
UNREADABLE = 'segue_consumer_transitions_total{outcome="unreadable"}'
PAUSED = 'segue_webhook_paused{instance="h:1"}'
FAILED = 'segue_webhook_attempts_total{answer="5xx"}'
GIVEN_UP = 'segue_webhook_dead_letters{instance="h:1"}'
UP = 'up{job="worker",instance="w:1"}'
LONG_AGO = 20
"""A minute of the hour that no alarm about the last quarter of an hour sees."""


def _late(name: str, le: str) -> tuple[Series, Series]:
    """Three in a hundred are slow; nine in a thousand are."""
    return histogram(name, 970, 30, le), histogram(name, 991, 9, le)


CASES: tuple[Case, ...] = (
    Case("SegueTargetDown", {UP: latest(3, 0, 1)}, {UP: latest(1, 0, 1)}),
    Case("SegueTargetsAbsent", {UP: f"1x50 _x{HOUR - 51}"}, {UP: f"1x57 _x{HOUR - 58}"}),
    Case(
        "SegueWorkerRestarts",
        {COMMITS: "0+9x39 0+9x4 0+9x4 0+9x4"},
        {COMMITS: "0+9x10 0+9x10 0+9x20 0+9x4 0+9x4"},
    ),
    Case(
        "SegueNoWorkerOwnsPartitions",
        {OWNED: latest(3, 0, 8), COMMITS: rising(0)},
        {OWNED: latest(1, 0, 8)},
    ),
    Case("SeguePartitionsUnowned", {OWNED: latest(4, 7, 8)}, {OWNED: latest(2, 7, 8)}),
    Case("SegueStalled", {LAG: steady(3), **IDLE}, {LAG: steady(0), **IDLE}),
    Case("SegueStalled", {LAG: steady(3), **IDLE, BUILT: steady(9)}, {LAG: steady(3), **IDLE, BUILT: rising(100)}),
    Case("SegueDefinitionsDiffer", {DEFINED: latest(35, 4, 3)}, {DEFINED: latest(25, 4, 3)}),
    Case("SegueLagHigh", {LAG: latest(8, 100_001)}, {LAG: latest(4, 100_001)}),
    Case("SegueClockStandsStill", {OVERDUE: latest(3, 31)}, {OVERDUE: latest(30, 29)}),
    Case("SegueTimersLate", *_late("segue_timer_lateness_seconds", "30")),
    Case("SegueEndToEndSlow", *_late("segue_end_to_end_seconds", "30")),
    Case("SegueCommitSlow", *_late("segue_commit_seconds", "1")),
    Case("SegueOutboxGrows", {OUTBOX: latest(4, 10_001)}, {OUTBOX: latest(1, 10_001)}),
    Case(
        "SegueFenceLosses",
        {"segue_fence_losses_total": once(50, 8)},
        {"segue_fence_losses_total": once(50, 4)},
    ),
    Case(
        "SegueResynchronisations",
        {"segue_resynchronisations_total": rising(5)},
        {"segue_resynchronisations_total": rising(2)},
    ),
    Case(
        "SegueRedisRolledBack",
        {"segue_replays_total": once(55)},
        {"segue_replays_total": once(LONG_AGO)},
    ),
    Case(
        "SegueBatchesDropped",
        {"segue_batches_dropped_total": rising(50)},
        {"segue_batches_dropped_total": rising(20)},
    ),
    Case(
        "SegueWatchdogStops",
        {"segue_watchdog_stops_total": once(55)},
        {"segue_watchdog_stops_total": once(LONG_AGO)},
    ),
    Case("SegueDeadLetters", {DEAD: once(55)}, {DEAD: once(LONG_AGO)}),
    Case(
        "SegueDeadLetterRatioHigh",
        {DEAD: rising(1_000)},
        {DEAD: f"0x{LONG_AGO} 0+10000x5 50000x{HOUR - LONG_AGO - 7}"},
        frozenset({"SegueDeadLetters"}),
    ),
    Case(
        "SegueRecordsFromTheFuture",
        {"segue_records_future_total": rising(900)},
        {"segue_records_future_total": rising(500)},
    ),
    Case(
        "SegueWindowsMerged",
        {"segue_window_entries_merged_total": once(30)},
        {"segue_window_entries_merged_total": steady(7)},
    ),
    Case(
        "SegueCollectorLost",
        {'segue_collector_lost_total{route="open"}': once(55)},
        {'segue_collector_lost_total{route="open"}': once(LONG_AGO)},
    ),
    Case("SegueForwardRecordsLost", {MOVED_LOST: once(55)}, {MOVED_LOST: once(LONG_AGO)}),
    Case("SegueCollectorTurnsAway", {REJECTED('"kafka_away"'): rising(12)}, {REJECTED('"kafka_away"'): rising(4)}),
    Case("SegueCollectorBadCalls", {REJECTED('"invalid"'): rising(80)}, {REJECTED('"invalid"'): rising(50)}),
    Case("SegueHookRefusals", {UNIDENTIFIED: rising(15)}, {UNIDENTIFIED: rising(10), UNWRITTEN: rising(90)}),
    Case("SegueCollectorQueueGrows", {QUEUE: latest(3, 10_001)}, {QUEUE: latest(30, 9_000)}),
    Case("SegueCollectorSpooling", {SPOOLED: latest(4, 10)}, {SPOOLED: latest(1, 10)}),
    Case("SegueCollectorSpoolFull", {SPOOL_BYTES: latest(1, 500_001)}, {SPOOL_BYTES: latest(20, 499_999)}),
    Case("SegueCollectorSpoolDamaged", {DAMAGED: once(55)}, {DAMAGED: once(LONG_AGO)}),
    Case("SegueCollectorSlow", *_late("segue_collector_request_seconds", "10")),
    Case(
        "SegueConsumerGap",
        {'segue_consumer_gaps_total{instance="h:1"}': once(55)},
        {'segue_consumer_gaps_total{instance="h:1"}': once(LONG_AGO)},
    ),
    Case("SegueConsumerStopped", {STOPPED: latest(3, 1)}, {STOPPED: latest(1, 1)}),
    Case(
        "SegueDetectorLagHigh",
        {"segue_detector_lag_records": latest(7, 2_000_000)},
        {"segue_detector_lag_records": latest(3, 2_000_000)},
    ),
    Case("SegueDetectorMemoryFull", {FORGOTTEN: once(50)}, {FORGOTTEN: steady(7)}),
    Case("SegueConsumerLagHigh", {BEHIND: latest(15, 20_001)}, {BEHIND: latest(8, 20_001)}),
    Case("SegueTransitionsUnreadable", {UNREADABLE: once(55)}, {UNREADABLE: once(LONG_AGO)}),
    Case("SegueWebhookPaused", {PAUSED: latest(13, 1)}, {PAUSED: latest(8, 1)}),
    Case("SegueWebhookFails", {FAILED: rising(80)}, {FAILED: rising(50)}),
    Case("SegueWebhookDeadLetters", {GIVEN_UP: latest(18, 2)}, {GIVEN_UP: latest(10, 2)}),
    Case(
        "SegueDeliverySlow",
        histogram("segue_webhook_delivery_seconds", 970, 30, "60"),
        {**histogram("segue_webhook_delivery_seconds", 970, 30, "60"), PAUSED: latest(8, 1)},
    ),
)
