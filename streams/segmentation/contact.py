"""One contact's state: what the definitions need to know of its past, and nothing more.

The state that is kept is a function of the contact's records alone; truths and instants of flips are
derived from it and are computed anew when it is decoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from schemas.instants import LAST_INSTANT_MS
from streams.segmentation.quantities import NEVER

_ID_BYTES = 16
_ENTRY_BYTES = _ID_BYTES + 6
MAX_IDS = 10_000
"""Applied event ids that a contact remembers; past that the earliest applied goes."""


def id_digest(event_id: str) -> bytes:
    """How an applied event id is remembered."""
    return hashlib.blake2b(event_id.encode(), digest_size=_ID_BYTES).digest()


class AppliedIds:
    """Ids of applied records with the clock at which each was applied, earliest first.

    One flat array of 22 bytes an id (16 of a hash, 6 of the clock): membership is one search in memory,
    and storing it is copying it.
    """

    __slots__ = ("entries",)

    def __init__(self, entries: bytes = b"") -> None:
        self.entries = bytearray(entries)

    def holds(self, digest: bytes, now_ms: int, horizon_ms: int) -> bool:
        """Whether the id was applied at most `horizon_ms` before `now_ms`."""
        entries = self.entries
        place = entries.find(digest)
        while place >= 0:
            at_entry, within = divmod(place, _ENTRY_BYTES)
            if within == 0:
                start = at_entry * _ENTRY_BYTES + _ID_BYTES
                if now_ms - int.from_bytes(entries[start : start + 6], "big") <= horizon_ms:
                    return True
            place = entries.find(digest, place + 1)
        return False

    def applied_ms(self, digest: bytes) -> int | None:
        """The clock at which the id was last applied; None where it is not remembered."""
        entries = bytes(self.entries)
        for start in range(len(entries) - _ENTRY_BYTES, -1, -_ENTRY_BYTES):
            if entries.startswith(digest, start):
                return int.from_bytes(entries[start + _ID_BYTES : start + _ENTRY_BYTES], "big")
        return None

    @staticmethod
    def largest() -> bytes:
        """The ids of a contact that remembers as many as one may."""
        return bytes(MAX_IDS * _ENTRY_BYTES)

    def forget(self, now_ms: int, horizon_ms: int) -> None:
        """Forget ids whose horizon is over."""
        entries = self.entries
        end = 0
        while end < len(entries):
            if now_ms - int.from_bytes(entries[end + _ID_BYTES : end + _ENTRY_BYTES], "big") <= horizon_ms:
                break
            end += _ENTRY_BYTES
        if end:
            del entries[:end]

    def add(self, digest: bytes, now_ms: int, horizon_ms: int) -> None:
        """Remember the id, and forget those whose horizon is over."""
        self.forget(now_ms, horizon_ms)
        entries = self.entries
        entries += digest + now_ms.to_bytes(6, "big")
        if len(entries) > MAX_IDS * _ENTRY_BYTES:
            del entries[: len(entries) - MAX_IDS * _ENTRY_BYTES]


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


_decoder = msgspec.msgpack.Decoder(StoredContact, ext_hook=_long_number)
_encoder = msgspec.msgpack.Encoder()


def decode_stored(raw: bytes) -> StoredContact:
    """The stored form in `raw`."""
    return _decoder.decode(raw)


def encode_stored(stored: StoredContact) -> bytes:
    """The bytes of a stored contact: the same for the same contact, always."""
    try:
        return _encoder.encode(stored)
    except OverflowError:
        return _encoder.encode(msgspec.structs.replace(stored, facts=_lengthened(stored.facts)))


class Slots(dict[int, Any]):
    """What each unit keeps of a contact's past. Units that have seen nothing of it yet take no room."""

    __slots__ = ("_fresh",)

    def __init__(self, fresh: Sequence[Callable[[], Any]]) -> None:
        """`fresh` makes, by unit, the slot of a contact of whom nothing is known."""
        super().__init__()
        self._fresh = fresh

    def __missing__(self, index: int) -> Any:
        return self._fresh[index]()


class Contact:
    """A contact as the core works on it. Make one with `Core.new` or `Core.decode`."""

    __slots__ = (
        "applied_ids",
        "as_of_ms",
        "bits",
        "contact_id",
        "courses",
        "created_by",
        "erased",
        "exists",
        "facts",
        "flips",
        "key",
        "known_since_ms",
        "next_due",
        "sequences",
        "since_ms",
        "slots",
    )

    def __init__(self, key: str, contact_id: str | None, erased: Erased | None = None) -> None:
        self.key = key
        self.contact_id = contact_id
        """None where nothing but an erasure's remains is left."""
        self.exists = False
        self.erased = erased
        self.created_by = ""
        self.known_since_ms = 0
        self.as_of_ms = 0
        self.applied_ids = AppliedIds()
        self.sequences: dict[int, int] = {}
        """By segment that it was ever in: transitions so far. Odd: the contact is a member."""
        self.since_ms: dict[int, int] = {}
        """By segment that it was ever in: `effective_at` of the last transition."""
        self.slots = Slots(())
        """By unit: what its conditions keep of the past."""
        self.facts: dict[str, tuple[int, Any]] = {}
        """`trait:NAME`, `consent:PURPOSE` or `list:NAME` -> (event time, value); a value of None is a removal."""
        self.bits = 0
        """Truth of every leaf condition and every membership, as bits."""
        self.flips: dict[int, int] = {}
        """By unit: the next instant at which one of its leaves may flip; absent where none can."""
        self.courses: dict[int, Any] = {}
        """By unit: how its score goes from here on, as far as this step has asked."""
        self.next_due: int | None = None
        """The next instant at which something changes if nothing else comes, in ms; None: never."""

    def schedule(self, purge_after_ms: int) -> None:
        """Set `next_due` from the flips, and from the end of an erasure's remains."""
        due = min(self.flips.values()) if self.flips else NEVER
        if self.erased is not None:
            due = min(due, self.erased.clock_ms + purge_after_ms + 1)
        self.next_due = None if due > LAST_INSTANT_MS else due
