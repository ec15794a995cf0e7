"""Turns a partition in Redis from the state that serves to the one that was built.

How, and what is checked before each write, is described in `lua/settle.lua` and `lua/switch.lua`.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.topics import Names
from streams.adapters.redis.connection import RedisConnection, Script
from streams.adapters.redis.errors import Argument
from streams.adapters.redis.fold import cursor_in, definitions_fields, fence_in, pack, unpack_lengths
from streams.adapters.redis.keys import StateKeys
from streams.adapters.redis.state import RedisStateStore, as_text
from streams.generations import Build, Heirs, Holding
from streams.ports import Cursor, CursorMismatchError, Fence, FenceLostError, PartitionMeta

_KEY_BYTES = 16
_MEMBERS_AT_ONCE = 10_000
_BECOMES_FORMER, _STAYS_FORMER = "serving", ""
"""What is the state before, once the build serves: the one that served, or the one that was it already."""


class RedisGenerationStore:
    """A `GenerationStore` on Redis. `serving` is the store of the process, which goes over to what is switched to."""

    def __init__(self, connection: RedisConnection, names: Names, serving: RedisStateStore) -> None:
        self._connection = connection
        self._names = names
        self._serving = serving
        self._states = Script("states", "reading")
        self._settle = Script("settle", "guard", "chunks")
        self._switch = Script("switch", "guard")
        self._forget = Script("forget")

    async def serving(self, partition: int) -> PartitionMeta | None:
        """What is known of a partition, without taking it; None where nothing is stored."""
        fields = as_text(await self._connection.call("HGETALL", self._names.key(partition, "meta")))
        return await self._serving.known(partition, fields) if fields else None

    async def states(self, partition: int, generation: int, keys: Sequence[str]) -> list[bytes | None]:
        """What a generation has of some contacts."""
        if not keys:
            return []
        prefix = self._keys(partition, generation).contact_prefix
        lengths, states = await self._connection.run(self._states, [prefix], [pack(list(keys))])
        found: list[bytes | None] = []
        place = 0
        for length in unpack_lengths(lengths):
            found.append(states[place : place + length] if length >= 0 else None)
            place += max(0, length)
        return found

    async def members(self, partition: int, generation: int, segment: str) -> dict[str, int]:
        """Ids of a segment's members in a generation, and since when each is one."""
        key, start = self._keys(partition, generation).members(segment), 0
        found: dict[str, int] = {}
        while page := await self._connection.call("ZRANGE", key, start, start + _MEMBERS_AT_ONCE - 1, "WITHSCORES"):
            found.update((page[place].decode(), int(page[place + 1])) for place in range(0, len(page), 2))
            start += _MEMBERS_AT_ONCE
        return found

    async def built_keys(self, partition: int, generation: int, page: int) -> list[str]:
        """Keys of contacts in a build, each at least once; the pages are counted from 0, past the last it is empty."""
        built = self._keys(partition, generation).built
        found: list[bytes] = await self._connection.call("LRANGE", built, page, page)
        return [
            element[place : place + _KEY_BYTES].hex()
            for element in found
            for place in range(0, len(element), _KEY_BYTES)
        ]

    async def settle(self, partition: int, fence: Fence, at: Cursor, build: Build, heirs: Heirs) -> None:
        """Write states into a build, which has one more `settled` after that.

        Raises `FenceLostError`, or `CursorMismatchError` where the serving state is not at `at` or the build is not
        where it is said to be; nothing is written then.
        """
        built = self._keys(partition, build.generation, is_build=True)
        members: list[tuple[str, list[str | int]]] = []
        for segment, since in heirs.since.items():
            pairs: list[str | int] = []
            for contact_id, since_ms in since.items():
                pairs += (since_ms, contact_id)
            members.append((segment, pairs))
        states = heirs.states.values()
        parts = pack((list(heirs.states), list(map(len, states)), members))
        await self._run(
            self._settle,
            partition,
            (built.meta, built.contact_prefix, built.members_prefix),
            (fence, at, build),
            [parts, b"".join(states)],
        )

    async def switch(self, partition: int, fence: Fence, at: Cursor, build: Build, holding: Holding) -> PartitionMeta:
        """Let the build serve, at the same record of the log with no steps taken; the output goes on as it was.

        Raises as `settle` does.
        """
        fields = ["steps", 0, "clock", build.clock_ms, *definitions_fields(*holding)]
        return await self._serve(partition, (fence, at, build), [_BECOMES_FORMER, *fields])

    async def take_over(
        self, partition: int, fence: Fence, at: Cursor, build: Build, holding: Holding
    ) -> PartitionMeta:
        """Let the build serve in place of a state of an older format, under the definitions that hold in it already.

        All that was begun goes on: timers of the record at the cursor, output, and what a change tells; that is told
        as the difference to the same state before. Raises as `settle` does.
        """
        telling = holding.versions[-1].offset == at.offset
        former: Argument = _STAYS_FORMER if telling else _BECOMES_FORMER
        return await self._serve(partition, (fence, at, build), [former, *definitions_fields(*holding)])

    async def drop_former(self, partition: int, generation: int) -> None:
        """Remove what is left of the state before, as long as `generation` serves and has told what differs."""
        kept = self._keys(partition, generation)
        await self._serving.delete_generations(kept)
        await self._connection.run(self._forget, [kept.meta], [generation])

    async def _serve(
        self, partition: int, where: tuple[Fence, Cursor, Build], arguments: Sequence[Argument]
    ) -> PartitionMeta:
        _, _, build = where
        built, serving = self._keys(partition, build.generation, is_build=True), self._serving.keys_of(partition)
        keys = (built.meta, serving.outbox, built.outbox, built.built)
        fields = [*arguments, "format", self._serving.formats.newest]
        answer = await self._run(self._switch, partition, keys, where, fields)
        return await self._serving.known(partition, as_text(dict(zip(answer[::2], answer[1::2], strict=True))))

    async def _run(
        self,
        script: Script,
        partition: int,
        keys: Sequence[str],
        where: tuple[Fence, Cursor, Build],
        arguments: Sequence[Argument],
    ) -> list[bytes]:
        """The answer of a script that writes where all is as it is said to be."""
        serving, (fence, at, build) = self._serving.keys_of(partition), where
        checked = (*fence, serving.generation, *at, build.generation, *build.cursor, build.settled)
        answer: list[bytes]
        word, *answer = await self._connection.run(script, (serving.meta, *keys), (*checked, *arguments))
        if word == b"fence":
            raise FenceLostError(partition, fence, fence_in(answer))
        if word == b"elsewhere":
            raise CursorMismatchError(at, cursor_in(serving, answer))
        return answer

    def _keys(self, partition: int, generation: int, *, is_build: bool = False) -> StateKeys:
        return StateKeys(self._names, partition, generation, is_build)
