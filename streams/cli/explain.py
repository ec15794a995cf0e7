"""`segue explain`: why is a contact in a segment, or why not, since when and until when?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from schemas.errors import InputError, UnavailableError
from schemas.settings import CommonSettings, load_settings
from schemas.topics import partition_of
from streams.adapters.kafka.log import read_log
from streams.adapters.kafka.topics import KafkaTopics
from streams.adapters.redis.inspect import StateInspector
from streams.cli.explaining import check_segment, show
from streams.cli.options import CONTACT_ID
from streams.cli.progress import counted
from streams.cli.stored_contact import compared, stored_explainer
from streams.explaining.log_replay import replay_log
from streams.explaining.replay import Replay
from streams.ports import LogBounds, RawRecord
from streams.segmentation import Definitions, contact_key

_SHOWN_EVERY = 1_000


@click.command("explain", short_help="Tell why a contact is in a segment, or why not.")
@click.argument("contact_id", type=CONTACT_ID)
@click.argument("segment", required=False)
@click.option("--quick", is_flag=True, help="From the state in Redis, at once: without causes, event ids and since.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, as in ops/explain.md.")
def command(contact_id: str, segment: str | None, quick: bool, as_json: bool) -> None:
    """Explain CONTACT_ID: each condition of SEGMENT with its truth, its evidence, since when and until when.

    Without SEGMENT, one row for each segment, those first that the contact is in. For a segment that it is not
    in, the smallest set of conditions is named that keeps it out.

    The contact's partition of the log is read from its start and evaluated again in this process, so Redis and the
    workers are not asked. It is told under the definitions that hold now; where they came to hold in the middle of
    the log, it is read once more. `now` is the clock of the partition, which its newest record has set. `until` is
    when a condition comes out otherwise if nothing else comes.

    \b
    Examples:
      segue explain customer-4711
      segue explain ada@example.com cart_abandoners
      segue explain customer-4711 vip --json | jq .segments[0].why_not
      segue explain customer-4711 vip --quick
    """
    settings = load_settings(CommonSettings)
    if quick:
        inspector = StateInspector(settings.redis, settings.names)
        try:
            explained = stored_explainer(inspector, contact_id)
        finally:
            inspector.close()
        show(explained, segment, as_json, "state")
        return
    replay = _replay(settings, contact_id, segment)
    show(replay.explainer(), segment, as_json, "log", {"state_in_redis": _state_in_redis(settings, replay)})


def _replay(settings: CommonSettings, contact_id: str, segment: str | None) -> Replay:
    """The contact at the end of its partition's log."""
    topic = settings.names.tracking
    bounds = KafkaTopics(settings.kafka).log_bounds(topic)
    if not bounds:
        raise UnavailableError(f"no topic {topic}: create it with `segue topics create`")
    partition = partition_of(contact_id, len(bounds))
    bound = bounds[partition]
    if bound.start > 0:
        raise InputError(
            f"{topic}: the first {bound.start} records of partition {partition} are deleted, so the contact's way "
            "cannot be followed from its start: use --quick, which asks the state in Redis"
        )

    def check(definitions: Definitions) -> None:
        if segment is not None:
            check_segment(definitions, segment)

    def log() -> Iterable[RawRecord]:
        return _watched(read_log(settings.kafka, topic, partition, bound), bound)

    return replay_log(log, contact_id, topic, partition, len(bounds), check)


def _watched(records: Iterable[RawRecord], bound: LogBounds) -> Iterator[RawRecord]:
    """The records, with a progress bar where there are many."""
    with counted(bound.end - bound.start, "records") as advance:
        for number, raw in enumerate(records, 1):
            if number % _SHOWN_EVERY == 0:
                advance(number)
            yield raw


def _state_in_redis(settings: CommonSettings, replay: Replay) -> str:
    """Whether the worker's state says the same as the log. Redis need not be there."""
    inspector = StateInspector(settings.redis, settings.names)
    try:
        word = compared(inspector.contact(replay.partition, contact_key(replay.contact_id)), replay)
    except (InputError, UnavailableError):
        return "unknown"
    finally:
        inspector.close()
    if word == "behind":
        click.echo("segue: the workers have not come to the end of the log yet; this is told from the log", err=True)
    elif word == "different":
        click.echo(
            "segue: the state in Redis is not what the log says; this is told from the log. "
            "Fold the partition again with `segue epoch raise`",
            err=True,
        )
    return word
