"""Contacts and timers of a partition in Redis: one script a call, keys of a partition in one slot.

What is stored, and the checks before each write, are described in the scripts beside this file (`lua/*.lua`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from schemas.forwards import Sending, Taken
from schemas.records import definitions_hash
from schemas.topics import Names
from streams.adapters.redis.connection import RedisConnection, Script
from streams.adapters.redis.errors import Argument
from streams.adapters.redis.keys import StateKeys
from streams.ports import (
    Commit,
    Cursor,
    CursorMismatchError,
    Fence,
    FenceLostError,
    Loaded,
    MembershipChange,
)
from streams.versions import Version

unpack_lengths = msgspec.msgpack.Decoder(list[int]).decode
_timers = msgspec.msgpack.Decoder(list[str])
_versions = msgspec.json.Decoder(tuple[Version, ...])
_taken = msgspec.json.Decoder(Taken)
_sendings = msgspec.json.Decoder(tuple[Sending, ...])
pack_json = msgspec.json.Encoder().encode
pack = msgspec.msgpack.Encoder().encode


class RedisFoldStore:
    """A `FoldStore` on Redis. One instance serves all partitions of a process."""

    def __init__(self, connection: RedisConnection, names: Names) -> None:
        self._connection = connection
        self._names = names
        self._keys: dict[int, StateKeys] = {}  # of each partition under the generation that was read last
        self._load = Script("load", "reading")
        self._commit = Script("commit", "guard", "chunks")

    def keys_of(self, partition: int) -> StateKeys:
        """The keys under which the store keeps a partition now."""
        return self._keys[partition]

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
                pack(list(keys)),
            ),
        )
        if reply[0] != b"loaded":
            raise CursorMismatchError(at, cursor_in(where, reply[1:]))
        _, earliest, lengths, states, timers = reply
        flat = _timers.decode(timers)
        due = [(int(instant), key) for key, instant in zip(flat[::2], flat[1::2], strict=True)]
        contacts = {}
        place = 0
        for key, length in zip([*keys, *flat[::2]], unpack_lengths(lengths), strict=True):
            if length >= 0:
                contacts[key] = states[place : place + length]
                place += length
        return Loaded(contacts, due, int(earliest) if earliest else None)

    async def commit(self, partition: int, commit: Commit) -> int | None:
        """Write all of it; returns the partition's earliest due instant afterwards.

        Raises `FenceLostError`, or `CursorMismatchError` with where the state is; nothing is written then.
        """
        where = self._keys[partition]
        parts, blob = _packed(commit, self._listed(partition, commit))
        keys = (where.meta, where.timers, where.outbox, where.sizes, where.contact_prefix, where.members_prefix)
        reply = await self._connection.run(
            self._commit,
            (*keys, where.built) if where.is_build else keys,
            (*commit.fence, where.generation, *commit.before, parts, blob, *_meta_changes(commit)),
        )
        word, *answer = reply
        if word == b"fence":
            raise FenceLostError(partition, commit.fence, fence_in(answer))
        if word != b"committed":
            raise CursorMismatchError(commit.before, cursor_in(where, answer))
        return int(answer[0]) if answer[0] else None

    def _listed(self, partition: int, commit: Commit) -> bytes:  # noqa: ARG002 - what serves lists nothing
        """What the commit adds to the list of a build's contacts."""
        return b""


def _packed(commit: Commit, listed: bytes) -> tuple[bytes, bytes]:
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
    parts = pack((list(commit.contacts), lengths, due, gone, entries, sizes, members, len(listed)))
    return parts, b"".join([*filter(None, states), *(entry.value for entry in commit.outbox), listed])


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
    if commit.taken is not None:
        changes += ["taken", pack_json(commit.taken)]
    if commit.sendings is not None:
        changes += ["sendings", pack_json(commit.sendings)]
    if commit.definitions is not None:
        changes += definitions_fields(commit.definitions, commit.versions)
    return changes


def definitions_fields(definitions: str, versions: Sequence[Version]) -> list[Argument]:
    """Fields and values of meta that say what holds."""
    known = msgspec.json.encode(tuple(versions))
    return ["definitions", definitions, "definitions_number", versions[-1].number, "versions", known]


def versions_in(fields: dict[str, str]) -> tuple[Version, ...]:
    """The versions in a meta. One of the oldest format has none: then there is one, and the log begins with it."""
    if "versions" in fields:
        return _versions.decode(fields["versions"])
    if "definitions" not in fields:
        return ()
    return (Version(int(fields["definitions_number"]), definitions_hash(fields["definitions"]), 0, 0),)


def taken_in(fields: Mapping[str, str]) -> Taken:
    """What of others' forwards was taken, by a meta."""
    return _taken.decode(fields.get("taken", "[]"))


def sendings_in(fields: Mapping[str, str]) -> tuple[Sending, ...]:
    """What is to be sent to other contacts, by a meta."""
    return _sendings.decode(fields.get("sendings", "[]"))


def fence_in(answer: Sequence[bytes]) -> Fence:
    """The fence in a script's answer."""
    return Fence(int(answer[0]), answer[1].decode())


def cursor_in(where: StateKeys, answer: Sequence[bytes]) -> Cursor | None:
    """Where the state is, by a script's answer; None where another one serves, or none."""
    generation, offset, steps = answer
    if generation != str(where.generation).encode():
        return None  # no state, or a state that was started over
    return Cursor(int(offset), int(steps))
