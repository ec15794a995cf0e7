"""The stored form of a contact: the same bytes for the same contact, always."""

from __future__ import annotations

from typing import Any

import msgspec


class Erased(msgspec.Struct, array_like=True, frozen=True):
    """What is left of an erasure: records with an event time up to `at_ms` are dropped until it is purged."""

    at_ms: int
    clock_ms: int


class StoredContact(msgspec.Struct, array_like=True):
    """The stored form of a contact."""

    contact_id: str | None
    created_by: str
    known_since_ms: int
    as_of_ms: int
    applied_ids: bytes
    moves: dict[int, tuple[int, int]]
    """By segment that it was ever in: transitions so far, and the last one's instant after `known_since_ms`."""
    slots: dict[int, Any]
    """By unit that has seen something of it."""
    facts: dict[str, tuple[int, Any]]
    erased: Erased | None


class StoredHeir(StoredContact, array_like=True):
    """The stored form of a contact that was in segments which are no more."""

    retired: dict[str, tuple[int, int]] = {}
    """By name of such a segment: as `moves`. It goes on from there if the segment comes back."""


class RecentEvent(msgspec.Struct, array_like=True):
    """An event that was applied lately, as far as conditions and scores look at it."""

    digest: bytes
    """Of its event id."""
    event: str
    number: int
    """Its place among the contact's events, counted from the oldest one that is kept here."""
    at_ms: int
    clock_ms: int
    suspected: bool
    content: bytes
    """Its properties and its context, packed; empty where there is nothing to look at."""


class AwaitedMark(msgspec.Struct, array_like=True, frozen=True):
    """A correction that came before its event."""

    digest: bytes
    """Of the event's id."""
    suspected: bool
    clock_ms: int


class Recent(msgspec.Struct, array_like=True):
    """What of a contact can be corrected: its events of late, and what it was before them."""

    base: bytes
    """Slots as they were before the oldest of these events, packed; only of units that an event can touch which can be
    corrected."""
    count: int
    """Events of any name applied since, the oldest here included."""
    events: list[RecentEvent]
    """In the order in which they were applied. The oldest one can be corrected."""
    awaited: list[AwaitedMark]
    """In the order in which they came."""


class StoredCorrectable(StoredHeir, array_like=True):
    """The stored form of a contact of whom something can be corrected."""

    recent: Recent | None = None


class StoredParty(StoredCorrectable, array_like=True):
    """The stored form of a contact that is anonymous, or was linked with another one."""

    history: bytes = b""
    """Offsets of its records, each as the difference to the one before, 7 bits a byte, the last with the top bit."""
    linked_to: str | None = None
    linked_ids: list[str] = []


_PLAIN_FIELDS = len(StoredContact.__struct_fields__)
_LONG_NUMBER = 1
"""Code of the extension for whole numbers that do not fit into 64 bits, which somebody may send as a trait."""


def _lengthened(value: Any) -> Any:
    """The value with its long numbers as extensions."""
    if isinstance(value, dict):
        return {key: _lengthened(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_lengthened(each) for each in value]
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return msgspec.msgpack.Ext(_LONG_NUMBER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
    return value


def _long_number(code: int, packed: memoryview) -> int:
    assert code == _LONG_NUMBER, "no other extension is stored"
    return int.from_bytes(packed, "big", signed=True)


_decoder = msgspec.msgpack.Decoder(StoredParty, ext_hook=_long_number)
_encoder = msgspec.msgpack.Encoder()
_unpacker = msgspec.msgpack.Decoder(ext_hook=_long_number)


def pack_offsets(offsets: list[int]) -> bytes:
    """Rising offsets in few bytes; see `StoredParty.history`."""
    packed, before = bytearray(), 0
    for offset in offsets:
        rest = offset - before
        before = offset
        while rest > 127:
            packed.append(rest & 127)
            rest >>= 7
        packed.append(rest | 128)
    return bytes(packed)


def unpack_offsets(packed: bytes) -> list[int]:
    """What `pack_offsets` has packed."""
    offsets: list[int] = []
    at = rest = shift = 0
    for byte in packed:
        rest |= (byte & 127) << shift
        shift += 7
        if byte & 128:
            at += rest
            offsets.append(at)
            rest = shift = 0
    return offsets


def decode_stored(raw: bytes) -> StoredParty:
    """The stored form in `raw`, of any contact."""
    return _decoder.decode(raw)


def encode_stored(stored: StoredContact) -> bytes:
    """The bytes of a stored contact: the same for the same contact, always."""
    try:
        return _encoder.encode(_without_rest(stored))
    except OverflowError:
        return _encoder.encode(_without_rest(msgspec.structs.replace(stored, facts=_lengthened(stored.facts))))


def _without_rest(stored: StoredContact) -> Any:
    """What is to be encoded: of the parts that few contacts have, none past the last one that this one has."""
    if type(stored) is StoredContact:
        return stored
    parts = list(msgspec.structs.astuple(stored))
    while len(parts) > _PLAIN_FIELDS and not parts[-1]:
        parts.pop()
    return parts


def pack(value: Any) -> bytes:
    """The bytes of a plain value."""
    try:
        return _encoder.encode(value)
    except OverflowError:
        return _encoder.encode(_lengthened(value))


def unpack(packed: bytes) -> Any:
    """The plain value in `packed`."""
    return _unpacker.decode(packed)
