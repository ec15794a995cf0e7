"""Senders that note what the collector acknowledged, and what of it lies in the log."""

from __future__ import annotations

import itertools
import json
import queue
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import TracebackType
from typing import NamedTuple

import httpx

from tests.load.topics import read_log
from tests.support.waiting import wait_until

WRITE_KEY = "website-write-key"
KEYS = {
    "SEGUE_WRITE_KEYS": json.dumps({"website": WRITE_KEY}),
    "SEGUE_LINK_KEYS": '{"k1": "a-long-signing-secret"}',
    "SEGUE_COLLECTOR_CHECK_INTERVAL_MS": "200",
    "SEGUE_COLLECTOR_DELIVERY_TIMEOUT_MS": "2000",
}


class OpenLoop:
    """Sends events at a steady rate over a few connections that are kept, however the collector does.

    Each connection is a contact, whose next event is sent when the last one is acknowledged; until then that is sent
    again with its id. The journal is in memory: an id is in it when the answer was read to its end.
    """

    def __init__(
        self, port: int, *, connections: int = 4, per_second: int = 300, secrets: Sequence[str] = (WRITE_KEY,)
    ) -> None:
        """Connections take turns at the secrets of write keys."""
        self._url = f"http://127.0.0.1:{port}/v1/track"
        self._pause_s = 1 / per_second
        self._waiting: queue.Queue[int] = queue.Queue()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._pace, daemon=True)]
        self._threads += [
            threading.Thread(target=self._send, args=[f"c{n}", secrets[n % len(secrets)]], daemon=True)
            for n in range(connections)
        ]
        self.acknowledged: set[str] = set()
        self.repeated: set[str] = set()
        """Ids of events that were sent again, so that the log may have two records of them that differ."""
        self.statuses: Counter[int] = Counter()
        self.unanswered = 0
        """Calls that got no whole answer."""
        self.slowest_s = 0.0

    def __enter__(self) -> OpenLoop:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(30)

    def wait_for_more(self, events: int) -> None:
        """Wait until so many more events are acknowledged."""
        target = len(self.acknowledged) + events
        wait_until(lambda: len(self.acknowledged) >= target, 60, f"{events} more events taken in")

    def _pace(self) -> None:
        for number in itertools.count():
            if self._ended.wait(self._pause_s):
                return
            self._waiting.put(number)

    def _send(self, contact: str, secret: str) -> None:
        with httpx.Client(auth=(secret, ""), timeout=10) as client:
            while not self._ended.is_set():
                try:
                    event_id = f"event-{self._waiting.get(timeout=0.1)}"
                except queue.Empty:
                    continue
                while not self._acknowledged(client, contact, event_id) and not self._ended.wait(self._pause_s):
                    self.repeated.add(event_id)

    def _acknowledged(self, client: httpx.Client, contact: str, event_id: str) -> bool:
        body = {"userId": contact, "event": "Page Viewed", "messageId": event_id}
        sent_s = time.monotonic()
        try:
            answer = client.post(self._url, json=body)
        except httpx.TransportError:
            self.unanswered += 1
            return False
        self.slowest_s = max(self.slowest_s, time.monotonic() - sent_s)
        self.statuses[answer.status_code] += 1
        if answer.status_code == 200:
            self.acknowledged.add(event_id)
        return answer.status_code == 200


class Lies(NamedTuple):
    """An event as it lies in the log, once or more."""

    contact: str
    values: list[bytes]


def log_events(servers: str, topic: str, partitions: int) -> dict[str, Lies]:
    """Every event in the log by its id, in the order in which they are there first, partition by partition."""
    found: dict[str, Lies] = {}
    for messages in read_log(servers, topic, partitions).values():
        for message in messages:
            value = message.value() or b""
            record = json.loads(value)
            if record["type"] == "track":
                found.setdefault(record["event_id"], Lies(record["contact_id"], [])).values.append(value)
    return found


def log_ids(servers: str, topic: str, partitions: int) -> Counter[str]:
    """The ids of all events in the log, and how often each lies there."""
    lies = log_events(servers, topic, partitions)
    return Counter({event_id: len(event.values) for event_id, event in lies.items()})


def problems_of(load: OpenLoop, lies: Mapping[str, Lies]) -> list[str]:
    """What is wrong with the log: an event that is not there, or there as two that differ, or overtaken."""
    problems = []
    if lost := load.acknowledged - lies.keys():
        problems.append(f"lost: {len(lost)} of {len(load.acknowledged)} acknowledged events, such as {min(lost)}")
    differ = [name for name, event in lies.items() if len(set(event.values)) > 1 and name not in load.repeated]
    if differ:
        problems.append(f"doubled: {len(differ)} events that were sent once lie there as two, such as {differ[0]}")
    numbers: dict[str, list[int]] = {}
    for event_id, event in lies.items():
        numbers.setdefault(event.contact, []).append(int(event_id.removeprefix("event-")))
    for contact, found in numbers.items():
        overtaken = [first for first, second in pairwise(found) if first >= second]
        problems += [f"overtaken: {len(overtaken)} events of {contact}, such as {overtaken[0]}"] if overtaken else []
    return problems


def again(lies: Mapping[str, Lies]) -> int:
    """How many records the log has more than events."""
    return sum(len(event.values) - 1 for event in lies.values())


def metric(port: int, name: str) -> float:
    """What the collector there says of itself; `name` with its labels."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} "))
