"""The load of a run: what contacts do, drawn from the seed, and a journal of what the broker took."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

from schemas.instants import format_instant
from schemas.topics import partition_of
from streams.ports import Message
from tests.engine.stories import DEFINITIONS, EVER, OFTEN, definitions_value, edited
from tests.simulation.broker import Broker

_EVENTS = ("email_open", "email_open", "cart_add", "purchase", "page_view")
_BAD = (b"{", b"", b'{"type":"nonsense"}', b"[]", None)
_TRY_AGAIN_S = 0.2
_DESCRIBED = edited(hot=DEFINITIONS["segments"]["hot"] | {"description": "Opens and buys.", "tags": ["now"]})
TEXTS: tuple[dict[str, Any], ...] = (
    DEFINITIONS,
    _DESCRIBED,
    edited(active=OFTEN),
    edited(ever=EVER, hot=None),
    edited(abandoned=None, active=None),
    edited() | {"deduplicate": "5s"},
)
"""What definitions change to."""


class Load:
    """Appends records to `tracking`, as the collector does; waits while the broker is away."""

    def __init__(self, broker: Broker, seed: str, contacts: int, changes: int) -> None:
        """`changes`: how often other definitions are applied."""
        self._broker = broker
        self.changes = changes
        self._applied = 1
        self._changing = random.Random(f"{seed}/changes")
        self._chance = random.Random(f"{seed}/load")
        self._contacts = [f"contact-{number}" for number in range(contacts)]
        self._devices = [f"anon:{number}" for number in range(max(1, contacts // 3))]
        self._number = 0
        self.journal: list[tuple[int, int, bytes | None]] = []
        """Partition, offset and value of everything that was acknowledged."""

    def open_log(self) -> None:
        """Put the definitions at the start of every partition."""
        for partition in range(self._broker.partitions):
            self._append(partition, None, definitions_value(DEFINITIONS))

    async def run(self, records: int) -> None:
        """Append this many records, at drawn distances of time."""
        places = self._changing.choices(range(records), k=self.changes)
        for number in range(records):
            for _ in range(places.count(number)):
                await self._apply()
            await asyncio.sleep(self._chance.choice((0.0, 0.0, 0.0, 0.01, 0.3, 1.0, 6.0)))
            await self._until_there()
            self._append(*(self._link() if self._chance.random() < 0.06 else self._record()))

    async def _apply(self) -> None:
        """Append definitions to all partitions, as `segue apply` does: one after the other, and some twice."""
        chance = self._changing
        self._applied += 1
        value = definitions_value(chance.choice(TEXTS), number=self._applied, silent=chance.random() < 0.2)
        for partition in range(self._broker.partitions):
            for _ in range(chance.choice((1, 1, 1, 2))):
                await self._until_there()
                self._append(partition, None, value)
            await asyncio.sleep(chance.choice((0.0, 0.0, 0.5, 5.0)))

    async def _until_there(self) -> None:
        while self._broker.network.away:
            await asyncio.sleep(_TRY_AGAIN_S)

    async def tick(self) -> None:
        """Let every partition learn the time."""
        for partition in range(self._broker.partitions):
            self._append(partition, None, b'{"type":"tick"}')

    def missing(self) -> list[str]:
        """What was acknowledged and is not in the log."""
        return [
            f"partition {partition}: record {offset} was acknowledged and is not in the log"
            for partition, offset, value in self.journal
            if self._broker.log(self._broker.names.tracking, partition).messages[offset].value != value
        ]

    def _append(self, partition: int, key: bytes | None, value: bytes | None) -> None:
        offset = self._broker.append(Message(self._broker.names.tracking, partition, key, value))
        self.journal.append((partition, offset, value))

    def _record(self) -> tuple[int, bytes | None, bytes | None]:
        chance = self._chance
        contact = chance.choice(self._contacts if chance.random() < 0.7 else self._devices)
        partition, key = partition_of(contact, self._broker.partitions), contact.encode()
        roll = chance.random()
        if roll < 0.72:
            return partition, key, self._value("track", contact, event=chance.choice(_EVENTS))
        if roll < 0.82:
            return partition, key, self._value("identify", contact, traits={"plan": chance.choice(("paid", "free"))})
        if roll < 0.86:
            return partition, key, self._value("track", contact, event="email_open", again=True)
        if roll < 0.90:
            return partition, key, self._value("erase", contact)
        if roll < 0.95:
            return partition, key, chance.choice(_BAD)
        return partition, b"somebody-else", self._value("track", contact, event="purchase")

    def _link(self) -> tuple[int, bytes | None, bytes | None]:
        device, known = self._chance.choice(self._devices), self._chance.choice(self._contacts)
        partition = partition_of(device, self._broker.partitions)
        return partition, device.encode(), self._value("link", device, to=known)

    def _value(self, kind: str, contact: str, *, again: bool = False, **fields: Any) -> bytes:
        self._number += 1
        number = self._chance.randrange(self._number) if again else self._number
        shift_ms = self._chance.choice((0, 0, 0, -90_000, 30_000))
        body = {
            "type": kind,
            "event_id": f"e{number}",
            "contact_id": contact,
            "occurred_at": format_instant(self._broker.now_ms() + shift_ms),
        }
        return json.dumps(body | fields).encode()
