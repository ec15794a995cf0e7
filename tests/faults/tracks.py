"""Places for workers, and servers of a test's own beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from schemas.instants import format_instant
from tests.live.workers import Place
from tests.support.processes import Commands
from tests.support.redis_servers import LocalRedis


def place_on(
    commands: Commands, servers: str, redis: LocalRedis, namespace: str, directory: Path, partitions: int
) -> Place:
    """A place whose workers keep their state in a Redis of the test's own."""
    commands.environment["SEGUE_REDIS_URL"] = redis.url
    return Place(commands, servers, redis.url, namespace, directory, partitions)


def track(contact_id: str, event: str, event_id: str, at_ms: int, **fields: Any) -> bytes:
    """An event of a contact, as it lies in the log."""
    record = {"type": "track", "event_id": event_id, "contact_id": contact_id, "event": event}
    return json.dumps(record | {"occurred_at": format_instant(at_ms)} | fields).encode()


class Tracking:
    """Appends to `tracking`, each record where it is told to and with the time that it is given."""

    def __init__(self, place: Place) -> None:
        self._topic = place.names.tracking
        self._producer = Producer(
            {
                "bootstrap.servers": place.servers,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.max.bytes": 2_000_000,
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 0,
            }
        )

    def append(self, partition: int, key: bytes | None, value: bytes | None, timestamp_ms: int) -> None:
        """Queue a record; `flush` sees to it that the broker has it."""
        self._producer.produce(self._topic, value, key, partition, timestamp=timestamp_ms)
        self._producer.poll(0)

    def flush(self) -> None:
        """Returns when the broker has all of it."""
        assert self._producer.flush(60) == 0
