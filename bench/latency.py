"""How soon a transition is in a consumer's hands: from the collector's answer, and from the log's own stamp.

The load is an open loop in a process of its own: each call has its instant, and where the collector or the load come
late, that counts as latency. The observer reads transitions through the consumers' gate. One event in ten is the first
of a new contact and causes a transition.

From the collector's answer: single events at 1,000 a second, batches of 100 at higher rates. An answer is given when
the broker has acknowledged, by which time the worker may have the event already: a latency may be below zero.
From the log's stamp: events appended straight to Kafka, and the difference between the broker's time stamp, in whole
milliseconds, and the wall clock of the same machine.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bench.collector import start_collector
from bench.load import Outcome, Plan, StartedLoad
from bench.observer import Seen, StartedObserver
from bench.percentiles import percentile
from bench.requests import BATCH, Kind
from bench.stand import Place, stand
from bench.tables import Cell, Table, add_json, progress, publish

_WARM_UP_S = 3.0
_LATE_S = 1.0
_PATIENCE_S = 60.0
_SHARES = (0.5, 0.99, 0.999)
_SINGLE_MOST = 1_000
"""Events a second up to which each is a call of its own."""
_CONNECTIONS = 64
_COLUMNS = ("rate", "p50 ms", "p99 ms", "p99.9 ms", "seen 1 s after the last send, %")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement, after a warm-up")
    parser.add_argument("--collector", type=int, nargs="*", default=[1_000, 5_000, 20_000], metavar="EVENTS_A_SECOND")
    parser.add_argument("--append", type=int, nargs="*", default=[200, 2_000], metavar="EVENTS_A_SECOND")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Measure and tell."""
    tables = []
    with stand() as servers:
        answers, sends = [], []
        for rate in arguments.collector:
            progress(f"through the collector, {rate:,} events/s")
            with servers.place("append") as place:
                from_answer, from_send = through_collector(place, rate, arguments.seconds)
            answers.append(from_answer)
            sends.append(from_send)
        if answers:
            note = f"above {_SINGLE_MOST:,} events/s in batches of {BATCH}"
            tables.append(Table("from the collector's answer to the transition in hand", _COLUMNS, answers, [note]))
            title = "from the instant at which the event was to be sent to the transition in hand"
            tables.append(Table(title, _COLUMNS, sends, [note]))
        rows = []
        for rate in arguments.append:
            progress(f"appended to the log, {rate:,} events/s")
            with servers.place("append") as place:
                rows.append(from_append(place, rate, arguments.seconds))
        if rows:
            tables.append(Table("from the time stamp in the log to the transition in hand", _COLUMNS, rows))
    publish("latency", tables, arguments.json)


def through_collector(place: Place, per_second: int, seconds: float) -> tuple[Sequence[Cell], Sequence[Cell]]:
    """A row from the answer on, and one from the instant on at which the event was to be sent."""
    kind: Kind = "single" if per_second <= _SINGLE_MOST else "batch"
    events_a_call = BATCH if kind == "batch" else 1
    _, port = start_collector(place)
    seen, outcome = _observed(
        place,
        Plan(
            kind,
            seconds + _WARM_UP_S,
            per_second / events_a_call,
            port=port,
            connections=_CONNECTIONS,
            traffic="transitions",
        ),
        events_a_call,
    )
    refused = len(outcome.due_ns) - outcome.good
    if refused:
        progress(f"{refused} of {len(outcome.due_ns)} calls were not answered 200: {outcome.statuses}")
    name = f"{per_second:,} events/s"
    answered = {int(number): instant for number, instant in outcome.answered_ns.items()}
    last_ns, first = outcome.due_ns[-1], int(_WARM_UP_S * per_second)
    from_answer, from_send = [], []
    for number, each in seen.items():
        if number >= first:
            call = number // events_a_call
            from_answer.append((each.at_ns - answered[call]) / 1e6)
            from_send.append((each.at_ns - outcome.due_ns[call]) / 1e6)
    wanted = len(range(-(-first // 10) * 10, len(outcome.due_ns) * events_a_call, 10))
    in_time = sum(seen[number].at_ns <= last_ns + _LATE_S * 1e9 for number in seen if number >= first)
    return _row(name, from_answer, wanted, in_time), _row(name, from_send, wanted, in_time)


def from_append(place: Place, per_second: int, seconds: float) -> Sequence[Cell]:
    """A row from the broker's time stamp on."""
    plan = Plan(
        "append",
        seconds + _WARM_UP_S,
        per_second,
        traffic="transitions",
        servers=place.servers,
        topic=place.names.tracking,
        partitions=place.partitions,
    )
    seen, outcome = _observed(place, plan, 1)
    first = int(_WARM_UP_S * per_second)
    waits = [each.at_ms - each.detected_ms for number, each in seen.items() if number >= first]
    last_ns = outcome.due_ns[-1]
    in_time = sum(seen[number].at_ns <= last_ns + _LATE_S * 1e9 for number in seen if number >= first)
    return _row(f"{per_second:,} events/s", waits, len(range(-(-first // 10) * 10, len(outcome.due_ns), 10)), in_time)


def _observed(place: Place, plan: Plan, events_a_call: int) -> tuple[dict[int, Seen], Outcome]:
    """The transitions that a load caused, by the number of the event, and what came of the load."""
    worker = place.start_worker()
    observer = StartedObserver(place)
    outcome = StartedLoad(place.commands, plan, place.directory).outcome()
    wanted = -(-len(outcome.due_ns) * events_a_call // 10)
    if not observer.wait_for(wanted, _PATIENCE_S):
        progress(f"{observer.count:,} of {wanted:,} transitions came within {_PATIENCE_S:.0f} s")
    seen = {int(each.contact_id.rpartition("-")[2]): each for each in observer.seen()}
    assert worker.terminate() == 0, worker.tail()
    return seen, outcome


def _row(name: str, waits: Sequence[float], wanted: int, in_time: int) -> Sequence[Cell]:
    """Percentiles over all that was to come: what did not come is later than all that did."""
    missing = wanted - len(waits)
    with_missing = [*waits, *([float("inf")] * missing)]
    found = [percentile(with_missing, share) for share in _SHARES]
    return (name, *(None if value == float("inf") else value for value in found), 100 * in_time / wanted)
