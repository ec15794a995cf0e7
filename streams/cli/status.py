"""`segue status`: how far each partition is folded, what becomes of its definitions, and how large segments are."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import click
import msgspec
from rich.text import Text

from schemas.errors import UnavailableError
from schemas.instants import format_instant
from schemas.records import definitions_hash, definitions_identity
from schemas.settings import CommonSettings, load_settings
from streams.adapters.kafka.topics import KafkaTopics
from streams.adapters.redis.inspect import PartitionState, StateInspector
from streams.cli.printing import plain_table, print_shown
from streams.generations import Building
from streams.ports import LogBounds
from streams.spool.settings import SpoolSettings
from streams.spool.survey import SpoolSurvey, survey

_TIMEOUT_MS = 5_000
_COLUMNS = ("partition", "log end", "next", "lag", "clock", "timers due", "of", "outbox", "last owner")


@click.command("status", short_help="Show how far each partition is folded, and how large segments are.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(as_json: bool) -> None:
    """Show, per partition: log end, next offset, lag, clock, timers due, outbox length, last owner; and segment sizes.

    Timers are due when their instant has come by this machine's clock; a worker that is well fires them within
    moments. The outbox holds transitions that are committed and not yet acknowledged by Kafka. The last owner
    is the worker that took the partition last; it stays there after the worker has ended.

    Where SEGUE_COLLECTOR_SPOOL_DIR is set as for a collector, what lies in its spool is told, too.

    A change of definitions shows where it is under way: a state that is built for others beside the one that
    serves, a change whose steps are being told, a state from before it that is being removed.

    \b
    Examples:
      segue status
      segue status --json | jq '[.partitions[].lag] | add'
    """
    settings = load_settings(CommonSettings)
    topic = settings.names.tracking
    bounds = KafkaTopics(settings.kafka, _TIMEOUT_MS).log_bounds(topic)
    if not bounds:
        raise UnavailableError(f"no topic {topic}: create it with `segue topics create`")
    inspector = StateInspector(settings.redis, settings.names, timeout_ms=_TIMEOUT_MS)
    now_ms = time.time_ns() // 1_000_000
    try:
        states = {partition: inspector.state(partition, now_ms) for partition in sorted(bounds)}
    finally:
        inspector.close()
    status: dict[str, Any] = {
        "partitions": [_row(partition, bounds[partition], state) for partition, state in states.items()],
        "segments": _sizes([state for state in states.values() if state is not None]),
        "definitions": _definitions([state for state in states.values() if state is not None]),
        "spool": _spool(),
    }
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(status)) + b"\n")
    else:
        _print(status)


def _spool() -> dict[str, Any] | None:
    place = load_settings(SpoolSettings)
    if place.collector_spool_dir is None:
        return None
    found = survey(place.collector_spool_dir, place.collector_spool_bytes)
    return None if found is None else _surveyed(found)


def _surveyed(found: SpoolSurvey) -> dict[str, Any]:
    return {
        "directory": str(found.directory),
        "files": found.segments,
        "bytes": found.bytes,
        "bytes_max": found.bytes_max,
        "oldest": format_instant(found.oldest_ms) if found.oldest_ms else None,
        "damaged_files": found.damaged,
        "keys": None if found.keys is None else len(found.keys.values),
        "keys_as_of": None if found.keys is None else format_instant(found.keys.as_of_ms),
    }


def _row(partition: int, bounds: LogBounds, state: PartitionState | None) -> dict[str, Any]:
    folded = 0 if state is None else state.cursor.offset
    row: dict[str, Any] = {
        "partition": partition,
        "log_start": bounds.start,
        "log_end": bounds.end,
        "next_offset": folded,
        "lag": max(0, bounds.end - max(folded, bounds.start)),
        "clock": None,
        "timers": 0,
        "timers_due": 0,
        "earliest_due": None,
        "outbox_entries": 0,
        "transitions": 0,
        "epoch": None,
        "last_owner": None,
        "definitions_number": None,
        "build": None,
        "telling": None,
        "removing": False,
    }
    if state is not None:
        earliest = state.earliest_due_ms
        row |= {
            "clock": format_instant(state.clock_ms) if state.clock_ms else None,
            "timers": state.timers,
            "timers_due": state.timers_due,
            "earliest_due": None if earliest is None else format_instant(earliest),
            "outbox_entries": state.outbox_entries,
            "transitions": state.seq,
            "epoch": state.epoch,
            "last_owner": {"generation": state.owner.generation, "member": state.owner.member},
            **_change(state),
        }
    return row


def _change(state: PartitionState) -> dict[str, Any]:
    """What holds in a partition, and what is under way there to let something else hold."""
    building = state.building
    return {
        "definitions_number": None if state.definitions is None else state.definitions_number,
        "build": None
        if building is None
        else {
            "definitions_hash": building.definitions_hash,
            "semantics": building.semantics,
            "upgrade": bool(state.versions) and _identity(building) == state.versions[-1].identity,
            "next_offset": building.cursor.offset,
            "by_worker": building.by_worker,
        },
        "telling": {"contacts_told": state.cursor.steps} if state.is_telling else None,
        "removing": state.former is not None and not state.is_telling,
    }


def _identity(building: Building) -> str:
    return definitions_identity(building.definitions_hash, building.semantics)


def _sizes(states: list[PartitionState]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for state in states:
        names = msgspec.json.decode(state.definitions)["segments"] if state.definitions is not None else {}
        for segment in [*names, *state.sizes]:
            sizes.setdefault(segment, 0)
        for segment, size in state.sizes.items():
            sizes[segment] += size
    return sizes


def _definitions(states: list[PartitionState]) -> dict[str, Any] | None:
    newest = max((state for state in states if state.definitions is not None), key=_number, default=None)
    if newest is None or newest.definitions is None:
        return None
    return {"number": newest.definitions_number, "hash": definitions_hash(newest.definitions)}


def _number(state: PartitionState) -> int:
    return state.definitions_number


def _print(status: dict[str, Any]) -> None:
    rows = [_cells(row) for row in status["partitions"]]
    segments = [[segment, str(size)] for segment, size in status["segments"].items()]
    changes = [Text(line) for line in (*_held(status), *_under_way(status), *_spooled(status))]
    print_shown(
        plain_table(
            _COLUMNS,
            rows,
            right=[name for name in _COLUMNS if name not in ("clock", "last owner")],
            least={"clock": 13, "last owner": 14},
        ),
        Text(),
        *changes,
        *([Text()] if changes else []),
        plain_table(["segment", "members"], segments) if segments else Text(_no_segments(status)),
    )


def _cells(row: dict[str, Any]) -> list[str]:
    owner = row["last_owner"]
    return [
        *(str(row[name]) for name in ("partition", "log_end", "next_offset", "lag")),
        row["clock"] or "",
        *(str(row[name]) for name in ("timers_due", "timers", "outbox_entries")),
        f"{owner['member']} (generation {owner['generation']})" if owner and owner["member"] else "nobody",
    ]


def _held(status: dict[str, Any]) -> Iterator[str]:
    """Which definitions hold."""
    newest = status["definitions"]
    if newest is None:
        return
    by_number: dict[int, list[str]] = {}
    for row in status["partitions"]:
        if row["definitions_number"] is not None:
            by_number.setdefault(row["definitions_number"], []).append(str(row["partition"]))
    told = f"definitions {newest['number']}, hash {newest['hash']}"
    earlier = [f"{number} in partition {', '.join(by_number[number])}" for number in sorted(by_number)[:-1]]
    yield told + (f"; still {'; '.join(earlier)}" if earlier else "")


def _under_way(status: dict[str, Any]) -> Iterator[str]:
    for row in status["partitions"]:
        about, build = f"partition {row['partition']}:", row["build"]
        if build is not None:
            whose = "the worker builds" if build["by_worker"] else "somebody builds, or has begun to,"
            what = f"for definitions of hash {build['definitions_hash'][:12]}"
            if build["upgrade"]:
                what = "anew in another format, under the same definitions"
            yield f"{about} {whose} the state {what}, {build['next_offset']} of {row['log_end']} records"
        if row["telling"] is not None:
            yield (
                f"{about} tells what definitions {row['definitions_number']} change, "
                f"{row['telling']['contacts_told']} contacts so far"
            )
        if row["removing"]:
            yield f"{about} removes the state from before definitions {row['definitions_number']}"


def _spooled(status: dict[str, Any]) -> Iterator[str]:
    spool = status["spool"]
    if spool is None:
        return
    told = f"spool {spool['directory']}: "
    told += f"{spool['bytes']} bytes in {spool['files']} files wait for Kafka" if spool["files"] else "empty"
    told += f", the oldest of {spool['oldest']}" if spool["oldest"] else ""
    told += f"; {spool['damaged_files']} damaged files set aside" if spool["damaged_files"] else ""
    yield told + (f"; keys as of {spool['keys_as_of']}" if spool["keys_as_of"] else "; no copy of the keys")


def _no_segments(status: dict[str, Any]) -> str:
    return "the definitions have no segments" if status["definitions"] else "no worker has taken definitions yet"
