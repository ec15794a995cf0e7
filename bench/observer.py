"""`python -m bench.observer PLAN.json`: a consumer of transitions as a process of its own, which notes when each came.

It reads the topic from its start, lets each transition through the gate of `consumers` once, and has it in hand when
it is decoded. On SIGTERM it writes down what came.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from bench.stand import Place
from consumers.arrivals import RawMessage, read_arrival, read_stamp
from consumers.gate import Gate, Passage
from consumers.kafka_log import raw_message
from tests.support.waiting import wait_until

_POLL_S = 0.1
_BATCH = 1_000


@dataclass(frozen=True)
class Seen:
    """One transition: whom it is about, when its change was detected and took effect, and when it was in hand."""

    contact_id: str
    type: str
    detected_ms: int
    effective_ms: int
    at_ns: int
    """Of the machine's monotonic clock."""
    at_ms: float
    """Of its wall clock."""


class StartedObserver:
    """An observer under way."""

    def __init__(self, place: Place, *, from_end: bool = False) -> None:
        """With `from_end` it passes over all that lies in the topic already."""
        number = time.monotonic_ns()
        self._outcome = place.directory / f"observer-{number}.outcome"
        self._count = place.directory / f"observer-{number}.count"
        file = place.directory / f"observer-{number}.json"
        plan = {"servers": place.servers, "topic": place.names.transitions, "partitions": place.partitions}
        plan |= {"from_end": from_end}
        file.write_text(json.dumps(plan | {"outcome": str(self._outcome), "count": str(self._count)}))
        self._process = place.commands.start_module("bench.observer", str(file))
        self._process.wait_for_output("observing")

    @property
    def count(self) -> int:
        """Transitions that it has in hand so far, as of a moment ago."""
        text = self._count.read_text() if self._count.exists() else ""
        return int(text or 0)

    def wait_for(self, transitions: int, timeout_s: float) -> bool:
        """Wait until it has so many; whether it came to that within the time."""
        try:
            wait_until(lambda: self.count >= transitions, timeout_s)
        except AssertionError:
            return False
        return True

    def seen(self) -> list[Seen]:
        """End it; all that came."""
        code = self._process.terminate()
        assert code == 0, self._process.tail()
        return [Seen(*row) for row in json.loads(self._outcome.read_text())]


class _Observer:
    def __init__(self, servers: str, topic: str, partitions: int, count: Path, *, from_end: bool) -> None:
        self._consumer = Consumer({"bootstrap.servers": servers, "group.id": "bench", "fetch.wait.max.ms": 50})
        places = [TopicPartition(topic, partition) for partition in range(partitions)]
        for place in places:
            _, end = self._consumer.get_watermark_offsets(place, timeout=30)
            place.offset = end if from_end else 0
        self._consumer.assign(places)
        self._gates = [Gate(0, 0, accept_gap=from_end)] * partitions
        self._count = count
        self._seen: list[Seen] = []

    def observe(self, ended: threading.Event) -> list[Seen]:
        """Read until told to end."""
        counted_at = 0.0
        while not ended.is_set():
            first = self._consumer.poll(_POLL_S)
            messages = [] if first is None else [first, *self._consumer.consume(_BATCH, 0)]
            for message in messages:
                if message.error() is None:
                    self._take(raw_message(message))
            if time.monotonic() - counted_at > _POLL_S:
                counted_at = time.monotonic()
                self._count.write_text(str(len(self._seen)))
        self._consumer.close()
        return self._seen

    def _take(self, message: RawMessage) -> None:
        stamp = read_stamp(message)
        assert stamp is not None, "expected the headers of the relay"
        gate, passage = self._gates[message.partition].judge(stamp.epoch, stamp.seq)
        assert passage is not Passage.GAP, f"expected transition {gate.seq + 1} and found {stamp.seq}"
        self._gates[message.partition] = gate
        transition = read_arrival(message, stamp).transition
        if passage is Passage.NEXT and transition is not None:
            self._seen.append(
                Seen(
                    transition.contact_id,
                    transition.type,
                    transition.detected_at,
                    transition.effective_at,
                    time.monotonic_ns(),
                    time.time_ns() / 1e6,
                )
            )


def main() -> None:
    """Observe, and write what came."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    observer = _Observer(
        plan["servers"], plan["topic"], plan["partitions"], Path(plan["count"]), from_end=plan["from_end"]
    )
    sys.stdout.write("observing\n")
    sys.stdout.flush()
    seen = observer.observe(ended)
    Path(plan["outcome"]).write_text(json.dumps([list(asdict(each).values()) for each in seen]))


if __name__ == "__main__":
    main()
