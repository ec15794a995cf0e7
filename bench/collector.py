"""What a collector takes in: requests a second and their latency, beside a handler that does nothing with them.

As much as comes back over a few kept connections. A core's share is by the processor time that the server used, its
threads included; Kafka and the load work beside it. The plain handler reads a call's body and answers, under uvicorn as
it comes: it shows what a request costs without us, and that the load is fast enough. The cost is processor time a call,
as a multiple of the plain handler's; for a single event the goal is 2. A collector with a spool, and a Kafka that is
there, is measured beside it: it should cost the same, for nothing goes through the disk then.
"""

from __future__ import annotations

import argparse

import httpx

from bench.load import Plan, StartedLoad
from bench.percentiles import percentile
from bench.requests import BATCH, COLLECTOR_ENVIRONMENT, Kind
from bench.stand import Place, cpu_s, stand
from bench.tables import Cell, Table, add_json, progress, publish
from tests.support.processes import StartedCommand
from tests.support.waiting import wait_until

_EVENTS: dict[Kind, int] = {"single": 1, "batch": BATCH, "pixel": 1}
_NAMES: dict[Kind, str] = {"single": "single events", "batch": f"batches of {BATCH}", "pixel": "open pixels"}
_LISTENS = r"listens on http://127\.0\.0\.1:(\d+)\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement")
    parser.add_argument("--connections", type=int, default=64, help="kept alive, each with one request at a time")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Measure and tell."""
    rows: list[tuple[Cell, ...]] = []
    with stand() as servers, servers.place("append") as place:
        collector, port = start_collector(place)
        spooling, spooling_port = start_collector(place, SEGUE_COLLECTOR_SPOOL_DIR=str(place.directory / "spool"))
        plain = place.commands.start_module("bench.plain_handler")
        plain_port = int(plain.wait_for_output(_LISTENS).group(1))
        progress("warming the broker up")  # while its compiler works, it takes from the cores that all share
        _measured(place, "single", collector, port, arguments)
        for kind in _EVENTS:
            progress(_NAMES[kind])
            ours = _measured(place, kind, collector, port, arguments)
            least = _measured(place, kind, plain, plain_port, arguments)
            rows.append((_NAMES[kind], *ours, least[1] / ours[1]))
            if kind == "single":
                spooled = _measured(place, kind, spooling, spooling_port, arguments)
                rows.append((f"{_NAMES[kind]}, with a spool", *spooled, least[1] / spooled[1]))
            rows.append((f"{_NAMES[kind]}, plain handler", *least, 1.0))
    table = Table(
        f"segue collector, {arguments.connections} connections kept alive, each with one request at a time",
        ("what", "events/s", "events per CPU second", "p50 ms", "p99 ms", "cost, times the plain handler's"),
        rows,
    )
    publish("collector", [table], arguments.json)


def start_collector(place: Place, **more: str) -> tuple[StartedCommand, int]:
    """A collector that is ready, and its port; `more` adds to its settings."""
    collector = place.commands.start("collector", "--port", "0", environment=COLLECTOR_ENVIRONMENT | more)
    port = int(collector.wait_for_output(_LISTENS).group(1))
    url = f"http://127.0.0.1:{port}/readyz"
    wait_until(lambda: httpx.get(url).status_code == 200, 30, "the collector to be ready")
    return collector, port


def _measured(
    place: Place, kind: Kind, server: StartedCommand, port: int, arguments: argparse.Namespace
) -> tuple[float, float, float, float]:
    """Events a second and per CPU second of the server; median and 99th percentile of a request's milliseconds."""
    warm_up = Plan(kind, 1, port=port, connections=arguments.connections)
    StartedLoad(place.commands, warm_up, place.directory).outcome()
    used = cpu_s(server.pid)
    plan = Plan(kind, arguments.seconds, port=port, connections=arguments.connections)
    outcome = StartedLoad(place.commands, plan, place.directory).outcome()
    used = cpu_s(server.pid) - used
    assert set(outcome.statuses) == {"200"}, f"expected only answers with status 200, found {outcome.statuses}"
    events = outcome.good * _EVENTS[kind]
    waits_ms = [wait / 1e6 for wait in outcome.waits_ns]
    return events / outcome.took_s, events / used, percentile(waits_ms, 0.5), percentile(waits_ms, 0.99)
