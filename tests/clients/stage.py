"""A collector as a process on a real Kafka, for SDKs that know nothing of Segue but its address and a write key."""

from __future__ import annotations

import json
from typing import Any

import httpx

from schemas.instants import parse_instant
from tests.live.workers import Place, metric, published
from tests.support.processes import StartedCommand
from tests.support.run_directory import CHECKOUT
from tests.support.waiting import wait_until

KEY = "website-write-key"
CACHE = CHECKOUT / ".cache" / "clients"
FOLDER = CHECKOUT / "tests" / "clients"
DEFINITIONS = """
version: 1
segments:
  buyers: {when: {performed: {event: purchase, where: [{property: amount, gte: 50}]}}}
  teams: {when: {trait: {name: group.plan, eq: team}}}
"""


class Stage:
    """Topics with definitions, and a collector that is ready."""

    def __init__(self, place: Place) -> None:
        self.place = place
        place.prepare("append", DEFINITIONS)
        self.url = ""
        self._start(0)

    def restart(self, **environment: str) -> None:
        """End the collector, and start it again under other settings and the same address."""
        self.collector.terminate()
        self._start(int(self.url.rpartition(":")[2]), **environment)

    def _start(self, port: int, **environment: str) -> None:
        settings = {"SEGUE_WRITE_KEYS": json.dumps({"website": KEY}), "SEGUE_COLLECTOR_CHECK_INTERVAL_MS": "100"}
        start = self.place.commands.start
        self.collector = start("collector", "--port", str(port), environment=settings | environment)
        self.url = self.collector.wait_for_output(r"listens on (http://127\.0\.0\.1:\d+)\n").group(1)
        wait_until(lambda: httpx.get(f"{self.url}/readyz").status_code == 200, 30, "the collector to be ready")

    def records(self) -> list[dict[str, Any]]:
        """All that lies in the log behind its definitions, partition by partition."""
        messages = [message for number in range(self.place.partitions) for message in self.place.messages(number)]
        records = [json.loads(message.value() or b"") for message in messages]
        return [record for record in records if record["type"] not in ("definitions", "tick")]

    def by_event_id(self, count: int) -> dict[str, dict[str, Any]]:
        """So many records, once they are there, by their event id; `AssertionError` where one came twice."""
        records = wait_until(lambda: self._at_least(count), 30, f"{count} records")
        found = {record["event_id"]: record for record in records}
        assert len(found) == len(records) == count, [record["event_id"] for record in records]
        return found

    def _at_least(self, count: int) -> list[dict[str, Any]]:
        records = self.records()
        return records if len(records) >= count else []

    def transitions(self) -> set[tuple[str, str, str]]:
        """Contact, segment and event id of the cause, of all that was published."""
        return {
            (transition["contact_id"], transition["segment"], transition["cause"]["event_id"])
            for transition in published(self.place.output())
        }

    def start_worker(self) -> StartedCommand:
        """A worker that has all partitions."""
        worker = self.place.worker()
        owned = "segue_partitions_owned"
        wait_until(lambda: metric(worker, owned) == self.place.partitions, 60, "the worker's partitions")
        return worker


def check_story(records: dict[str, dict[str, Any]], contact: str) -> None:
    """What the calls of `python_sdk.py` and `node_sdk.cjs` must have become."""
    link = records.pop("m-alias")
    assert (link["type"], link["contact_id"], link["to"]) == ("link", "anon:somebody", contact)
    for record in records.values():
        assert abs(parse_instant(record["received_at"]) - parse_instant(record["occurred_at"])) < 5_000
        assert record["contact_id"] == ("anon:visitor" if record["event_id"] == "m-anonymous" else contact)
    assert records["m-identify"]["traits"] == {"plan": "pro", "city": None}
    assert records["m-group"]["traits"] == {"group_id": "g1", "group": {"plan": "team"}}
    events = {event_id: record for event_id, record in records.items() if record["type"] == "track"}
    assert {event_id: (record["event"], record["properties"]) for event_id, record in events.items()} == {
        "m-track": ("cart_add", {"price": 19.99, "quantity": 3, "value": 59.97}),
        "m-page": ("page_view", {"path": "/", "name": "Home", "category": "Shop"}),
        "m-screen": ("screen_view", {"name": "Basket", "category": "Shop"}),
        "m-anonymous": ("grosse_gewahlt", {}),
        "m-purchase": ("purchase", {"revenue": 50, "order_id": "o1", "amount": 50}),
    }
    assert all(record["context"]["library"]["name"] for record in events.values())
    assert events["m-anonymous"]["context"]["event_name"] == "Größe Gewählt"
