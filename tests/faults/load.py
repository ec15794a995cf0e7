"""Traffic of many contacts, at a steady rate, and a journal of what the broker has acknowledged of it."""

from __future__ import annotations

import json
import random
import threading
import time
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, Message, Producer

from schemas.instants import format_instant
from schemas.topics import partition_of

DEFINITIONS = """
version: 1
deduplicate: 3s
scores:
  heat:
    half_life: 1s
    points:
      - {event: email_open, points: 5}
      - {event: cart_add, points: 12.5}
      - {event: purchase, points: 30}
      - {event: email_click, points: 20}
    tiers: {cold: null, warm: 15, hot: 45}
segments:
  active: {tags: [mail], when: {performed: {event: page_view, within: 2s}}}
  busy: {when: {performed: {event: page_view, within: 3s, at_least: 3}}}
  hot: {when: {score: {name: heat, gte: 40}}, exit_when: {score: {name: heat, lt: 20}}}
  warm: {when: {tier: {name: heat, is: warm}}}
  abandoners:
    when:
      all:
        - performed: {event: cart_add, within: 3s}
        - not_performed: {event: cart_add, within: 1s}
        - not_performed: {event: purchase, within: 3s}
  lapsed: {when: {all: [{performed: {event: page_view}}, {not_performed: {event: page_view, within: 3s}}]}}
  paying: {when: {trait: {name: plan, in: [pro, team]}}}
  clicking: {when: {performed: {event: email_click, within: 3s}}}
  paying_and_hot: {when: {all: [{in_segment: paying}, {in_segment: hot}]}}
"""
"""Windows of seconds: soon after the last record no timer is left."""

CHANGED = (
    DEFINITIONS.replace("within: 3s, at_least: 3", "within: 3s, at_least: 2").replace("gte: 40", "gte: 25"),
    DEFINITIONS.replace("  lapsed:", "  ever: {when: {performed: {event: cart_add}}}\n  gone:"),
    DEFINITIONS.replace("deduplicate: 3s", "deduplicate: 2s").replace("tags: [mail]", "tags: [mail, web]"),
    DEFINITIONS,
)
"""What definitions change to, one after the other."""

BURST, BURST_LINKS = "burst", 3
"""How ids of clicks begin that belong to one of the bursts, and how many such clicks are one."""
_AT_ONCE = 40
_RECORDS_EACH = 15
_EVENTS = ("page_view", "page_view", "page_view", "email_open", "cart_add", "cart_add", "purchase")


class Acknowledged(NamedTuple):
    """A record that the broker has said it holds, and where."""

    partition: int
    offset: int
    value: bytes


class Load:
    """Appends records until it is stopped: most of now, some late, some twice, some bad, some that erase.

    Of clicks there are only whole bursts, as a machine makes them that follows all links of an e-mail.
    """

    def __init__(self, servers: str, topic: str, partitions: int, seed: int, rate_per_s: int) -> None:
        self._topic = topic
        self._partitions = partitions
        self._chance = random.Random(seed)
        self._rate_per_s = rate_per_s
        # A record that was written although its acknowledgement got lost is not in the journal: no harm.
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": 120_000,
                "reconnect.backoff.max.ms": 250,
                "log_level": 0,
            }
        )
        self._number = 0
        self._before: list[tuple[bytes, bytes, int]] = []
        self._next: list[tuple[bytes, bytes, int]] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self.journal: list[Acknowledged] = []
        self.refused: list[KafkaError] = []

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Append no more, and wait for what the broker says of the rest."""
        self._stopped.set()
        self._thread.join()
        assert self._producer.flush(150) == 0, "the broker has not said what became of the last records"

    def abandon(self) -> None:
        """Append no more, whatever becomes of the rest."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._stopped.wait(0.02):
            self._producer.poll(0)
            while self._number < (time.monotonic() - began) * self._rate_per_s:
                self._append()

    def _append(self) -> None:
        try:
            key, value, partition = self._next[0] if self._next else self._drawn()
            self._producer.produce(self._topic, value, key=key, partition=partition, on_delivery=self._noted)
            del self._next[:1]
        except BufferError:  # the broker has been away for long
            return

    def _noted(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.refused.append(error)
            return
        partition, offset, value = message.partition(), message.offset(), message.value()
        assert partition is not None
        assert offset is not None
        assert isinstance(value, bytes)
        self.journal.append(Acknowledged(partition, offset, value))

    def _drawn(self) -> tuple[bytes, bytes, int]:
        chance, number = self._chance, self._number
        self._number += 1
        if self._before and chance.random() < 0.03:
            return chance.choice(self._before)  # delivered again
        group = number // (_AT_ONCE * _RECORDS_EACH)
        contact_id = f"g{group}-{chance.randrange(_AT_ONCE)}"
        known, is_link = contact_id, chance.random() < 0.04
        if is_link or chance.random() < 0.25:
            contact_id = f"anon:g{group}-{chance.randrange(_AT_ONCE // 4)}"
        partition = partition_of(contact_id, self._partitions)
        if is_link:
            value = json.dumps(self._link(contact_id, known, number)).encode()
        elif chance.random() < 0.03:
            self._next = [(contact_id.encode(), value, partition) for value in self._burst(contact_id, number)]
            return self._next[0]
        elif chance.random() < 0.02:
            value = chance.choice((b"{", b'{"type":"nonsense"}', b"[]"))
        else:
            value = json.dumps(self._record(contact_id, number)).encode()
        drawn = (contact_id.encode(), value, partition)
        self._before = [*self._before[-50:], drawn]
        return drawn

    @staticmethod
    def _link(device: str, known: str, number: int) -> dict[str, Any]:
        at = format_instant(time.time_ns() // 1_000_000)
        return {"type": "link", "event_id": f"e{number}", "contact_id": device, "to": known, "occurred_at": at}

    @staticmethod
    def _burst(contact_id: str, number: int) -> list[bytes]:
        at = format_instant(time.time_ns() // 1_000_000)
        click = {"type": "track", "contact_id": contact_id, "occurred_at": at, "event": "email_click"}
        return [
            json.dumps(
                click
                | {
                    "event_id": f"{BURST}-{number}-{link}",
                    "properties": {"campaign_id": f"mail-{number}", "link_url": f"https://shop.example/{link}"},
                }
            ).encode()
            for link in range(BURST_LINKS)
        ]

    def _record(self, contact_id: str, number: int) -> dict[str, Any]:
        chance = self._chance
        occurred_ms = time.time_ns() // 1_000_000
        shift = chance.random()
        if shift < 0.08:
            occurred_ms -= chance.randrange(3_000)
        elif shift < 0.10:
            occurred_ms += chance.randrange(1_000)
        record: dict[str, Any] = {
            "event_id": f"e{number}", "contact_id": contact_id, "occurred_at": format_instant(occurred_ms),
        }  # fmt: skip
        kind = chance.random()
        if kind < 0.08:
            return record | {"type": "identify", "traits": {"plan": chance.choice(("free", "pro", "team", None))}}
        if kind < 0.09:
            return record | {"type": "erase"}
        return record | {"type": "track", "event": chance.choice(_EVENTS)}
