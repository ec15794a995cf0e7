"""Random cases of the brute force as logs of real partitions: each case has partitions of its own in one topic.

Every partition's log begins with the definitions that hold in it, so one worker runs as many different definition
files as there are partitions. Contacts get names that hash to the partitions of their case.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, cycle

from confluent_kafka import Producer
from hypothesis import HealthCheck, Phase, given, seed, settings

from schemas.topics import partition_of
from schemas.transitions import encode_transition
from streams.segmentation import compile_definitions
from streams.simulation.simulator import BadLine, Simulator
from tests.engine.stories import definitions_value
from tests.oracle.drawn_records import Case, cases, text_of
from tests.oracle.driving import Body
from tests.oracle.history import clock_of
from tests.oracle.writer import Taste

DEFINED_AT_MS = 1
"""Before every record, so that the definitions move no clock; 0 would say "now" to the producer."""


def drawn_cases(taste: Taste, number: int, from_seed: int) -> list[Case]:
    """So many cases, the longest of twice as many that are drawn: the same ones for the same seed."""
    found: list[Case] = []

    @seed(from_seed)
    @settings(max_examples=2 * number, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck))
    @given(cases(taste))
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return sorted(found, key=lambda case: -len(case.bodies))[:number]


@dataclass(frozen=True)
class Placed:
    """A case in partitions of its own."""

    partitions: tuple[int, ...]
    case: Case

    @property
    def end_ms(self) -> int:
        """The instant to which every partition is ticked in the end."""
        return max(self.case.until or 0, *(clock_of(body) for body in self.case.bodies))

    def messages(self, partitions: int) -> Iterator[tuple[int, str | None, bytes, int]]:
        """Partition, key, value and timestamp of all that the log has, in the order in which it is written."""
        for partition in self.partitions:
            yield partition, None, definitions_value(self.case.file), DEFINED_AT_MS
        for body in [*self.case.bodies, {"type": "tick", "received_at": text_of(self.end_ms)}]:
            value, clock = json.dumps(body, ensure_ascii=False).encode(), clock_of(body)
            if "contact_id" in body:
                yield partition_of(body["contact_id"], partitions), body["contact_id"], value, clock
            else:
                yield from ((partition, None, value, clock) for partition in self.partitions)

    def simulated(self) -> list[bytes]:
        """What the simulator writes of it."""
        simulator = Simulator(compile_definitions(self.case.file))
        lines = [json.dumps(body).encode() for body in self.case.bodies]
        found = [*simulator.feed(lines), *simulator.until(self.end_ms)]
        return [encode_transition(each) for each in found if not isinstance(each, BadLine)]


def placed(case: Case, homes: tuple[int, ...], partitions: int) -> Placed:
    """The case with its contacts spread over the partitions `homes`.

    Nobody is on a list of the file: of these the log tells by records. In several partitions, each with a clock of
    its own, records are taken to come in by the clock of all of them.
    """
    names: dict[str, str] = {}
    homes_in_turn = cycle(homes)
    bodies: list[Body] = []
    clock = 0
    for body in case.bodies:
        clock = max(clock, clock_of(body))
        moved = {**body, "received_at": text_of(clock)} if len(homes) > 1 else dict(body)
        if "contact_id" in body:
            contact = body["contact_id"]
            if contact not in names:
                names[contact] = _name_in(next(homes_in_turn), contact, partitions)
            moved["contact_id"] = names[contact]
        bodies.append(moved)
    file = {**case.file, **({"lists": {name: [] for name in case.file["lists"]}} if "lists" in case.file else {})}
    return Placed(homes, Case(file, bodies, case.until))


def _name_in(partition: int, contact: str, partitions: int) -> str:
    return next(name for n in count() if partition_of(name := f"{contact}~{n}", partitions) == partition)


def write(placed_cases: list[Placed], servers: str, topic: str, partitions: int) -> int:
    """Append all logs, one message of each in turn; how many messages these are."""
    producer = Producer({"bootstrap.servers": servers, "acks": "all", "linger.ms": 5})
    written = 0
    for each in placed_cases:
        for partition, key, value, timestamp in each.messages(partitions):
            producer.produce(topic, value, key=key, partition=partition, timestamp=timestamp)
            written += 1
        producer.poll(0)
    assert producer.flush(60) == 0
    return written
