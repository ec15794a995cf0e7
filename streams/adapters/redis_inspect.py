"""Looks at the state in Redis from outside, and lets an operator mend it: what `segue contact`, `status`, `fence`,
`epoch` and `--wait` of the senders do. Nothing here is part of a worker; calls block.

Every method raises `UnavailableError` when Redis is away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import redis

from schemas.errors import InputError
from schemas.redis_access import RedisAccess
from schemas.topics import Names
from streams.adapters.redis_blocking import BlockingRedis
from streams.adapters.redis_connection import Script
from streams.adapters.redis_generations import drop_generations
from streams.adapters.redis_keys import STATE_FORMAT, StateKeys
from streams.adapters.redis_state import as_text
from streams.ports import Cursor, Fence
from streams.sending.ports import Progress

_PARTITIONS_ASKED = 1_000
"""Partitions that are asked how many there are; a log of more is known by one of its first."""


@dataclass(frozen=True, slots=True)
class PartitionState:
    """What Redis holds of a partition, contacts aside."""

    partition: int
    owner: Fence
    cursor: Cursor
    clock_ms: int
    seq: int
    epoch: int
    definitions: str | None
    definitions_number: int
    timers: int
    timers_due: int
    earliest_due_ms: int | None
    outbox_entries: int
    sizes: dict[str, int]


class StoredContact(NamedTuple):
    """What Redis holds of a contact, and of its partition at the same moment."""

    raw: bytes | None  # None: nothing is stored
    due_ms: int | None
    clock_ms: int
    definitions: str | None
    offset: int  # of the next record to apply


class StateInspector:
    """What a command that runs once asks of Redis."""

    def __init__(self, access: RedisAccess, names: Names, *, timeout_ms: int = 5_000) -> None:
        self._names = names
        self._redis = BlockingRedis(access, timeout_ms)

    def close(self) -> None:
        """Let go of the connections."""
        self._redis.close()

    def partitions(self) -> int:
        """How many partitions the log has that was folded here. Raises `InputError` when none was."""
        # Any partition says it: another may be folded already where the first one is not.
        found = (self._meta_field(partition, "partitions") for partition in range(_PARTITIONS_ASKED))
        known = next(filter(None, found), None)
        if known is None:
            whose = (
                f"for namespace {self._names.namespace!r}" if self._names.namespace else "(no SEGUE_NAMESPACE is set)"
            )
            raise InputError(
                f"Redis at {self._redis.address} holds no state of a worker {whose}: start `segue worker`, or check "
                "SEGUE_REDIS_URL and SEGUE_NAMESPACE"
            )
        return int(known)

    def state(self, partition: int, now_ms: int) -> PartitionState | None:
        """The state of a partition; None where none is stored. Timers count as due when they are at `now_ms`."""
        keys = self._keys(partition)
        if keys is None:
            return None

        def look(client: redis.Redis) -> Any:
            pipeline = client.pipeline(transaction=True)
            pipeline.hgetall(keys.meta)
            pipeline.zcard(keys.timers)
            pipeline.zcount(keys.timers, "-inf", now_ms)
            pipeline.zrange(keys.timers, 0, 0, withscores=True)
            pipeline.xlen(keys.outbox)
            pipeline.hgetall(keys.sizes)
            return pipeline.execute()

        meta, timers, due, first, outbox, sizes = self._redis.ask(keys.meta, look)
        fields = as_text(meta)
        return PartitionState(
            partition=partition,
            owner=Fence(int(fields["fence_generation"]), fields["fence_member"]),
            cursor=Cursor(int(fields["offset"]), int(fields["steps"])),
            clock_ms=int(fields["clock"]),
            seq=int(fields["seq"]),
            epoch=int(fields["epoch"]),
            definitions=fields.get("definitions"),
            definitions_number=int(fields["definitions_number"]),
            timers=timers,
            timers_due=due,
            earliest_due_ms=int(first[0][1]) if first else None,
            outbox_entries=outbox,
            sizes={segment: int(size) for segment, size in as_text(sizes).items()},
        )

    def progress(self, partition: int) -> Progress | None:
        """How far a partition is folded and published; None where nothing is stored."""
        keys = self._keys(partition)
        if keys is None:
            return None

        def look(client: redis.Redis) -> Any:
            pipeline = client.pipeline(transaction=True)
            pipeline.hmget(keys.meta, "offset", "seq", "epoch")
            pipeline.xrange(keys.outbox, count=1)
            return pipeline.execute()

        (offset, seq, epoch), first = self._redis.ask(keys.meta, look)
        return Progress(int(offset), int(seq), int(epoch), int(first[0][1][b"offset"]) if first else None)

    def stored(self, partition: int, key: str) -> bytes | None:
        """What is stored of the contact with this key."""
        return self.contact(partition, key).raw

    def contact(self, partition: int, key: str) -> StoredContact:
        """What is stored of the contact with this key. Raises `InputError` when the state is of another format."""
        keys = self._keys(partition)
        if keys is None:
            return StoredContact(None, None, 0, None, 0)

        def look(client: redis.Redis) -> Any:
            pipeline = client.pipeline(transaction=True)
            pipeline.hmget(keys.meta, "clock", "definitions", "offset", "format")
            pipeline.get(keys.contact(key))
            pipeline.zscore(keys.timers, key)
            return pipeline.execute()

        (clock, definitions, offset, stored_format), raw, due = self._redis.ask(keys.meta, look)
        if stored_format is not None and int(stored_format) != STATE_FORMAT:
            raise _other_format(partition, int(stored_format))
        return StoredContact(
            raw,
            None if due is None else int(due),
            int(clock or 0),
            None if definitions is None else definitions.decode(),
            int(offset or 0),
        )

    def reset_fence(self, partition: int) -> Fence | None:
        """Let any generation take the partition; returns who had it, or None where nothing is stored."""
        meta = self._names.key(partition, "meta")

        def reset(client: Any) -> tuple[bytes, bytes] | None:
            generation, member = client.hmget(meta, "fence_generation", "fence_member")
            if generation is None:
                return None
            client.hset(meta, mapping={"fence_generation": 0, "fence_member": ""})
            return generation, member

        before = self._redis.ask(meta, reset)
        return None if before is None else Fence(int(before[0]), before[1].decode())

    def raise_epoch(self, partition: int) -> int | None:
        """Drop the partition's state, so that its log is folded from its start and published in a new epoch.

        Returns the new epoch, or None where nothing is stored.
        """
        meta = self._names.key(partition, "meta")
        build = self._names.key(partition, "build")
        word, *answer = self._redis.run(Script("start_over"), [meta, build], ["", "", "", STATE_FORMAT])
        if word != b"done":
            return None
        generation, epoch = (int(number) for number in answer)
        kept = StateKeys(self._names, partition, generation)
        self._redis.ask(meta, lambda client: drop_generations(client, {partition: kept}))
        return epoch

    def _keys(self, partition: int) -> StateKeys | None:
        generation = self._meta_field(partition, "generation")
        return None if generation is None else StateKeys(self._names, partition, int(generation))

    def _meta_field(self, partition: int, field: str) -> bytes | None:
        meta = self._names.key(partition, "meta")

        def look(client: Any) -> bytes | None:
            found: bytes | None = client.hget(meta, field)
            return found

        return self._redis.ask(meta, look)


def _other_format(partition: int, found: int) -> InputError:
    advice = "start a worker of this version, which folds it again" if found < STATE_FORMAT else "run a newer version"
    return InputError(
        f"partition {partition}: the state in Redis is of format {found}, this program knows {STATE_FORMAT}: {advice}"
    )
