"""Senders that note what the collector acknowledged, and what of it lies in the log."""

from __future__ import annotations

import itertools
import json
import queue
import threading
from collections import Counter
from types import TracebackType

import httpx

from tests.load.topics import read_log

KEYS = {
    "SEGUE_WRITE_KEYS": '{"website": "website-write-key"}',
    "SEGUE_LINK_KEYS": '{"k1": "a-long-signing-secret"}',
    "SEGUE_COLLECTOR_CHECK_INTERVAL_MS": "200",
    "SEGUE_COLLECTOR_DELIVERY_TIMEOUT_MS": "2000",
}


class OpenLoop:
    """Sends events at a steady rate over a few connections that are kept, however the collector does.

    What is not acknowledged is sent again with its id, in its turn. The journal is in memory: an id is in it when
    the answer was read to its end.
    """

    def __init__(self, port: int, *, connections: int = 4, per_second: int = 300) -> None:
        self._url = f"http://127.0.0.1:{port}/v1/track"
        self._pause_s = 1 / per_second
        self._waiting: queue.Queue[str] = queue.Queue()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._pace, daemon=True)]
        self._threads += [threading.Thread(target=self._send, daemon=True) for _ in range(connections)]
        self.acknowledged: set[str] = set()
        self.statuses: Counter[int] = Counter()
        self.unanswered = 0
        """Calls that got no whole answer."""

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

    def _pace(self) -> None:
        for number in itertools.count():
            if self._ended.wait(self._pause_s):
                return
            self._waiting.put(f"event-{number}")

    def _send(self) -> None:
        with httpx.Client(auth=("website-write-key", ""), timeout=10) as client:
            while not self._ended.is_set():
                try:
                    event_id = self._waiting.get(timeout=0.1)
                except queue.Empty:
                    continue
                if not self._acknowledged(client, event_id):
                    self._waiting.put(event_id)
                    self._ended.wait(self._pause_s)

    def _acknowledged(self, client: httpx.Client, event_id: str) -> bool:
        body = {"userId": f"c{event_id[-2:]}", "event": "Page Viewed", "messageId": event_id}
        try:
            answer = client.post(self._url, json=body)
        except httpx.TransportError:
            self.unanswered += 1
            return False
        self.statuses[answer.status_code] += 1
        if answer.status_code == 200:
            self.acknowledged.add(event_id)
        return answer.status_code == 200


def log_ids(servers: str, topic: str, partitions: int) -> Counter[str]:
    """The ids of all events in the log, and how often each lies there."""
    log = read_log(servers, topic, partitions)
    records = [json.loads(message.value() or b"") for messages in log.values() for message in messages]
    return Counter(record["event_id"] for record in records if record["type"] == "track")
