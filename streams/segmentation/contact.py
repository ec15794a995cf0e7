"""One contact's state: what the definitions need to know of its past, and nothing more.

The state that is kept is a function of the contact's records alone; truths and instants of flips are
derived from it and are computed anew when it is decoded.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from schemas.instants import LAST_INSTANT_MS
from streams.segmentation.quantities import NEVER
from streams.segmentation.slots import Slots
from streams.segmentation.stored import Erased, Recent

_ID_BYTES = 16
_ENTRY_BYTES = _ID_BYTES + 6
MAX_IDS = 10_000
"""Applied event ids that a contact remembers; past that the earliest applied goes."""
_GIVEN_UP_EVERY_MS = 5_000


def id_digest(event_id: str) -> bytes:
    """How an applied event id is remembered."""
    return hashlib.blake2b(event_id.encode(), digest_size=_ID_BYTES).digest()


class AppliedIds:
    """Ids of applied records with the clock at which each was applied, earliest first.

    One flat array of 22 bytes an id (16 of a hash, 6 of the clock): membership is one search in memory,
    and storing it is copying it.
    """

    __slots__ = ("_earliest_ms", "entries")

    def __init__(self, entries: bytes = b"") -> None:
        self.entries = bytearray(entries)
        self._earliest_ms = self._first_clock()

    def _first_clock(self) -> int:
        return int.from_bytes(self.entries[_ID_BYTES:_ENTRY_BYTES], "big") if self.entries else NEVER

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
        entries = self.entries
        place = entries.rfind(digest)
        while place >= 0:
            at_entry, within = divmod(place, _ENTRY_BYTES)
            if within == 0:
                start = at_entry * _ENTRY_BYTES + _ID_BYTES
                return int.from_bytes(entries[start : start + 6], "big")
            place = entries.rfind(digest, 0, place + _ID_BYTES - 1)
        return None

    @staticmethod
    def largest() -> bytes:
        """The ids of a contact that remembers as many as one may."""
        return bytes(MAX_IDS * _ENTRY_BYTES)

    def forget(self, now_ms: int, horizon_ms: int) -> None:
        """Forget ids whose horizon is over."""
        if now_ms - self._earliest_ms <= horizon_ms:
            return  # as it mostly is
        entries = self.entries
        end = 0
        while end < len(entries):
            if now_ms - int.from_bytes(entries[end + _ID_BYTES : end + _ENTRY_BYTES], "big") <= horizon_ms:
                break
            end += _ENTRY_BYTES
        if end:
            del entries[:end]
        self._earliest_ms = self._first_clock()

    def add(self, digest: bytes, now_ms: int, horizon_ms: int) -> None:
        """Remember the id, and forget those whose horizon is over."""
        self.forget(now_ms, horizon_ms)
        entries = self.entries
        entries += digest + now_ms.to_bytes(6, "big")
        if len(entries) == _ENTRY_BYTES:
            self._earliest_ms = now_ms
        elif len(entries) > MAX_IDS * _ENTRY_BYTES:
            del entries[: len(entries) - MAX_IDS * _ENTRY_BYTES]
            self._earliest_ms = self._first_clock()


class Standing(NamedTuple):
    """How a contact stands with a segment that it was ever in."""

    sequence: int
    """Transitions so far. Odd: it is a member."""
    since_ms: int
    """Since when, or since when it is none any more."""


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
        "history",
        "key",
        "known_since_ms",
        "linked_ids",
        "linked_to",
        "next_due",
        "recent",
        "retired",
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
        self.retired: dict[str, Standing] = {}
        """By segment that it was ever in and that is no more: how it stands there, never as a member."""
        self.history: list[int] = []
        """Of an anonymous contact: offsets of its records in the log, the newest last."""
        self.linked_to: str | None = None
        """To whom its records go, where it turned out to be somebody else."""
        self.linked_ids: list[str] = []
        """Contacts that turned out to be this one."""
        self.slots = Slots(())
        """By unit: what its conditions keep of the past."""
        self.facts: dict[str, tuple[int, Any]] = {}
        """`trait:NAME`, `consent:PURPOSE` or `list:NAME` -> (event time, value); a value of None is a removal."""
        self.recent: Recent | None = None
        """What of it can be corrected; None where nothing can."""
        self.bits = 0
        """Truth of every leaf condition and every membership, as bits."""
        self.flips: dict[int, int] = {}
        """By unit: the next instant at which one of its leaves may flip; absent where none can."""
        self.courses: dict[int, Any] = {}
        """By unit: how its score goes from here on, as far as this step has asked."""
        self.next_due: int | None = None
        """The next instant at which something changes if nothing else comes, in ms; None: never."""

    def schedule(self, purge_after_ms: int, correct_within_ms: int) -> None:
        """Set `next_due` from the flips, from the end of an erasure's remains, and of what can be corrected."""
        due = NEVER
        for flip_ms in self.flips.values():
            due = min(due, flip_ms)
        if self.erased is not None:
            due = min(due, self.erased.clock_ms + purge_after_ms + 1)
        if self.recent is not None:
            due = min(due, _given_up(self.recent, correct_within_ms))
        self.next_due = None if due > LAST_INSTANT_MS else due


def _given_up(recent: Recent, correct_within_ms: int) -> int:
    """When nothing of it can be corrected any more.

    Nothing shows at which instant it goes once it is over; that many contacts share one spares ticks.
    """
    last_ms = max(each[-1].clock_ms for each in (recent.events, recent.awaited) if each)
    return -(-(last_ms + correct_within_ms + 1) // _GIVEN_UP_EVERY_MS) * _GIVEN_UP_EVERY_MS
