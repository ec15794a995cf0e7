"""What all commands share that send records of contacts: their options, and the way from a record to its outcome."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from pydantic import Field

from schemas.errors import InputError, SegueError, UnavailableError
from schemas.instants import format_instant
from schemas.settings import CommonSettings, load_settings
from schemas.topics import partition_of
from streams.adapters.kafka.follower import KafkaFollower
from streams.adapters.kafka.topics import KafkaTopics
from streams.adapters.kafka.writer import KafkaWriter
from streams.adapters.redis.inspect import StateInspector
from streams.cli.options import INSTANT
from streams.cli.outcomes import report_outcomes, report_sent, sent_json
from streams.cli.progress import counted, working
from streams.cli.stored_contact import active_definitions
from streams.ports import TimestampType
from streams.segmentation import contact_key, parse_canonical
from streams.segmentation.wording import printable
from streams.sending.log_clocks import LogClocks, read_clocks
from streams.sending.log_start import check_log_begun, check_topics
from streams.sending.outcomes import Outcome, Watch, applied_ms
from streams.sending.sending import Acknowledgements, Outgoing, Sent, compose, send
from streams.sending.unasked import unasked
from streams.settings import TicksMode

DEFAULT_WAIT_S = 30.0
WAIT_MAX_S = 86_400
F = TypeVar("F", bound=Callable[..., Any])


class SenderSettings(CommonSettings):
    """What a sender must know of the workers."""

    ticks: TicksMode = Field(
        default="auto", description="As for the worker; with ticks off, a record on a CreateTime topic needs a time."
    )


@dataclass(frozen=True, slots=True)
class SendOptions:
    """The options that all senders have."""

    at: int | None
    timestamp: int | None
    event_id: str | None
    wait: float | None
    dry_run: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that one command sends, and what it says of them."""

    fields: Sequence[Mapping[str, Any]]  # without event id and time, which are the options'
    what: str  # "erase contact c1"
    effect: str  # "all that is known of it goes"
    question: str | None = None  # asked before anything is sent
    look: Callable[[SenderSettings, KafkaTopics], None] | None = None  # may say more before the question
    prepare: Callable[[SenderSettings, KafkaTopics], None] | None = None  # done before the records are sent


class _Wait(click.ParamType):
    name = "seconds"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = float(str(value))
        except ValueError:
            self.fail(f"expected seconds, found {value}: write a bare --wait behind all else", param, ctx)
        if not 0 < seconds <= WAIT_MAX_S:
            self.fail(f"expected seconds above 0, at most {WAIT_MAX_S}, found {value}", param, ctx)
        return seconds


_OPTIONS = (
    click.option("--at", type=INSTANT, help="When it occurred, an RFC 3339 time.  [default: now]"),
    click.option(
        "--event-id", help="Identity of the record; a second one with it changes nothing.  [default: a new one]"
    ),
    click.option(
        "--timestamp",
        type=INSTANT,
        help="Kafka timestamp of the record, an RFC 3339 time; only on topics created with --timestamps create.  "
        "[default there: --at]",
    ),
    click.option(
        "--wait",
        type=_Wait(),
        is_flag=False,
        flag_value=DEFAULT_WAIT_S,
        metavar="[SECONDS]",
        help=f"Wait until a worker has taken it, by default {DEFAULT_WAIT_S:g} s, and show what came of it; exit code "
        "75 if none did.",
    ),
    click.option("--dry-run", is_flag=True, help="Check everything, print the record, and send nothing."),
    click.option("--json", "as_json", is_flag=True, help="One JSON object a record."),
)


