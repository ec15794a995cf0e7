"""Topics, headers, partitions and names that more than one program must agree on."""

from __future__ import annotations

from typing import Final, NamedTuple

TRACKING: Final = "tracking"
TRANSITIONS: Final = "transitions"
DEAD_LETTER: Final = "tracking.dead_letter"
LISTS: Final = "lists"
KEYS: Final = "keys"

HEADER_PARTITION: Final = "partition"
"""Partition of `tracking` that the transition came from; equals the partition it lies in."""
HEADER_SEQ: Final = "seq"
"""Contiguous per partition and epoch: 1, 2, 3…"""
HEADER_EPOCH: Final = "epoch"
"""Raised by an operator when a partition's log was replaced; consumers' gates are per epoch."""
HEADER_POSITION: Final = "position"
"""`OFFSET.INDEX`: the record of `tracking`, and the place among the transitions which that record caused."""
HEADER_TRANSITION_ID: Final = "transition_id"

DEAD_LETTER_TOPIC: Final = "segue_dlq.original_topic"
DEAD_LETTER_PARTITION: Final = "segue_dlq.original_partition"
DEAD_LETTER_OFFSET: Final = "segue_dlq.original_offset"
DEAD_LETTER_TIMESTAMP: Final = "segue_dlq.original_timestamp"
DEAD_LETTER_TIMESTAMP_TYPE: Final = "segue_dlq.original_timestamp_type"
DEAD_LETTER_GROUP: Final = "segue_dlq.original_consumer_group"
DEAD_LETTER_REASON: Final = "segue_dlq.reason"
DEAD_LETTER_DETAIL: Final = "segue_dlq.detail"


class Names(NamedTuple):
    """Names under one namespace: topics and groups are prefixed `NAMESPACE.`, Redis keys `NAMESPACE:`."""

    namespace: str

    def _dotted(self, name: str) -> str:
        return f"{self.namespace}.{name}" if self.namespace else name

    @property
    def tracking(self) -> str:
        return self._dotted(TRACKING)

    @property
    def transitions(self) -> str:
        return self._dotted(TRANSITIONS)

    @property
    def dead_letter(self) -> str:
        return self._dotted(DEAD_LETTER)

    @property
    def lists(self) -> str:
        return self._dotted(LISTS)

    @property
    def keys(self) -> str:
        return self._dotted(KEYS)

    def group(self, role: str) -> str:
        """The consumer group of a role such as `worker` or `webhook`."""
        return self._dotted(f"segue-{role}")

    def key(self, partition: int, *parts: str) -> str:
        """A Redis key of a partition; the braces keep one partition in one slot of a cluster."""
        prefix = f"{self.namespace}:" if self.namespace else ""
        return ":".join((f"{prefix}{{tracking-{partition}}}", *parts))

    def shared_key(self, *parts: str) -> str:
        """A Redis key that belongs to no partition."""
        prefix = f"{self.namespace}:" if self.namespace else ""
        return prefix + ":".join(("segue", *parts))


def position_name(partition: int, offset: int) -> str:
    """How a transition's cause names a record: `tracking-3@1042`."""
    return f"{TRACKING}-{partition}@{offset}"


def murmur2(key: bytes) -> int:
    """Kafka's murmur2 hash with its seed, as an unsigned 32-bit number (Java client, `Utils.murmur2`)."""
    mask, mixer = 0xFFFFFFFF, 0x5BD1E995
    length = len(key)
    digest = (0x9747B28C ^ length) & mask
    whole = length & ~3
    for index in range(0, whole, 4):
        word = int.from_bytes(key[index : index + 4], "little") * mixer & mask
        word = (word ^ (word >> 24)) * mixer & mask
        digest = (digest * mixer & mask) ^ word
    if length & 3:
        digest = (digest ^ int.from_bytes(key[whole:], "little")) * mixer & mask
    digest = (digest ^ (digest >> 13)) * mixer & mask
    return digest ^ (digest >> 15)


def partition_of(contact_id: str, partitions: int) -> int:
    """The partition of a contact, as Kafka's default partitioner and librdkafka's `murmur2_random` have it."""
    return (murmur2(contact_id.encode()) & 0x7FFFFFFF) % partitions
