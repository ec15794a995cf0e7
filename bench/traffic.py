"""Events of a shop's visitors for the bench, encoded and written as fast as one process can."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from confluent_kafka import Producer

from schemas.instants import format_instant
from schemas.topics import partition_of

EVENTS = ("page_view", "page_view", "page_view", "product_view", "email_open", "email_click", "cart_add", "purchase")

DEFINITIONS = """
version: 1
scores:
  engagement:
    half_life: 7d
    points:
      - {event: email_open, points: 5}
      - {event: email_click, points: 10}
      - {event: cart_add, points: 15}
      - {event: purchase, points: 20}
    tiers: {cold: null, warm: 30, hot: 70}
segments:
  hot: {when: {score: {name: engagement, gte: 60}}, exit_when: {score: {name: engagement, lt: 50}}}
  warm: {when: {tier: {name: engagement, is: warm}}}
  visitors: {when: {performed: {event: page_view, within: 30d}}}
  regulars: {when: {performed: {event: page_view, within: 7d, at_least: 5}}}
  openers: {when: {performed: {event: email_open, within: 14d}}}
  clickers: {when: {performed: {event: email_click, within: 30d, at_least: 2}}}
  buyers: {when: {performed: {event: purchase}}}
  abandoners:
    when:
      all:
        - performed: {event: cart_add, within: 7d}
        - not_performed: {event: cart_add, within: 1h}
        - not_performed: {event: purchase, within: 7d}
  lapsing: {when: {all: [{performed: {event: email_click}}, {not_performed: {event: email_click, within: 15d}}]}}
  engaged_buyers: {when: {all: [{in_segment: buyers}, {score: {name: engagement, gte: 30}}]},
                   exit_when: {score: {name: engagement, lt: 20}}}
"""


class Visitors:
    """Draws events of many contacts, the same for the same seed."""

    def __init__(self, contacts: int, prefix: str = "contact") -> None:
        self._random = random.Random(7)
        self.ids = [f"{prefix}-{number}" for number in range(contacts)]
        self._drawn = 0

    def event(self, instant_ms: int, contact: int | None = None, event: str | None = None) -> tuple[int, bytes]:
        """The next event, which occurs at an instant: the number of its contact, and the record."""
        number = self._random.randrange(len(self.ids)) if contact is None else contact
        name = event or self._random.choice(EVENTS)
        self._drawn += 1
        value = (
            f'{{"type":"track","event_id":"e{self._drawn}","contact_id":"{self.ids[number]}","event":"{name}",'
            f'"occurred_at":"{format_instant(instant_ms)}","properties":{{"page":"/p/{number % 97}","value":12.5}}}}'
        )
        return number, value.encode()


class Traffic:
    """Writes events of visitors to a topic."""

    def __init__(self, servers: str, topic: str, partitions: int, contacts: int, prefix: str = "contact") -> None:
        self._topic = topic
        self._producer = Producer(
            {"bootstrap.servers": servers, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000}
        )
        self._visitors = Visitors(contacts, prefix)
        self._partitions = [partition_of(contact_id, partitions) for contact_id in self._visitors.ids]
        self._written = 0

    def write(self, instant_ms: int, *, stamp: bool, contact: int | None = None, event: str | None = None) -> None:
        """Queue one event that occurs at an instant; with `stamp` that is its Kafka timestamp too."""
        number, value = self._visitors.event(instant_ms, contact, event)
        self._written += 1
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    value,
                    key=self._visitors.ids[number].encode(),
                    partition=self._partitions[number],
                    timestamp=instant_ms if stamp else 0,
                )
            except BufferError:
                self._producer.poll(0.05)
            else:
                break
        if self._written % 256 == 0:
            self._producer.poll(0)

    def write_history(self, events: int, start_ms: int, step_ms: int) -> int:
        """Events in a row, each `step_ms` after the one before; returns the instant of the last."""
        for number in range(events):
            self.write(start_ms + number * step_ms, stamp=True)
        self.flush()
        return start_ms + (events - 1) * step_ms

    def flush(self) -> None:
        """Wait until all is written."""
        assert self._producer.flush(120) == 0

    def poll(self) -> None:
        """Serve the producer."""
        self._producer.poll(0)


def paced(per_second: int, seconds: float) -> Iterator[int]:
    """Yields `per_second` times a second, each time when it is due; the count so far."""
    begun = time.perf_counter()
    for number in range(int(per_second * seconds)):
        wait_s = begun + number / per_second - time.perf_counter()
        if wait_s > 0.0005:
            time.sleep(wait_s)
        yield number
