"""The state store on Redis: one script a call, keys of a partition in one slot.

What is stored, and the checks before each write, are described in the scripts beside this file (`lua/*.lua`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from schemas.errors import InputError
from schemas.topics import Names
from streams.adapters.redis.connection import RedisConnection, Script
from streams.adapters.redis.errors import Argument
from streams.adapters.redis.fold import RedisFoldStore, fence_in, sendings_in, taken_in, versions_in
from streams.adapters.redis.keys import OUR_FORMATS, StateFormats, StateKeys
from streams.ports import Cursor, Fence, FenceLostError, LogIdentity, OutboxEntry, PartitionMeta
from streams.versions import Former

_DELETED_AT_ONCE = 1_000


class RedisStateStore(RedisFoldStore):
    """A `StateStore` on Redis. One instance serves all partitions of a process."""

    def __init__(self, connection: RedisConnection, names: Names, formats: StateFormats = OUR_FORMATS) -> None:
        super().__init__(connection, names)
        self.formats = formats
        self._access = Script("access")
        self._take = Script("take")
        self._start_over = Script("start_over")
        self._drop = Script("drop")

    async def check_rights(self, partitions: int) -> None:
        """Raises `AccessError` when a server does not let our user do all that the store does.

        Every partition is tried: each may lie on another server, which has rules of its own.
        """
        await asyncio.gather(*(self._try_all(partition) for partition in range(partitions)))

    async def _try_all(self, partition: int) -> None:
        nowhere = StateKeys(self._names, partition, 0)
        build = nowhere._replace(is_build=True).meta
        keys = (nowhere.sizes, nowhere.timers, nowhere.outbox, nowhere.contact_prefix, nowhere.built, build)
        await self._connection.run(self._access, keys, ())
        await self._connection.call("SCAN", 0, "MATCH", nowhere.all_generations, "COUNT", 1, near=nowhere.meta)

    async def take(self, partition: int, fence: Fence, log: LogIdentity) -> PartitionMeta:
        """Take the fence (a higher generation, or the same with the same member), else `FenceLostError`.

        Raises `InputError` when the state belongs to another log or is of a newer format. State of a format from
        which no other is built is dropped: it will be folded again.
        """
        newest = self.formats.newest
        arguments = (fence.generation, fence.member, newest, log.cluster_id, log.topic_id, log.partitions)
        reply = await self._connection.run(self._take, [self._names.key(partition, "meta")], arguments)
        word, *answer = reply
        if word == b"fence":
            raise FenceLostError(partition, fence, fence_in(answer))
        if word == b"format":
            raise _newer_format(partition, int(answer[0]), newest)
        if word == b"log":
            raise _foreign_log(partition, log, LogIdentity(answer[0].decode(), answer[1].decode(), int(answer[2])))
        fields = as_text(dict(zip(answer[::2], answer[1::2], strict=True)))
        if int(fields["format"]) < self.formats.by_building:
            return await self.start_over(partition, fence, int(fields["epoch"]))
        return await self.known(partition, fields)

    async def start_over(self, partition: int, fence: Fence, epoch: int) -> PartitionMeta:
        """Drop the partition's state: its log is folded again from offset 0, its output counted from 1 in `epoch`.

        Raises `FenceLostError` when the fence is not ours.
        """
        meta, build = self._names.key(partition, "meta"), self._names.key(partition, "build")
        arguments = (fence.generation, fence.member, epoch, self.formats.newest)
        word, *answer = await self._connection.run(self._start_over, [meta, build], arguments)
        if word != b"done":
            raise FenceLostError(partition, fence, fence_in(answer) if answer else Fence(0, ""))
        fields = as_text(await self._connection.call("HGETALL", meta))
        known = await self.known(partition, fields)
        await self.delete_generations(self._keys[partition])
        return known

    async def outbox(self, partition: int, after_seq: int, limit: int) -> list[OutboxEntry]:
        """Entries that were committed and not trimmed, in order of seq."""
        key = self._keys[partition].outbox
        found = await self._connection.call("XRANGE", key, f"{after_seq + 1}-0", "+", "COUNT", limit)
        return [_entry(entry_id, fields) for entry_id, fields in found]

    async def trim(self, partition: int, acked_seq: int) -> None:
        """Forget entries up to `acked_seq`; idempotent."""
        await self._connection.call("XTRIM", self._keys[partition].outbox, "MINID", "=", f"{acked_seq + 1}-0")

    async def known(self, partition: int, fields: dict[str, str]) -> PartitionMeta:
        """What a meta says of a partition; all calls after it are about the generation that it names.

        Raises `InputError` where it is of a newer format, or of one from which no other is built.
        """
        number = int(fields["format"])
        if number > self.formats.newest:
            raise _newer_format(partition, number, self.formats.newest)
        if number < self.formats.by_building:
            raise InputError(
                f"partition {partition}: the state in Redis is of format {number}, this program reads "
                f"{self.formats.by_building} to {self.formats.newest}: start a worker of this version, which folds the "
                "log again from its start"
            )
        where = self._keys[partition] = StateKeys(self._names, partition, int(fields["generation"]))
        sizes = as_text(await self._connection.call("HGETALL", where.sizes))
        return PartitionMeta(
            cursor=Cursor(int(fields["offset"]), int(fields["steps"])),
            index=int(fields["index"]),
            clock_ms=int(fields["clock"]),
            seq=int(fields["seq"]),
            epoch=int(fields["epoch"]),
            definitions=fields.get("definitions"),
            definitions_number=int(fields["definitions_number"]),
            log=LogIdentity(fields["cluster_id"], fields["topic_id"], int(fields["partitions"])),
            sizes={segment: int(size) for segment, size in sizes.items()},
            generation=where.generation,
            versions=versions_in(fields),
            former=former_in(fields),
            taken=taken_in(fields),
            sendings=sendings_in(fields),
            outdated_format=number if number < self.formats.as_it_is else None,
        )

    async def delete_generations(self, kept: StateKeys) -> None:
        """Delete the keys of all generations before the one that is kept, as long as that serves."""
        cursor: Argument = 0
        while True:
            cursor, found = await self._connection.call(
                "SCAN", cursor, "MATCH", kept.all_generations, "COUNT", _DELETED_AT_ONCE, near=kept.meta
            )
            stale = [key.decode() for key in found if kept.is_older(key)]
            for start in range(0, len(stale), _DELETED_AT_ONCE):
                keys = [kept.meta, *stale[start : start + _DELETED_AT_ONCE]]
                if int(await self._connection.run(self._drop, keys, [kept.generation])) < 0:
                    return  # Redis was emptied, or the state started over: theirs to tidy
            if int(cursor) == 0:
                return


def as_text(found: Mapping[bytes, bytes]) -> dict[str, str]:
    """A hash of Redis, decoded."""
    return {name.decode(): value.decode() for name, value in found.items()}


def former_in(fields: dict[str, str]) -> Former | None:
    """What served before, by a meta."""
    if "former_generation" not in fields:
        return None
    return Former(int(fields["former_generation"]), fields["former_definitions"])


def _entry(entry_id: bytes, found: dict[bytes, bytes]) -> OutboxEntry:
    return OutboxEntry(
        seq=int(entry_id.partition(b"-")[0]),
        offset=int(found[b"offset"]),
        index=int(found[b"index"]),
        epoch=int(found[b"epoch"]),
        transition_id=found[b"transition_id"].decode(),
        contact_id=found[b"contact_id"].decode(),
        value=found[b"value"],
    )


def _newer_format(partition: int, found: int, newest: int) -> InputError:
    return InputError(
        f"partition {partition}: the state in Redis is of format {found}, this program knows {newest}: run a newer "
        "version of Segue"
    )


def _foreign_log(partition: int, ours: LogIdentity, found: LogIdentity) -> InputError:
    if found.partitions and ours.partitions and found.partitions != ours.partitions:
        return InputError(
            f"the state in Redis was folded from a `tracking` of {found.partitions} partitions, this one has "
            f"{ours.partitions}: their number can never change, since contacts would move between partitions"
        )
    return InputError(
        f"partition {partition}: the state in Redis was folded from another log (cluster {found.cluster_id!r}, topic "
        f"id {found.topic_id!r}), not from this one (cluster {ours.cluster_id!r}, topic id {ours.topic_id!r}): use "
        "another SEGUE_NAMESPACE or Redis, or, to fold this log from its start in a new epoch, run "
        "`segue epoch raise`"
    )
