"""A month of a shop's events: Zipf activity, rising instants, the same for the same numbers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from schemas.instants import format_instant
from schemas.topics import partition_of

PARTITIONS = 4
START_MS = 1_767_225_600_000
"""2026-01-01."""
_SPAN_MS = 30 * 86_400_000
_CHUNK = 10_000
_COUNTRIES = ("FR", "DE", "US", "GB", "NL")
_WEIGHTS = {"page_view": 38, "product_view": 22, "email_open": 16, "email_click": 9, "cart_add": 9, "purchase": 6}


class Event(NamedTuple):
    """One event, with the record that says it."""

    contact: int
    at_ms: int
    value: bytes


@dataclass(frozen=True)
class Work:
    """`events` events of `contacts` contacts over 30 days, of which the first `taken` are used."""

    events: int
    contacts: int
    taken: int
    seed: int = 7

    def prefix(self, taken: int) -> Work:
        """The same events, as far as the first `taken`."""
        return Work(self.events, self.contacts, min(taken, self.taken), self.seed)

    @cached_property
    def ids(self) -> list[str]:
        """The contacts' ids, by number."""
        return [f"contact-{number:06}" for number in range(self.contacts)]

    @cached_property
    def partitions(self) -> list[int]:
        """The contacts' partitions, by number."""
        return [partition_of(contact_id, PARTITIONS) for contact_id in self.ids]

    def drawn(self) -> Iterator[Event]:
        """The events in order of time; the contact of rank r has a share that is proportional to 1/r."""
        dice = random.Random(self.seed)
        by_rank = list(range(self.contacts))
        dice.shuffle(by_rank)
        shares = list(accumulate(1 / rank for rank in range(1, self.contacts + 1)))
        names, weights = list(_WEIGHTS), list(accumulate(_WEIGHTS.values()))
        ids, step_ms = self.ids, max(1, _SPAN_MS // self.events)
        for begin in range(0, self.taken, _CHUNK):
            count = _CHUNK  # always whole chunks, so that a prefix draws what the whole does
            contacts = dice.choices(by_rank, cum_weights=shares, k=count)
            kinds = dice.choices(names, cum_weights=weights, k=count)
            places = zip(range(begin, min(begin + count, self.taken)), contacts, kinds, strict=False)
            for number, contact, name in places:
                at_ms = START_MS + number * step_ms + (number * 7919) % step_ms
                yield Event(contact, at_ms, _record(number, ids[contact], name, at_ms))


def _record(number: int, contact_id: str, name: str, at_ms: int) -> bytes:
    occurred_at = format_instant(at_ms)
    return (
        f'{{"type":"track","event_id":"01K{number:010}","contact_id":"{contact_id}","occurred_at":"{occurred_at}",'
        f'"received_at":"{occurred_at}","event":"{name}","properties":{{"page":"/p/{number % 997}","value":12.5}},'
        f'"context":{{"country":"{_COUNTRIES[number % 5]}","device":"mobile"}},"source":"website"}}'
    ).encode()
