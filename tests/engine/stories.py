"""Asynchronous tests, and the records that they tell of."""

from __future__ import annotations

import asyncio
import copy
import json
import random
from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from typing import Any, ParamSpec

from schemas.instants import format_instant, parse_instant
from schemas.records import DefinitionsRecord, encode_record
from schemas.topics import partition_of
from streams.ports import RawRecord
from streams.segmentation import SEMANTICS_VERSION, compile_definitions

P = ParamSpec("P")

START = parse_instant("2026-03-01T00:00:00Z")
SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


def story(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an asynchronous test on an event loop of its own, in which nothing may be left running."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def whole() -> None:
            await test(*args, **kwargs)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"still running: {left}"

        asyncio.run(whole())

    return run


DEFINITIONS: dict[str, Any] = {
    "version": 1,
    "deduplicate": "1h",
    "scores": {
        "engagement": {
            "half_life": "10m",
            "points": [{"event": "email_open", "points": 5}, {"event": "cart_add", "points": 20}],
            "tiers": {"cold": None, "warm": 12, "hot": 30},
        }
    },
    "segments": {
        "active": {"when": {"performed": {"event": "email_open", "within": "5m", "at_least": 2}}},
        "abandoned": {
            "when": {
                "all": [
                    {"performed": {"event": "cart_add", "within": "2h"}},
                    {"not_performed": {"event": "cart_add", "within": "3m"}},
                    {"not": {"performed": {"event": "purchase", "within": "1h"}}},
                ]
            }
        },
        "hot": {
            "when": {"score": {"name": "engagement", "gte": 30}},
            "exit_when": {"score": {"name": "engagement", "lt": 20}},
        },
        "warm_and_paying": {
            "tags": ["vip"],
            "when": {
                "all": [{"trait": {"name": "plan", "eq": "paid"}}, {"tier": {"name": "engagement", "is": "warm"}}]
            },
        },
    },
}


def definitions_value(data: dict[str, Any] = DEFINITIONS, **fields: Any) -> bytes:
    """The value of a `definitions` record."""
    compiled = compile_definitions(data)
    record = DefinitionsRecord(
        type="definitions",
        definitions=compiled.canonical,
        hash=compiled.hash,
        number=1,
        semantics=SEMANTICS_VERSION,
        tzdata="2024.2",
    )
    return encode_record(record.model_copy(update=fields))


def value_of(kind: str, contact_id: str, event_id: str, at_ms: int, **fields: Any) -> bytes:
    """The value of a record about a contact."""
    body = {"type": kind, "event_id": event_id, "contact_id": contact_id, "occurred_at": format_instant(at_ms)}
    return json.dumps(body | fields).encode()


class LogWriter:
    """Writes a partition's log, record by record, each a little later than the one before."""

    def __init__(self, *, definitions: bytes | None = None) -> None:
        self.records: list[RawRecord] = []
        self.now_ms = START
        self.append(None, definitions_value() if definitions is None else definitions)

    def append(self, key: bytes | None, value: bytes | None, after_ms: int = 0) -> None:
        """Append raw bytes, `after_ms` after the last record."""
        self.now_ms += after_ms
        self.records.append(RawRecord(len(self.records), self.now_ms, key, value))

    def record(self, kind: str, contact_id: str, after_ms: int = 0, late_ms: int = 0, **fields: Any) -> None:
        """Append a record about a contact, which happened `late_ms` before it is appended."""
        event_id = fields.pop("event_id", f"e{len(self.records)}")
        at_ms = self.now_ms + after_ms - late_ms
        self.append(contact_id.encode(), value_of(kind, contact_id, event_id, at_ms, **fields), after_ms)

    def track(self, event: str, contact_id: str, after_ms: int = 0, **fields: Any) -> None:
        """Append an event of a contact."""
        self.record("track", contact_id, after_ms, event=event, **fields)

    def tick(self, after_ms: int) -> None:
        """Append a tick."""
        self.append(None, b'{"type":"tick"}', after_ms)


def busy_log(seed: int, records: int, contacts: int = 25, partition: int = 0, partitions: int = 1) -> list[RawRecord]:
    """A log with a bit of everything: events, traits, duplicates, late ones, erasures, ticks and bad records."""
    chance = random.Random(seed)
    ids = [
        name for n in range(contacts * partitions * 2) if partition_of(name := f"contact-{n}", partitions) == partition
    ]
    writer = LogWriter()
    while len(writer.records) < records:
        contact = chance.choice(ids[:contacts])
        after_ms = chance.choice([0, 0, 1, 250, 3 * SECOND, 40 * SECOND])
        roll = chance.random()
        if roll < 0.70:
            event = chance.choice(["email_open", "email_open", "cart_add", "purchase", "page_view"])
            writer.track(event, contact, after_ms, late_ms=chance.choice([0, 0, 0, 90 * SECOND, -5 * MINUTE]))
        elif roll < 0.80:
            writer.record("identify", contact, after_ms, traits={"plan": chance.choice(["paid", "free", None])})
        elif roll < 0.84:
            known = f"e{chance.randrange(len(writer.records))}"
            writer.track("email_open", contact, after_ms, event_id=known)
        elif roll < 0.88:
            writer.record("erase", contact, after_ms)
        elif roll < 0.92:
            writer.tick(chance.choice([0, 20 * MINUTE, 3 * HOUR]))
        elif roll < 0.96:
            writer.append(contact.encode(), chance.choice([b"{", b"", b'{"type":"nonsense"}', b"[]"]), after_ms)
        else:
            writer.append(b"somebody-else", value_of("erase", contact, "x", writer.now_ms), after_ms)
    writer.tick(HOUR)
    return writer.records


def edited(**segments: Any) -> dict[str, Any]:
    """The definitions with other segments; None removes one."""
    data = copy.deepcopy(DEFINITIONS)
    for name, body in segments.items():
        if body is None:
            del data["segments"][name]
        else:
            data["segments"][name] = body
    return data


OFTEN = {"when": {"performed": {"event": "email_open", "within": "5m", "at_least": 3}}}
EVER = {"when": {"performed": {"event": "cart_add"}}}


def changing_log(seed: int, records: int) -> list[RawRecord]:
    """A busy log in which definitions change now and then, back and forth."""
    texts = [
        edited(active=OFTEN),
        edited(ever=EVER, hot=None),
        DEFINITIONS,
        edited(abandoned=None, active=None),
        edited(ever=EVER),
    ]
    busy, chance = busy_log(seed, records), random.Random(seed)
    places = sorted(chance.sample(range(1, len(busy)), len(texts)))
    log: list[RawRecord] = []
    for record in busy:
        if record.offset in places:
            number = places.index(record.offset)
            value = definitions_value(texts[number], number=number + 2, silent=number == 2)
            log.append(RawRecord(0, record.timestamp_ms, None, value))
        log.append(record)
    return [record._replace(offset=offset) for offset, record in enumerate(log)]


def cut(records: Sequence[RawRecord], seed: int, most: int) -> list[list[RawRecord]]:
    """The records in batches of random size."""
    chance = random.Random(seed)
    batches = []
    place = 0
    while place < len(records):
        size = chance.randint(1, most)
        batches.append(list(records[place : place + size]))
        place += size
    return batches
