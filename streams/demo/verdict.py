"""Whether every stage of the way saw something, and none of them a gap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from streams.demo.scrape import Metrics
from streams.demo.show import Show
from streams.demo.tally import Tally
from streams.demo.traffic import Traffic


class Stage(NamedTuple):
    """One stage, what it saw, and whether that is as it must be."""

    name: str
    passed: bool
    text: str
    idle: bool = False
    """It saw nothing at all: a fault when a run is over, none when it was cut short."""


def judge(show: Show, missing: int) -> list[Stage]:
    """All stages, in the order of an event's way; `missing` webhooks did not come in the time that they had."""
    return [
        *_way_in(show.tally, show.traffic, show.worker),
        *_moves(show.tally),
        *_way_out(show.tally, show.consumer, missing),
        _dead_letters(show.tally, show.consumer),
    ]


def judge_ending(exit_codes: Mapping[str, int]) -> Stage:
    """Whether every program ended by itself, and in order, when it was asked to."""
    odd = ", ".join(f"{name} with {code}" for name, code in exit_codes.items() if code != 0)
    return Stage("end", not odd, odd or f"all {len(exit_codes)} programs ended in order")


def _way_in(tally: Tally, traffic: Traffic, worker: Metrics) -> list[Stage]:
    accepted = sum(traffic.accepted.values())
    ways = ", ".join(f"{count:,} {way}" for way, count in sorted(traffic.accepted.items()))
    all_ways = all(traffic.accepted[way] for way in _WAYS)
    logged, ticks = tally.contact_records, tally.records["tick"]
    machines = f", {tally.corrections:,} clicks of machines taken back" if tally.corrections else ""
    guests = f", {tally.guests.records:,} from a browser" if tally.guests.records else ""
    # A call that was answered 503 and made again may lie in the log twice.
    complete = logged == accepted or (traffic.retries > 0 and logged > accepted)
    folded = worker.total("segue_records_total")
    duplicates = worker.total("segue_record_outcomes_total", outcome="duplicate")
    late = worker.total("segue_records_late_total")
    return [
        Stage(
            "collector",
            all_ways,
            f"accepted {accepted:,} events: {ways or 'none came'}",
            idle=not all_ways,
        ),
        Stage(
            "log",
            complete and logged > 0,
            f"{logged:,} events of {accepted:,} that were accepted, {ticks:,} ticks{machines}{guests}",
            idle=logged == 0,
        ),
        Stage(
            "worker",
            folded == tally.log_records > 0,
            f"folded {folded:,} of {tally.log_records:,} records; {late:,} late, {duplicates:,} duplicates dropped",
            idle=folded == 0,
        ),
    ]


_WAYS = ("identify", "track", "open", "click")


def _moves(tally: Tally) -> list[Stage]:
    stages = []
    for name, kind, cause in (
        ("entered by event", "segment.entered", "event"),
        ("entered by time alone", "segment.entered", "timer"),
        ("left by time alone", "segment.exited", "timer"),
    ):
        count = tally.causes[kind, cause]
        stages.append(Stage(name, count > 0, f"{count:,} transitions", idle=count == 0))
    return stages


def _way_out(tally: Tally, consumer: Metrics, missing: int) -> list[Stage]:
    webhooks, recomputation = tally.webhooks, tally.recomputation
    contiguous = f"{tally.transitions:,} published, none missing, none twice"
    gaps = consumer.total("segue_consumer_gaps_total")
    return [
        Stage(
            "transitions",
            tally.transitions > 0 and not tally.faults and gaps == 0,
            "; ".join(tally.faults) or (f"{gaps} gaps seen by the consumer" if gaps else contiguous),
            idle=tally.transitions == 0 and not tally.faults,
        ),
        Stage(
            "recomputed from the log",
            recomputation.difference is None and recomputation.equal == tally.transitions > 0,
            recomputation.difference or f"{recomputation.equal:,} of {tally.transitions:,} the same, field by field",
            idle=tally.transitions == 0,
        ),
        Stage(
            "webhooks",
            webhooks.delivered > 0 and missing == 0,
            f"{webhooks.delivered:,} delivered, {missing:,} missing, {webhooks.repeated:,} repeated",
            idle=webhooks.delivered == 0,
        ),
        Stage(
            "signatures",
            webhooks.delivered > 0 and webhooks.refused == 0,
            f"{webhooks.delivered:,} valid, {webhooks.refused:,} refused",
            idle=webhooks.delivered == webhooks.refused == 0,
        ),
    ]


def _dead_letters(tally: Tally, consumer: Metrics) -> Stage:
    given_up = consumer.total("segue_webhook_dead_letters")
    bad = sum(tally.dead_letters.values())
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in tally.dead_letters.items())
    text = "none" if not bad and not given_up else f"records: {reasons or 'none'}; webhooks: {given_up:,}"
    return Stage("dead letters", bad == 0 and given_up == 0, text)
