"""Which server of Redis holds a key: of one server it is that one, of a cluster the master of the key's hash slot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.crc import key_slot

from schemas.redis_access import Node

SLOTS_COMMAND = ("CLUSTER", "SLOTS")


class SlotRange(NamedTuple):
    """Slots that one master holds."""

    first: int
    last: int
    node: Node


class SlotMap(NamedTuple):
    """What a node of the cluster said of all slots."""

    ranges: tuple[SlotRange, ...]

    @property
    def masters(self) -> tuple[Node, ...]:
        """Every node that holds slots, once."""
        return tuple(dict.fromkeys(found.node for found in self.ranges))

    def node_of(self, key: str) -> Node | None:
        """Who holds a key; None while nobody does."""
        slot = key_slot(key.encode())
        return next((found.node for found in self.ranges if found.first <= slot <= found.last), None)


def read_slots(answer: Sequence[Sequence[Any]], asked: Node) -> SlotMap:
    """The map in the answer to `CLUSTER SLOTS`. A node that does not know its own address leaves it out."""
    ranges = []
    for first, last, master, *_replicas in answer:
        host, port = master[0], master[1]
        name = host.decode() if isinstance(host, bytes) else host
        ranges.append(SlotRange(int(first), int(last), Node(name or asked.host, int(port))))
    return SlotMap(tuple(sorted(ranges)))
