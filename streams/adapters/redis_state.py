"""The state store on Redis: one script a call, keys of a partition in one slot.

What is stored, and the checks before each write, are described in the scripts beside this file (`lua/*.lua`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from schemas.errors import InputError
from schemas.topics import Names
from streams.adapters.redis_connection import RedisConnection, Script
from streams.adapters.redis_errors import Argument
from streams.adapters.redis_keys import STATE_FORMAT, StateKeys
from streams.ports import (
    Commit,
    Cursor,
    CursorMismatchError,
    Fence,
    FenceLostError,
    Loaded,
    LogIdentity,
    MembershipChange,
    OutboxEntry,
    PartitionMeta,
)

_DELETED_AT_ONCE = 1_000

_lengths = msgspec.msgpack.Decoder(list[int])
_timers = msgspec.msgpack.Decoder(list[str])
_pack = msgspec.msgpack.Encoder().encode


class RedisStateStore:
    """A `StateStore` on Redis. One instance serves all partitions of a process."""

    def __init__(self, connection: RedisConnection, names: Names, *, state_format: int = STATE_FORMAT) -> None:
        """`state_format` differs from ours in tests only."""
        self._connection = connection
        self._names = names
        self._format = state_format
        self._keys: dict[int, StateKeys] = {}  # of each partition under the generation that was read last
        self._access = Script("access")
        self._take = Script("take")
        self._start_over = Script("start_over")
        self._load = Script("load")
        self._commit = Script("commit")
        self._drop = Script("drop")

    async def check_rights(self, partitions: int) -> None:
        """Raises `AccessError` when a server does not let our user do all that the store does.

        Every partition is tried: each may lie on another server, which has rules of its own.
        """
        await asyncio.gather(*(self._try_all(partition) for partition in range(partitions)))

    async def _try_all(self, partition: int) -> None:
        nowhere = StateKeys(self._names, partition, 0)
        keys = (nowhere.sizes, nowhere.timers, nowhere.outbox, nowhere.contact_prefix)
        await self._connection.run(self._access, keys, ())
        await self._connection.call("SCAN", 0, "MATCH", nowhere.all_generations, "COUNT", 1, near=nowhere.meta)

    async def take(self, partition: int, fence: Fence, log: LogIdentity) -> PartitionMeta:
        """Take the fence (a higher generation, or the same with the same member), else `FenceLostError`.

        Raises `InputError` when the state belongs to another log or is of a newer format. State of an older
        format is dropped: it will be folded again.
        """
        arguments = (fence.generation, fence.member, self._format, log.cluster_id, log.topic_id, log.partitions)
        reply = await self._connection.run(self._take, [self._names.key(partition, "meta")], arguments)
        word, *answer = reply
        if word == b"fence":
            raise FenceLostError(partition, fence, _fence(answer))
        if word == b"format":
            raise InputError(
                f"partition {partition}: the state in Redis is of format {int(answer[0])}, this program knows "
                f"{self._format}: run a newer version of Segue"
            )
        if word == b"log":
            raise _foreign_log(partition, log, LogIdentity(answer[0].decode(), answer[1].decode(), int(answer[2])))
        fields = as_text(dict(zip(answer[::2], answer[1::2], strict=True)))
        if int(fields["format"]) < self._format:
            return await self.start_over(partition, fence, int(fields["epoch"]))
        return await self._known(partition, fields)

    async def start_over(self, partition: int, fence: Fence, epoch: int) -> PartitionMeta:
        """Drop the partition's state: its log is folded again from offset 0, its output counted from 1 in `epoch`.

        Raises `FenceLostError` when the fence is not ours.
        """
        meta = self._names.key(partition, "meta")
        arguments = (fence.generation, fence.member, epoch, self._format)
        word, *answer = await self._connection.run(self._start_over, [meta], arguments)
        if word != b"done":
            raise FenceLostError(partition, fence, _fence(answer) if answer else Fence(0, ""))
        fields = as_text(await self._connection.call("HGETALL", meta))
        known = await self._known(partition, fields)
        await self._delete_older_generations(self._keys[partition])
        return known

    async def load(
        self, partition: int, at: Cursor, keys: Sequence[str], due_until_ms: int | None, limit: int
    ) -> Loaded:
        """States of `keys`, and the first `limit` timers due at or before `due_until_ms` with their states.

        Raises `CursorMismatchError` when the state is not at `at`.
        """
        where = self._keys[partition]
        reply = await self._connection.run(
            self._load,
            (where.meta, where.timers, where.contact_prefix),
            (
                where.generation,
                at.offset,
                at.steps,
                "" if due_until_ms is None else due_until_ms,
                limit,
                _pack(list(keys)),
            ),
        )
        if reply[0] != b"loaded":
            raise CursorMismatchError(at, _cursor(where, reply[1:]))
        _, earliest, lengths, states, timers = reply
        flat = _timers.decode(timers)
        due = [(int(instant), key) for key, instant in zip(flat[::2], flat[1::2], strict=True)]
        contacts = {}
        place = 0
        for key, length in zip([*keys, *flat[::2]], _lengths.decode(lengths), strict=True):
            if length >= 0:
                contacts[key] = states[place : place + length]
                place += length
        return Loaded(contacts, due, int(earliest) if earliest else None)

    async def commit(self, partition: int, commit: Commit) -> int | None:
        """Write all of it; returns the partition's earliest due instant afterwards.

        Raises `FenceLostError`, or `CursorMismatchError` with where the state is; nothing is written then.
        """
        where = self._keys[partition]
        parts, blob = _packed(commit)
        reply = await self._connection.run(
            self._commit,
            (where.meta, where.timers, where.outbox, where.sizes, where.contact_prefix, where.members_prefix),
            (*commit.fence, where.generation, *commit.before, parts, blob, *_meta_changes(commit)),
        )
        word, *answer = reply
        if word == b"fence":
            raise FenceLostError(partition, commit.fence, _fence(answer))
        if word != b"committed":
            raise CursorMismatchError(commit.before, _cursor(where, answer))
        return int(answer[0]) if answer[0] else None

    async def outbox(self, partition: int, after_seq: int, limit: int) -> list[OutboxEntry]:
        """Entries that were committed and not trimmed, in order of seq."""
        key = self._keys[partition].outbox
        found = await self._connection.call("XRANGE", key, f"{after_seq + 1}-0", "+", "COUNT", limit)
        return [_entry(entry_id, fields) for entry_id, fields in found]

    async def trim(self, partition: int, acked_seq: int) -> None:
        """Forget entries up to `acked_seq`; idempotent."""
        await self._connection.call("XTRIM", self._keys[partition].outbox, "MINID", "=", f"{acked_seq + 1}-0")

    async def _known(self, partition: int, fields: dict[str, str]) -> PartitionMeta:
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
        )

    async def _delete_older_generations(self, kept: StateKeys) -> None:
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


def _packed(commit: Commit) -> tuple[bytes, bytes]:
    """The parts of a commit as `commit.lua` reads them, and the bytes that they speak of."""
    states = list(commit.contacts.values())
    entries = [
        (
            f"{entry.seq}-0",
            entry.offset,
            entry.index,
            entry.epoch,
            entry.transition_id,
            entry.contact_id,
            len(entry.value),
        )
        for entry in commit.outbox
    ]
    due: list[int | str] = []
    gone = []
    for key, instant in commit.timers.items():
        if instant is None:
            gone.append(key)
        else:
            due += (instant, key)
    sizes, members = _membership_parts(commit.memberships)
    lengths = [-1 if state is None else len(state) for state in states]
    parts = _pack((list(commit.contacts), lengths, due, gone, entries, sizes, members))
    return parts, b"".join([*filter(None, states), *(entry.value for entry in commit.outbox)])


def _membership_parts(changes: Sequence[MembershipChange]) -> tuple[list[tuple[str, int]], list[tuple[str, Any, Any]]]:
    sizes: dict[str, int] = {}
    last: dict[str, dict[str, MembershipChange]] = {}
    for change in changes:
        sizes[change.segment] = sizes.get(change.segment, 0) + (1 if change.entered else -1)
        last.setdefault(change.segment, {})[change.contact_id] = change
    members = []
    for segment, by_contact in last.items():
        added: list[int | str] = []
        for change in by_contact.values():
            if change.entered:
                added += (change.effective_at_ms, change.contact_id)
        removed = [change.contact_id for change in by_contact.values() if not change.entered]
        members.append((segment, added, removed))
    return list(sizes.items()), members


def _meta_changes(commit: Commit) -> list[Argument]:
    changes: list[Argument] = ["offset", commit.after.offset, "steps", commit.after.steps, "index", commit.index]
    changes += ["clock", commit.clock_ms, "seq", commit.seq]
    if commit.definitions is not None:
        changes += ["definitions", commit.definitions, "definitions_number", commit.definitions_number]
    return changes


def _fence(answer: Sequence[bytes]) -> Fence:
    return Fence(int(answer[0]), answer[1].decode())


def _cursor(where: StateKeys, answer: Sequence[bytes]) -> Cursor | None:
    generation, offset, steps = answer
    if generation != str(where.generation).encode():
        return None  # no state, or a state that was started over
    return Cursor(int(offset), int(steps))


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
