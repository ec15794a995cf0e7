"""How fast `segue simulate` is, and how much memory it takes: the whole command, over a file of a shop's records.

Takes neither Kafka nor Redis; `--write FILE` makes the file of records and no more.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from bench.tables import Table, add_json, progress, publish
from schemas.instants import format_instant
from tests.support.run_directory import CHECKOUT

SHOP = CHECKOUT / "ops" / "examples" / "shop.yaml"
SEGUE = Path(sys.executable).with_name("segue")
RECORDS = 1_000_000
CONTACTS = 100_000
_SEED = 7
_START_MS = 1_767_225_600_000  # 2026-01-01
_SPAN_MS = 90 * 86_400_000
_EVENTS = (*["page_view"] * 4, *["product_view"] * 2, "email_open", "email_click", "cart_add", "purchase")
_COUNTRIES = ("FR", "DE", "US")


class Cost(NamedTuple):
    """What a command took."""

    seconds: float
    cpu_s: float
    peak_mb: float


def write_records(path: Path, records: int, contacts: int) -> None:
    """Records of 90 days, evenly spread, of contacts drawn evenly: the same for the same numbers."""
    drawn = random.Random(_SEED)
    step_ms = _SPAN_MS // records
    with path.open("w") as file:
        for number in range(records):
            contact = drawn.randrange(contacts)
            occurred_at = format_instant(_START_MS + number * step_ms)
            who = f'"event_id":"e{number}","contact_id":"contact-{contact}","occurred_at":"{occurred_at}"'
            if number % 20 == 0:
                country = drawn.choice(_COUNTRIES)
                file.write(f'{{"type":"identify",{who},"traits":{{"country":"{country}"}}}}\n')
            else:
                event = drawn.choice(_EVENTS)
                properties = f'{{"page":"/p/{contact % 97}","value":12.5}}'
                file.write(f'{{"type":"track",{who},"event":"{event}","properties":{properties}}}\n')


def simulate(definitions: Path, events: Path, *options: str) -> Cost:
    """Run the command as a process of its own, its transitions written to nowhere."""
    arguments = [str(SEGUE), "simulate", str(definitions), str(events), "--out", os.devnull, *options]
    begun = time.monotonic()
    pid = os.posix_spawn(str(SEGUE), arguments, dict(os.environ))
    _, status, used = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, arguments
    return Cost(time.monotonic() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--contacts", type=int, default=CONTACTS)
    parser.add_argument("--write", type=Path, metavar="FILE", help="make the file of records and no more")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Measure and tell, or write the file."""
    if arguments.write is not None:
        write_records(arguments.write, arguments.records, arguments.contacts)
    else:
        publish("simulate", [simulation(arguments.records, arguments.contacts)], arguments.json)


def simulation(records: int, contacts: int) -> Table:
    """The rates and the peak memory with the example definitions, and of the same in several partitions."""
    with tempfile.TemporaryDirectory() as folder:
        events = Path(folder) / "events.jsonl"
        progress("writing the file")
        write_records(events, records, contacts)
        ways = {
            "one partition": [],
            "8 partitions": ["--partitions", "8"],
            "with a page": ["--html", str(Path(folder) / "report.html")],
        }
        costs = {}
        for name, options in ways.items():
            progress(f"simulating: {name}")
            costs[name] = simulate(SHOP, events, *options)
    rows = [(name, records / cost.seconds, records / cost.cpu_s, cost.peak_mb) for name, cost in costs.items()]
    return Table(
        f"segue simulate, {records:,} records of {contacts:,} contacts, {SHOP.name}",
        ("how", "records/s", "records per CPU second", "peak MB"),
        rows,
    )
