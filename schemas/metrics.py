"""Every metric that Segue exports, once: name, kind, labels, meaning.

Dashboards and alerts are tested against this list, and processes build their meters from it, so a name
that stands here exists and a name that does not stand here is nowhere. Units are base units (`_seconds`,
`_bytes`), counters end in `_total`. No label ever carries a contact, an address or an event id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

MeterT = TypeVar("MeterT", bound=MetricWrapperBase)
Role = Literal["collector", "worker", "detector", "consumer"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `values` lists the label sets known beforehand: their series start at 0."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    roles: tuple[Role, ...]
    labels: tuple[str, ...] = ()
    values: tuple[tuple[str, ...], ...] = ()
    buckets: tuple[float, ...] = LATENCY_BUCKETS


DEAD_LETTER_REASONS = (
    "undecodable",
    "too_deep",
    "unknown_type",
    "invalid",
    "foreign_key",
    "foreign_partition",
    "invalid_definitions",
)
RECORD_TYPES = (
    "track", "identify", "consent", "erase", "list", "correction", "link", "forward", "tick", "definitions",
)  # fmt: skip
COLLECTOR_CALLS = ("track", "identify", "page", "screen", "group", "alias", "batch", "import", "consent", "erase")
PROVIDERS = ("sendgrid", "mailgun", "postmark", "ses", "brevo")
HOOK_EVENTS = (
    "email_delivered", "email_open", "email_click", "email_bounce", "spam_complaint", "unsubscribe", "passed_over",
)  # fmt: skip
HOOK_REFUSALS = (
    "bad_signature", "stale", "replayed", "invalid", "too_large", "unknown_type", "unidentified", "no_certificate",
    "not_confirmed", "not_ready", "source_busy", "queue_full", "kafka_away", "spool_full", "spool_failed",
)  # fmt: skip
DETECTED_REASONS = ("burst", "after_delivery", "near_honeypot")
OUTCOMES = ("applied", "duplicate", "erased", "forwarded", "unknown", "too_late", "uncorrectable")

METRICS: tuple[Metric, ...] = (
    # --- collector: what came in over HTTP -------------------------------------------------------------
    Metric("segue_collector_requests_total", "counter", "HTTP requests answered, by route and status.",
           ("collector",), ("route", "status"),
           (*((call, "200") for call in COLLECTOR_CALLS), ("open", "200"), ("pixel", "200"), ("click", "302"),
            ("unsubscribe", "200"), ("form", "200"), ("form", "303"), ("confirm", "200"),
            *((f"hook_{provider}", "200") for provider in PROVIDERS))),
    Metric("segue_collector_request_seconds", "histogram", "Time from request to answer.",
           ("collector",), ("route",),
           tuple((route,) for route in (*COLLECTOR_CALLS, "open", "pixel", "click", "unsubscribe", "form", "confirm",
                                        *(f"hook_{provider}" for provider in PROVIDERS)))),
    Metric("segue_collector_records_total", "counter", "Records acknowledged, by the broker or by the spool, by type.",
           ("collector",), ("type",), tuple((name,) for name in RECORD_TYPES[:7])),
    Metric("segue_collector_rejected_total", "counter", "Calls turned away, by reason.",
           ("collector",), ("reason",),
           (("unauthorized",), ("forbidden",), ("too_large",), ("invalid",), ("not_ready",), ("source_busy",),
            ("queue_full",), ("kafka_away",), ("bad_signature",), ("expired",), ("honeypot",), ("form_fields",),
            ("stale",), ("replayed",), ("no_certificate",), ("not_confirmed",), ("address_rate",), ("key_rate",),
            ("spool_full",), ("spool_failed",), ("source_disabled",))),
    Metric("segue_collector_withheld_total", "counter",
           "Records not written for want of consent: by event where the policy says count, else as dropped.",
           ("collector",), ("event",), (("dropped",), ("email_open",))),
    Metric("segue_collector_lost_total", "counter",
           "Opens, clicks and pixels that were answered and could not be written: nobody sends them again.",
           ("collector",), ("route",), (("open",), ("click",), ("pixel",))),
    Metric("segue_collector_unwritten_total", "counter",
           "Calls that were taken and of which no record is written, by kind.",
           ("collector",), ("call",), (("sdk_metrics",),)),
    Metric("segue_collector_hook_events_total", "counter",
           "Events that e-mail providers told and that were written, or passed over on purpose.",
           ("collector",), ("event", "provider"),
           tuple((event, provider) for provider in PROVIDERS for event in HOOK_EVENTS)),
    Metric("segue_collector_hook_refused_total", "counter",
           "Calls of e-mail providers that were refused, and events in others that were turned away, by reason.",
           ("collector",), ("provider", "reason"),
           tuple((provider, reason) for provider in PROVIDERS for reason in HOOK_REFUSALS)),
    Metric("segue_collector_keys_timestamp_seconds", "gauge",
           "When Kafka was last asked for the keys that are known, maybe by the process before; 0 where none was.",
           ("collector",)),
    Metric("segue_collector_queue_records", "gauge", "Records taken in that the broker has not acknowledged yet.",
           ("collector",)),
    Metric("segue_collector_spool_bytes", "gauge",
           "Bytes on the disk, of records that were taken in while Kafka was away.", ("collector",)),
    Metric("segue_collector_spool_limit_bytes", "gauge", "Bytes that the spool may grow to, 0 where there is none.",
           ("collector",)),
    Metric("segue_collector_spool_records", "gauge", "Records in the spool that Kafka has not acknowledged yet.",
           ("collector",)),
    Metric("segue_collector_spool_oldest_timestamp_seconds", "gauge",
           "When the oldest record in the spool came in, 0 where there is none.", ("collector",)),
    Metric("segue_collector_spooled_total", "counter", "Records that went to the spool.", ("collector",)),
    Metric("segue_collector_spool_replayed_total", "counter", "Records of the spool that Kafka has acknowledged.",
           ("collector",)),
    Metric("segue_collector_spool_damaged_total", "counter",
           "Stretches of the spool that could not be read and were passed over; their files are kept.",
           ("collector",)),
    Metric("segue_collector_spool_refused_total", "counter",
           "Records of the spool that Kafka refuses for good: they were set aside in its directory.",
           ("collector",)),
    # --- worker: what the log became -------------------------------------------------------------------
    Metric("segue_records_total", "counter", "Records folded into state, by type.",
           ("worker",), ("type",), tuple((name,) for name in RECORD_TYPES)),
    Metric("segue_record_outcomes_total", "counter",
           "What became of contacts' records: applied, duplicate, erased (at or before an erasure), forwarded, unknown "
           "(of a contact that does not exist, for whom alone it would count, or a correction of an event that is not "
           "known, or not yet); of corrections also: too_late, uncorrectable.",
           ("worker",), ("outcome",), tuple((name,) for name in OUTCOMES)),
    Metric("segue_records_late_total", "counter", "Records whose event time lay before the clock.", ("worker",)),
    Metric("segue_records_future_total", "counter", "Records from the future, clamped to the clock.", ("worker",)),
    Metric("segue_window_entries_merged_total", "counter",
           "Entries of windows merged into coarser ones, since a contact had more than 1,000 events in a window.",
           ("worker",)),
    Metric("segue_events_uncorrectable_total", "counter",
           "Events that could be corrected no longer before their time, since a contact had 200 more.", ("worker",)),
    Metric("segue_dead_letters_total", "counter", "Records sent to the dead-letter topic, by reason.",
           ("worker",), ("reason",), tuple((name,) for name in DEAD_LETTER_REASONS)),
    Metric("segue_transitions_total", "counter", "Transitions committed, by segment, type and kind of cause.",
           ("worker",), ("segment", "type", "cause")),
    Metric("segue_timer_steps_total", "counter", "Timers fired.", ("worker",)),
    Metric("segue_timer_lateness_seconds", "histogram", "Clock at which a timer fired minus its due instant.",
           ("worker",)),
    Metric("segue_timer_overdue_seconds", "gauge",
           "How long the next timer of a partition has been due by the wall clock; 0 where ticks are off.",
           ("worker",), ("partition",)),
    Metric("segue_commit_seconds", "histogram", "Duration of one atomic commit in Redis.", ("worker",)),
    Metric("segue_commit_records", "histogram", "Records in one commit.", ("worker",),
           buckets=(0, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)),
    Metric("segue_end_to_end_seconds", "histogram",
           "Kafka timestamp of a record to the broker's ack of the transition that it caused.", ("worker",)),
    Metric("segue_lag_records", "gauge", "Records in the log that are not folded yet, by partition.",
           ("worker",), ("partition",)),
    Metric("segue_clock_timestamp_seconds", "gauge", "Clock of a partition.", ("worker",), ("partition",)),
    Metric("segue_outbox_entries", "gauge", "Transitions committed that the broker has not acknowledged yet.",
           ("worker",), ("partition",)),
    Metric("segue_forwards_waiting", "gauge",
           "What linked contacts send to others and the broker has not acknowledged yet, by partition.",
           ("worker",), ("partition",)),
    Metric("segue_forward_records_lost_total", "counter",
           "Records of linked contacts that could not be moved: the log had lost them, or they were too large.",
           ("worker",)),
    Metric("segue_definitions_number", "gauge", "Number of the definitions that hold in a partition.",
           ("worker",), ("partition",)),
    Metric("segue_definitions_changes_total", "counter",
           "Changes of definitions that a partition has made and told.", ("worker",)),
    Metric("segue_definitions_change_seconds", "histogram",
           "How long a change of definitions kept a partition from folding its log.", ("worker",),
           buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400)),
    Metric("segue_build_records_total", "counter",
           "Records of the past folded by the worker under new definitions, before they hold.", ("worker",)),
    Metric("segue_segment_members", "gauge", "Members of a segment, in the partitions owned by this worker.",
           ("worker",), ("segment",)),
    Metric("segue_partitions_owned", "gauge", "Partitions loaded and served by this worker.", ("worker",)),
    Metric("segue_ticks_total", "counter", "Ticks appended because a timer was due.", ("worker",)),
    Metric("segue_fence_losses_total", "counter", "Times that another owner had taken a partition.", ("worker",)),
    Metric("segue_resynchronisations_total", "counter",
           "Times that Redis was not where the worker left it and the state was read again.", ("worker",)),
    Metric("segue_replays_total", "counter",
           "Times that Redis lay behind the group's offset or our own, so that it had been rolled back.", ("worker",)),
    Metric("segue_batches_dropped_total", "counter", "Batches dropped because their partition was not loaded.",
           ("worker",)),
    Metric("segue_watchdog_stops_total", "counter", "Times that the watchdog ended a stalled process.", ("worker",)),
    # --- detector: what turned out to be a machine's -----------------------------------------------------
    Metric("segue_detector_records_total", "counter", "Records of the log that were read along.", ("detector",)),
    Metric("segue_detector_corrections_total", "counter", "Corrections written and acknowledged.", ("detector",)),
    Metric("segue_detector_found_total", "counter", "Reasons to suspect an event that were found, by rule.",
           ("detector",), ("reason",), tuple((reason,) for reason in DETECTED_REASONS)),
    Metric("segue_detector_events_held", "gauge", "Opens, clicks and deliveries remembered.", ("detector",)),
    Metric("segue_detector_events_given_up_total", "counter",
           "Events forgotten before their time: a contact had 200 newer ones, or there was no room for more of all.",
           ("detector",), ("reason",), (("contact_full",), ("memory_full",))),
    Metric("segue_detector_partitions", "gauge", "Partitions read along by this detector.", ("detector",)),
    Metric("segue_detector_lag_records", "gauge", "Records in the log that were not looked at yet.", ("detector",)),
    # --- consumers: what became of transitions ---------------------------------------------------------
    Metric("segue_consumer_transitions_total", "counter",
           "Transitions past the sequence gate, by what the sink did with them.",
           ("consumer",), ("outcome",),
           (("delivered",), ("dead_lettered",), ("skipped_seen",), ("unreadable",))),
    Metric("segue_consumer_gaps_total", "counter", "Gaps in a partition's sequence: the partition stopped.",
           ("consumer",)),
    Metric("segue_consumer_partitions_stopped", "gauge",
           "Partitions of this consumer from which nothing more is read until a person looks into it.", ("consumer",)),
    Metric("segue_webhook_attempts_total", "counter", "Delivery attempts, by class of the answer.",
           ("consumer",), ("answer",),
           (("2xx",), ("3xx",), ("4xx",), ("410",), ("429",), ("5xx",), ("timeout",), ("connection",), ("refused",))),
    Metric("segue_webhook_delivery_seconds", "histogram", "Detection of a transition to its acknowledged delivery.",
           ("consumer",)),
    Metric("segue_consumer_lag_records", "gauge", "Transitions not consumed yet, by partition.",
           ("consumer",), ("partition",)),
    Metric("segue_webhook_paused", "gauge", "1 while the endpoint is paused after failures.", ("consumer",)),
    Metric("segue_webhook_dead_letters", "gauge", "Deliveries waiting in the dead-letter list.", ("consumer",)),
)  # fmt: skip


class Meters:
    """The meters of one process: `meters.counter("segue_ticks_total").inc()`."""

    def __init__(self, role: Role, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        self._meters: dict[str, MetricWrapperBase] = {}
        for metric in METRICS:
            if role in metric.roles:
                self._meters[metric.name] = _build(metric, self.registry)

    def counter(self, name: str, *labels: str) -> Counter:
        """A counter of the list; `KeyError` for a name that is not in it."""
        return self._child(name, Counter, labels)

    def gauge(self, name: str, *labels: str) -> Gauge:
        """A gauge of the list."""
        return self._child(name, Gauge, labels)

    def histogram(self, name: str, *labels: str) -> Histogram:
        """A histogram of the list."""
        return self._child(name, Histogram, labels)

    def _child(self, name: str, kind: type[MeterT], labels: tuple[str, ...]) -> MeterT:
        meter = self._meters[name]
        child = meter.labels(*labels) if labels else meter
        assert isinstance(child, kind), f"{name} is no {kind.__name__}"
        return child


def _build(metric: Metric, registry: CollectorRegistry) -> MetricWrapperBase:
    meter: MetricWrapperBase
    if metric.kind == "counter":
        meter = Counter(metric.name, metric.help, metric.labels, registry=registry)
    elif metric.kind == "gauge":
        meter = Gauge(metric.name, metric.help, metric.labels, registry=registry)
    else:
        meter = Histogram(metric.name, metric.help, metric.labels, registry=registry, buckets=metric.buckets)
    for values in metric.values:
        meter.labels(*values)
    return meter
