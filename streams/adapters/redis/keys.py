"""Where a partition's state lies in Redis. Nothing else builds these names, but for the prefixes' ends in Lua."""

from __future__ import annotations

import re
from typing import NamedTuple

from schemas.topics import Names

STATE_FORMAT = 5
"""Number of the format of all that is stored, of a state that is begun now. State of a higher number is refused."""

OLDEST_FORMAT = 3
"""Readable as it is: from this number on a state is worked on as of today, and keeps its number until it is built anew.

To be raised where contacts' states of an older number could not be decoded, or would not come out the same."""

OLDEST_BUILT_FROM = 3
"""Readable by building: from this number up to `OLDEST_FORMAT` the partition's owner builds the state anew, and takes
over from the old one what the log does not say, or what tells whether both agree: meta, outbox, members, when the next
timer is due, and of each contact's state what `segmentation/succession.py` reads of it.

State of a lower number is folded again in its place, from the start of the log."""


class StateFormats(NamedTuple):
    """Which formats a program writes and reads; others than ours in tests only."""

    newest: int = STATE_FORMAT
    as_it_is: int = OLDEST_FORMAT
    by_building: int = OLDEST_BUILT_FROM


OUR_FORMATS = StateFormats()


class StateKeys(NamedTuple):
    """Keys of one partition under one generation of its state."""

    names: Names
    partition: int
    generation: int
    is_build: bool = False

    @property
    def meta(self) -> str:
        """Hash: fence, cursor, clock, definitions; see `lua/take.lua`. The same for every generation that served.

        Of a build it is a hash of its own, see `lua/build.lua`.
        """
        return self.names.key(self.partition, "build" if self.is_build else "meta")

    @property
    def timers(self) -> str:
        """Sorted set: contact keys by next due instant in ms."""
        return self._key("timers")

    @property
    def outbox(self) -> str:
        """Stream: transitions on their way to Kafka, id `SEQ-0`."""
        return self._key("outbox")

    @property
    def sizes(self) -> str:
        """Hash: members by segment."""
        return self._key("sizes")

    @property
    def contact_prefix(self) -> str:
        """Prefix of the contacts' keys; the contact's key follows."""
        return self._key("contact", "")

    @property
    def members_prefix(self) -> str:
        """Prefix of the members' keys; the segment's name follows. Sorted sets: contact ids by instant of entry."""
        return self._key("members", "")

    def contact(self, key: str) -> str:
        """String: a contact's state as the core encodes it."""
        return self.contact_prefix + key

    def members(self, segment: str) -> str:
        """Sorted set: ids of a segment's members by the instant of their entry in ms."""
        return self.members_prefix + segment

    @property
    def built(self) -> str:
        """List: contact keys of a build, 16 bytes each, those of a commit in one element. Gone when it serves."""
        return self._key("built")

    @property
    def staged(self) -> str:
        """String: there while a copy of a state is made under this generation, gone when it serves or is given up."""
        return self._key("staged")

    @property
    def all_generations(self) -> str:
        """Pattern of the keys of every generation."""
        return self.names.key(self.partition, "g*")

    def is_older(self, key: bytes) -> bool:
        """Whether a key of that pattern belongs to a generation before this one.

        Later ones are no leftovers: a snapshot may be on its way back (see `restore.py`).
        """
        found = _GENERATION.search(key)
        return found is not None and int(found.group(1)) < self.generation

    def _key(self, *parts: str) -> str:
        return self.names.key(self.partition, f"g{self.generation}", *parts)


class PlacedKey(NamedTuple):
    """A key of some generation of some partition, taken apart."""

    partition: int
    generation: int
    kind: str  # `timers`, `contact`…
    rest: bytes  # a contact's key, a segment's name, or nothing


def all_partitions(names: Names) -> str:
    """Pattern of the keys of every generation of every partition."""
    return names.key(0, "g*").replace("{tracking-0}", "{tracking-*}")


def placed_key(key: bytes) -> PlacedKey | None:
    """The parts of a key; None for one that is not of a generation."""
    found = _PLACED.search(key)
    if found is None:
        return None
    partition, generation, kind, rest = found.groups()
    return PlacedKey(int(partition), int(generation), kind.decode(), rest or b"")


_GENERATION = re.compile(rb"\}:g(\d+):")
_PLACED = re.compile(rb"\{tracking-(\d+)\}:g(\d+):([a-z]+)(?::(.*))?$", re.DOTALL)
