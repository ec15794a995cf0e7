"""`segue topics`: the topics that everything else needs."""

from __future__ import annotations

import click
import msgspec

from schemas.instants import DAY_MS
from schemas.settings import CommonSettings, load_settings
from streams.adapters.kafka.create import (
    DEFAULT_REPLICATION,
    KEEP_FOR_EVER_MS,
    MESSAGE_MAX_BYTES,
    KafkaTopicCreator,
    Retention,
    TopicPlan,
    plan_topics,
)
from streams.ports import TimestampType
from streams.segmentation.quantities import parse_duration

PARTITIONS_MAX = 1_000


class _RetentionType(click.ParamType):
    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if value == "forever":
            return KEEP_FOR_EVER_MS
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(f"{error}, or `forever`", param, ctx)


_RETENTION = _RetentionType()
_COSTS = {
    "tracking": "state can then no longer be rebuilt from the start of the log: a lost Redis cannot be recovered, "
    "and new definitions see only the history that is left",
    "transitions": "a consumer that is away for longer meets a gap and stops",
    "dead letters": "bad records that nobody looked at in that time are gone",
}


@click.group("topics")
def command() -> None:
    """The topics that everything else needs."""


@command.command("create")
@click.option(
    "--partitions",
    type=click.IntRange(1, PARTITIONS_MAX),
    default=8,
    show_default=True,
    help="Of each topic but lists and keys. Never changes afterwards: contacts are spread by it.",
)
@click.option(
    "--timestamps",
    type=click.Choice(["append", "create"]),
    default="append",
    show_default=True,
    help="Who stamps a record and so moves time: the broker (append, for production), or its producer "
    "(create, to replay history).",
)
@click.option(
    "--replication",
    type=click.IntRange(1, 32),
    default=None,
    help="Replicas of each partition.  [default: the cluster's]",
)
@click.option(
    "--retention",
    type=_RETENTION,
    default="forever",
    show_default=True,
    help="How long tracking records are kept, like 90d.",
)
@click.option(
    "--transitions-retention",
    type=_RETENTION,
    default="forever",
    show_default=True,
    help="How long transitions are kept.",
)
@click.option(
    "--dead-letter-retention",
    type=_RETENTION,
    default="forever",
    show_default=True,
    help="How long dead letters are kept.",
)
@click.option(
    "--message-max-bytes",
    type=click.IntRange(65_536, 104_857_600),
    default=MESSAGE_MAX_BYTES,
    show_default=True,
    help="Largest tracking record; a dead letter may have 1 MiB more.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create(
    partitions: int,
    timestamps: TimestampType,
    replication: int | None,
    retention: int,
    transitions_retention: int,
    dead_letter_retention: int,
    message_max_bytes: int,
    as_json: bool,
) -> None:
    """Create the topics tracking, transitions, tracking.dead_letter, lists and keys.

    Run it again with the same options and it changes nothing. When a topic exists with another partition count or
    other settings, nothing is created and the exit code is 1.

    \b
    Examples:
      segue topics create
      segue topics create --partitions 24 --replication 3
      segue topics create --partitions 4 --timestamps create
      SEGUE_NAMESPACE=staging segue topics create --json
    """
    settings = load_settings(CommonSettings)
    kept = Retention(retention, transitions_retention, dead_letter_retention)
    plans = plan_topics(settings.names, partitions, timestamps, kept, message_max_bytes)
    warnings = _warnings(plans, kept)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    creator = KafkaTopicCreator(settings.kafka)
    created = creator.create(plans, DEFAULT_REPLICATION if replication is None else replication)
    _report(plans, created, timestamps, warnings, as_json)


def _warnings(plans: tuple[TopicPlan, ...], kept: Retention) -> list[str]:
    return [
        f"{plan.name} keeps its records for {kept_ms / DAY_MS:g} days only: {cost}"
        for plan, kept_ms, cost in zip(plans[: len(kept)], kept, _COSTS.values(), strict=True)
        if kept_ms != KEEP_FOR_EVER_MS
    ]


def _report(
    plans: tuple[TopicPlan, ...],
    created: frozenset[str],
    timestamps: TimestampType,
    warnings: list[str],
    as_json: bool,
) -> None:
    if as_json:
        topics = [{"name": plan.name, "partitions": plan.partitions, "created": plan.name in created} for plan in plans]
        body = {"topics": topics, "timestamps": timestamps, "warnings": warnings}
        click.echo(msgspec.json.encode(body))
        return
    for plan in plans:
        state = "created" if plan.name in created else "exists already, unchanged"
        click.echo(f"{plan.name}: {plan.partitions} partition{'s' if plan.partitions > 1 else ''}, {state}")
    if not created:
        click.echo("nothing to do")
