"""What grows with what: rate, processor time and memory of one worker over contacts, segments and partitions.

One thing grows at a time. In each case all contacts exist before the measured events come: the log begins with one
event of each, and the rate is taken from there to its end. Segments grow twice: an event touches ten of them, or all;
then events and contacts are the fewer the more there is to do with each.

Bytes of Redis are the difference of `used_memory` by all that a partition keeps, over contacts; what the kinds of keys
take is estimated from MEMORY USAGE of some of each. Bytes of the worker are what it holds above an idle one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.charts import line_chart
from bench.growing import TOUCHED, definitions, names_of, write_log
from bench.redis_memory import Memory, by_kind, used_bytes
from bench.stand import Place, Stand, cpu_s, memory_bytes, stand
from bench.tables import Cell, Table, add_json, progress, publish
from bench.traffic import DEFINITIONS

_TIMEOUT_S = 3_600
_CONTACTS = 10_000
_EVENTS_MIN = 2_000
_CONTACTS_MIN = 500
_COLUMNS = (
    "case",
    "events/s",
    "CPU µs an event",
    "events a contact",
    "Redis bytes a contact",
    "worker bytes a contact",
)
_PARTS = ("contacts", "segments", "partitions", "hot", "memory")


@dataclass(frozen=True)
class Case:
    """One log and the definitions that it is folded under."""

    name: str
    contacts: int = _CONTACTS
    partitions: int = 4
    segments: int = 10
    all_touched: bool = False
    hot_share: float = 0.0
    shop: bool = True
    """The bench's ten segments of a shop; else made ones."""

    @property
    def work(self) -> int:
        """How many times ten segments one event touches."""
        return max(1, self.segments // TOUCHED) if self.all_touched else 1


@dataclass(frozen=True)
class Figures:
    """What a case came to."""

    case: Case
    per_second: float
    cpu_us: float
    events_a_contact: float
    redis: Memory
    worker_bytes: float

    def row(self) -> Sequence[Cell]:
        """For the table."""
        memory = (self.redis.total / self.case.contacts, self.worker_bytes / self.case.contacts)
        return (self.case.name, self.per_second, self.cpu_us, self.events_a_contact, *memory)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--events", type=int, default=200_000, help="measured in each case")
    parser.add_argument("--contacts", type=int, nargs="*", help="numbers of contacts [default: 10000 100000 1000000]")
    parser.add_argument("--full", action="store_true", help="also 5,000,000 contacts: takes some 10 GB of memory")
    parser.add_argument("--only", nargs="*", choices=_PARTS, default=list(_PARTS), help="what grows")
    parser.add_argument("--charts", type=Path, metavar="DIRECTORY", help="draw charts (SVG) into this directory")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Measure and tell."""
    contacts = arguments.contacts or [10_000, 100_000, 1_000_000, *([5_000_000] if arguments.full else [])]
    cases = {part: found for part, found in _cases(contacts).items() if part in arguments.only}
    figures: dict[str, list[Figures]] = {}
    with stand() as servers:
        idle_bytes = _idle_bytes(servers)
        for part, found in cases.items():
            figures[part] = [_measured(servers, case, arguments.events, idle_bytes) for case in found]
    tables = [Table(f"growth: {part}", _COLUMNS, [each.row() for each in found]) for part, found in figures.items()]
    if "memory" in figures:
        tables.append(_kinds(figures["memory"][-1]))
    publish("growth", tables, arguments.json)
    if arguments.charts is not None:
        _draw(figures, arguments.charts)


def _cases(contacts: Sequence[int]) -> dict[str, list[Case]]:
    segments = (10, 100, 1_000)
    touched = [Case(f"{number:,} segments, ten touched", segments=number, shop=False) for number in segments]
    touched += [
        Case(
            f"{number:,} segments, all touched",
            contacts=max(_CONTACTS_MIN, _CONTACTS * TOUCHED // number),
            segments=number,
            all_touched=True,
            shop=False,
        )
        for number in segments
    ]
    return {
        "contacts": [Case(f"{number:,} contacts", contacts=number) for number in contacts],
        "segments": touched,
        "partitions": [Case(f"{number} partitions", partitions=number) for number in (1, 10, 100)],
        "hot": [Case("no contact above others"), Case("20 % of events from one contact", hot_share=0.2)],
        "memory": [Case("20,000 contacts, ten segments", contacts=20_000)],
    }


def _idle_bytes(servers: Stand) -> int:
    with servers.place("create") as place:
        return memory_bytes(place.start_worker().pid)


def _measured(servers: Stand, case: Case, events: int, idle_bytes: int) -> Figures:
    progress(case.name)
    text = DEFINITIONS if case.shop else definitions(case.segments, all_touched=case.all_touched)
    drawn = max(_EVENTS_MIN, events // case.work)
    names = None if case.shop else names_of(case.segments, all_touched=case.all_touched)
    with servers.place("create", partitions=case.partitions, definitions=text) as place:
        before = used_bytes(place)
        existing = write_log(place, names, case.contacts, drawn, hot_share=case.hot_share)
        per_second, cpu_us, worker_bytes = _folded(place, existing)
        redis = Memory(used_bytes(place) - before, by_kind(place))
    a_contact = (case.contacts + drawn) / case.contacts
    return Figures(case, per_second, cpu_us, a_contact, redis, worker_bytes - idle_bytes)


def _folded(place: Place, existing: int) -> tuple[float, float, int]:
    """Events a second, and microseconds of the worker's processor time an event, once all contacts exist."""
    total = place.ends()
    worker = place.commands.start("worker")
    place.fold_until(worker, existing, _TIMEOUT_S)
    begun, used, folded = time.monotonic(), cpu_s(worker.pid), place.offsets()
    place.fold_until(worker, total, _TIMEOUT_S)
    took, used = time.monotonic() - begun, cpu_s(worker.pid) - used
    worker_bytes = memory_bytes(worker.pid)
    assert worker.terminate() == 0, worker.tail()
    return (total - folded) / took, 1e6 * used / (total - folded), worker_bytes


def _kinds(figures: Figures) -> Table:
    contacts = figures.case.contacts
    rows: list[Sequence[Cell]] = [(kind, size / contacts) for kind, size in figures.redis.kinds.items()]
    rest = figures.redis.total - sum(figures.redis.kinds.values())
    return Table(
        f"Redis bytes a contact by kind of key: {figures.case.name}, {contacts:,} contacts",
        ("kind", "bytes a contact"),
        [*rows, ("tables of keys, fragments, buffers", rest / contacts), ("all", figures.redis.total / contacts)],
    )


def _draw(figures: dict[str, list[Figures]], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    if "contacts" in figures:
        rates = [(each.case.contacts, each.per_second) for each in figures["contacts"]]
        chart = line_chart("Rate of one worker", "contacts", "events/s", {"events/s": rates})
        (directory / "growth_contacts.svg").write_text(chart)
    if "segments" in figures:
        costs = {
            name: [
                (each.case.segments, each.cpu_us) for each in figures["segments"] if each.case.all_touched is touched
            ]
            for name, touched in (("an event touches ten", False), ("an event touches all", True))
        }
        chart = line_chart("Processor time of one worker", "segments", "µs an event", costs)
        (directory / "growth_segments.svg").write_text(chart)
    if "partitions" in figures:
        rates = [(each.case.partitions, each.per_second) for each in figures["partitions"]]
        chart = line_chart("Rate of one worker", "partitions", "events/s", {"events/s": rates})
        (directory / "growth_partitions.svg").write_text(chart)
