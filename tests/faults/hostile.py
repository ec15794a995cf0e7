"""Records that somebody sends to do harm, or by mistake, among records of contacts that mean well."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from schemas.instants import format_instant
from schemas.topics import partition_of
from tests.faults.tracks import track

_EVENTS = ("page_view", "email_open", "email_click", "cart_add", "purchase", "unsubscribe")
_MEGABYTE = 1_000_000


class Sent(NamedTuple):
    """A record, and the partition that it is put into."""

    partition: int
    key: bytes | None
    value: bytes | None


class Mixture:
    """Draws records, two of five of them hostile; all of one seed are the same always."""

    def __init__(self, seed: int, partitions: int, contacts: int) -> None:
        self._chance = random.Random(seed)
        self._partitions = partitions
        self._contacts = contacts
        self._number = 0
        self._large = 12
        """So many records of a megabyte, and no more."""
        self._kinds: list[Callable[[str, int], Sent]] = [
            self._random_bytes, self._cut_short, self._not_utf8, self._nested, self._null, self._empty,
            self._huge_number, self._not_a_number, self._wrong_key, self._wrong_partition, self._no_key,
            self._large_text, self._large_list, self._keys_twice, self._lone_surrogate, self._control_characters,
            self._long_id, self._wrong_types, self._foreign_definitions, self._tick_with_key, self._many_fields,
        ]  # fmt: skip

    def draw(self, at_ms: int) -> Sent:
        """The next record, which happens at `at_ms`."""
        self._number += 1
        contact_id = f"contact-{self._chance.randrange(self._contacts)}"
        if self._chance.random() < 0.4:
            return self._chance.choice(self._kinds)(contact_id, at_ms)
        return self._of(contact_id, self._good(contact_id, at_ms))

    def _of(self, contact_id: str, value: bytes | None) -> Sent:
        return Sent(partition_of(contact_id, self._partitions), contact_id.encode(), value)

    def _good(self, contact_id: str, at_ms: int, **fields: Any) -> bytes:
        return track(contact_id, self._chance.choice(_EVENTS), f"e{self._number}", at_ms, **fields)

    # --- what is no record -----------------------------------------------------------------------------

    def _random_bytes(self, contact_id: str, _at_ms: int) -> Sent:
        return self._of(contact_id, self._chance.randbytes(self._chance.randint(1, 3_000)))

    def _cut_short(self, contact_id: str, at_ms: int) -> Sent:
        value = self._good(contact_id, at_ms)
        return self._of(contact_id, value[: self._chance.randrange(1, len(value))])

    def _not_utf8(self, contact_id: str, at_ms: int) -> Sent:
        return self._of(contact_id, self._good(contact_id, at_ms).replace(b'"event_id"', b'"\xc3\x28":1,"event_id"'))

    def _nested(self, contact_id: str, at_ms: int) -> Sent:
        depth = self._chance.choice([20, 200, 900, 5_000, 100_000])
        value = self._good(contact_id, at_ms)[:-1] + b',"properties":{"a":' + b"[" * depth + b"]" * depth + b"}}"
        return self._of(contact_id, value)

    def _null(self, contact_id: str, _at_ms: int) -> Sent:
        return self._of(contact_id, None)

    def _empty(self, contact_id: str, _at_ms: int) -> Sent:
        return self._of(contact_id, self._chance.choice([b"", b" ", b"{}", b"[]", b"null", b'"text"', b"0"]))

    # --- records of odd content ------------------------------------------------------------------------

    def _huge_number(self, contact_id: str, at_ms: int) -> Sent:
        number = self._chance.choice(
            [b"1" + b"0" * 400, b"1e308", b"1e400", b"-1e-400", b"18446744073709551616", b"-0"]
        )
        return self._of(contact_id, self._good(contact_id, at_ms)[:-1] + b',"properties":{"value":' + number + b"}}")

    def _not_a_number(self, contact_id: str, at_ms: int) -> Sent:
        word = self._chance.choice([b"NaN", b"Infinity", b"-Infinity", b"01", b"0x1", b"1_000"])
        return self._of(contact_id, self._good(contact_id, at_ms)[:-1] + b',"properties":{"value":' + word + b"}}")

    def _large_text(self, contact_id: str, at_ms: int) -> Sent:
        return self._of(contact_id, self._good(contact_id, at_ms, properties={"value": "x" * self._size()}))

    def _large_list(self, contact_id: str, at_ms: int) -> Sent:
        return self._of(contact_id, self._good(contact_id, at_ms, properties={"value": [1] * (self._size() // 4)}))

    def _size(self) -> int:
        self._large -= 1
        return _MEGABYTE if self._large >= 0 else 2_000

    def _many_fields(self, contact_id: str, at_ms: int) -> Sent:
        return self._of(contact_id, self._good(contact_id, at_ms, **{f"field-{number}": {} for number in range(2_000)}))

    def _keys_twice(self, contact_id: str, at_ms: int) -> Sent:
        again = json.dumps({"event": "purchase", "occurred_at": format_instant(at_ms), "event_id": f"t{self._number}"})
        return self._of(contact_id, self._good(contact_id, at_ms)[:-1] + b"," + again.encode()[1:])

    def _lone_surrogate(self, contact_id: str, at_ms: int) -> Sent:
        name = self._chance.choice([b'"event_id":"\\ud800"', b'"contact_id":"c\\udfff"', b'"source":"\\ud83d"'])
        return self._of(contact_id, self._good(contact_id, at_ms)[:-1] + b"," + name + b"}")

    def _control_characters(self, contact_id: str, at_ms: int) -> Sent:
        odd_id = contact_id + self._chance.choice(
            ["\x00", "\n\r", "\x1b[31m", "\u202e", "{}", "'\"\\", " ", "\U0010ffff"]
        )
        return self._of(odd_id, track(odd_id, "page_view", f"\x00\x1f{self._number}", at_ms))

    def _long_id(self, _contact_id: str, at_ms: int) -> Sent:
        long_id = "\U0001f600" * self._chance.choice([256, 257, 5_000])
        return self._of(long_id, track(long_id, "page_view", f"e{self._number}", at_ms))

    def _wrong_types(self, contact_id: str, at_ms: int) -> Sent:
        field = self._chance.choice(["event_id", "contact_id", "event", "occurred_at", "properties", "machine", "type"])
        body: dict[str, Any] = json.loads(self._good(contact_id, at_ms))
        return self._of(
            contact_id, json.dumps(body | {field: self._chance.choice([None, 5, True, [], {}, ""])}).encode()
        )

    # --- records in the wrong place --------------------------------------------------------------------

    def _wrong_key(self, contact_id: str, at_ms: int) -> Sent:
        key = self._chance.choice([b"someone-else", contact_id.encode() + b"\x00", b"", b"\xff"])
        return self._of(contact_id, self._good(contact_id, at_ms))._replace(key=key)

    def _no_key(self, contact_id: str, at_ms: int) -> Sent:
        return self._of(contact_id, self._good(contact_id, at_ms))._replace(key=None)

    def _wrong_partition(self, contact_id: str, at_ms: int) -> Sent:
        sent = self._of(contact_id, self._good(contact_id, at_ms))
        return sent._replace(partition=(sent.partition + 1) % self._partitions)

    def _foreign_definitions(self, contact_id: str, _at_ms: int) -> Sent:
        body = {
            "type": "definitions",
            "definitions": "{}",
            "hash": "0" * 64,
            "number": 9,
            "semantics": 1,
            "tzdata": "x",
        }
        return self._of(contact_id, json.dumps(body).encode())._replace(key=None)

    def _tick_with_key(self, contact_id: str, _at_ms: int) -> Sent:
        return self._of(contact_id, b'{"type":"tick"}')