def sender_options(function: F) -> F:
    """Give a command the options that all senders have, in the order in which they are helpful."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def run(batch: Batch, options: SendOptions) -> None:
    """Check, say what will be done, ask, send, say where it lies, and with --wait what came of it.

    Raises `InputError` and `UnavailableError`; nothing is sent where the check finds something.
    """
    if options.event_id is not None and len(batch.fields) > 1:
        raise click.UsageError(f"--event-id is for one record, and these are {len(batch.fields)}.")
    now_ms = time.time_ns() // 1_000_000
    items = _items(batch, options, LogClocks({}), now_ms)
    settings = load_settings(SenderSettings)
    reader = KafkaTopics(settings.kafka)
    partitions = check_topics(reader, settings.names)
    starts = check_log_begun(reader, settings.names.tracking)
    timestamp_ms = _timestamp(options, reader.timestamp_type(settings.names.tracking), settings.ticks)
    if options.at is None:
        items = _items(batch, options, read_clocks(reader, settings.names.tracking), now_ms)
    _announce(batch, items, partitions, settings.names.tracking)
    _warn_of_future(options.at, timestamp_ms or time.time_ns() // 1_000_000)
    first = items[0].record
    begun = next(iter(starts.definitions.values()))  # a log that has begun has some
    active = active_definitions(settings, partition_of(first.contact_id, partitions))
    for sentence in unasked(first, active or parse_canonical(begun.definitions, begun.semantics)):
        click.echo(f"warning: {sentence}", err=True)
    if batch.look is not None:
        batch.look(settings, reader)
    if options.dry_run:
        for item in items:
            click.echo(item.value.decode())
        return
    if batch.question is not None:
        _confirm(printable(batch.question))
    way = _Way(settings, reader, partitions, options)
    way.go(items, timestamp_ms, batch.prepare)


def _items(batch: Batch, options: SendOptions, clocks: LogClocks, now_ms: int) -> list[Outgoing]:
    """The records. Without a time given, what is sent is the latest: by this clock or by that of the log."""
    items = []
    for fields in batch.fields:
        at = options.at
        occurred_at = clocks.by_hand_ms(str(fields["contact_id"]), now_ms) if at is None else at
        event_id = options.event_id or str(uuid.uuid4())
        items.append(compose({"event_id": event_id, "occurred_at": format_instant(occurred_at), **fields}))
    return items


def _timestamp(options: SendOptions, timestamps: TimestampType, ticks: TicksMode) -> int | None:
    """The Kafka timestamp of the records; 0 leaves it to the broker, None takes when each occurred."""
    if timestamps == "append":
        if options.timestamp is not None:
            raise InputError(
                "--timestamp: the broker stamps the records of this topic; expected one created with "
                "--timestamps create, or --at, which says when it occurred"
            )
        return 0
    stated = options.timestamp or options.at
    if stated is None and ticks != "on":
        raise InputError(
            "--at: expected when it occurred, since time on this topic moves by its records alone, and now would move "
            "it to this day; give --at or --timestamp, or set SEGUE_TICKS=on if workers are to tick"
        )
    return stated


def _announce(batch: Batch, items: Sequence[Outgoing], partitions: int, topic: str) -> None:
    touched = sorted({partition_of(record.contact_id, partitions) for record, _ in items})
    where = f"partition {touched[0]}" if len(touched) == 1 else f"{len(touched)} partitions"
    click.echo(printable(f"{batch.what} ({where} of {topic}): {batch.effect}"), err=True)
    first = " (the first)" if len(items) > 1 else ""
    click.echo(f"record{first}: {items[0].value.decode()}", err=True)


def _warn_of_future(at_ms: int | None, clock_ms: int) -> None:
    """The fold takes what claims to be later than the clock as of the clock."""
    if at_ms is not None and at_ms > clock_ms:
        click.echo("warning: --at is ahead of now, so it counts as the clock when the record is applied", err=True)


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is nobody to ask here: expected --yes.")
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        agreed = False
    if not agreed:
        raise InputError("nothing was sent")


class _Way:
    """From checked records to what came of them."""

    def __init__(self, settings: SenderSettings, reader: KafkaTopics, partitions: int, options: SendOptions) -> None:
        self._settings = settings
        self._names = settings.names
        self._reader = reader
        self._partitions = partitions
        self._options = options

    def go(
        self,
        items: Sequence[Outgoing],
        timestamp_ms: int | None,
        prepare: Callable[[SenderSettings, KafkaTopics], None] | None,
    ) -> None:
        if self._options.wait is None:
            self._report(self._send(items, timestamp_ms, prepare), None)
            return
        inspector = StateInspector(self._settings.redis, self._names)
        try:
            try:
                watch = self._watch(items, inspector)
            except SegueError as error:
                raise type(error)(f"{error}; nothing was sent") from error
            sent = self._send(items, timestamp_ms, prepare)
            if not self._options.as_json:
                report_sent(sent)
            outcomes = self._outcomes(watch, sent)
        finally:
            inspector.close()
        self._report(sent, outcomes)

    def _outcomes(self, watch: Watch, sent: Sequence[Sent]) -> list[Outcome]:
        assert self._options.wait is not None
        try:
            with working("waiting for a worker"):
                return watch.outcomes(sent, round(self._options.wait * 1000))
        except SegueError as error:
            if self._options.as_json:
                self._report(sent, None)
            raise type(error)(f"{error}; what was sent is in the log") from error
        except KeyboardInterrupt:
            if self._options.as_json:
                self._report(sent, None)
            click.echo("nobody waits any more; what was sent is in the log, and a worker will take it", err=True)
            raise

    def _send(
        self,
        items: Sequence[Outgoing],
        timestamp_ms: int | None,
        prepare: Callable[[SenderSettings, KafkaTopics], None] | None,
    ) -> list[Sent]:
        if prepare is not None:
            prepare(self._settings, self._reader)
        acknowledgements = Acknowledgements()
        writer = KafkaWriter(self._settings.kafka, self._names.tracking, on_acknowledged=acknowledgements)
        with counted(len(items), "records") as show:
            return send(items, writer, acknowledgements, self._partitions, timestamp_ms, show)

    def _watch(self, items: Sequence[Outgoing], inspector: StateInspector) -> Watch:
        """Begin to watch; that Redis is away shows here, before anything is sent."""
        first = items[0].record
        partition = partition_of(first.contact_id, self._partitions)
        raw = inspector.stored(partition, contact_key(first.contact_id))
        kafka, topic = self._settings.kafka, self._names.transitions
        return Watch(
            inspector,
            self._reader,
            lambda offsets: KafkaFollower(kafka, topic, offsets),
            tracking=self._names.tracking,
            transitions=topic,
            applied_before=self._options.event_id is not None and applied_ms(raw, first.event_id) is not None,
        )

    def _report(self, sent: Sequence[Sent], outcomes: Sequence[Outcome] | None) -> None:
        if self._options.as_json:
            for number, one in enumerate(sent):
                click.echo(sent_json(one, None if outcomes is None else outcomes[number]))
        elif outcomes is None:
            report_sent(sent)
        else:
            report_outcomes(outcomes)
        pending = sorted({one.sent.partition for one in outcomes or () if one.result == "pending"})
        if pending:
            raise UnavailableError(
                f"no worker took all records of partition {', '.join(map(str, pending))} within "
                f"{self._options.wait:g} s: they are in the log, and the next worker will take them; see `segue status`"
            )
