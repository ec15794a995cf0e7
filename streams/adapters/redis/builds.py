"""The builds in Redis: the next state of a partition, under keys of its own, beside the one that serves."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Sequence

from schemas.errors import UnavailableError
from schemas.topics import Names
from streams.adapters.redis.connection import RedisConnection, Script
from streams.adapters.redis.fold import RedisFoldStore, fence_in, taken_in
from streams.adapters.redis.keys import OUR_FORMATS, StateFormats, StateKeys, placed_key
from streams.generations import Build, BuildBusyError, owned_by_another
from streams.ports import Commit, Cursor, Fence, Loaded

_DELETED_AT_ONCE = 1_000


class RedisBuildStore(RedisFoldStore):
    """A `BuildStore` on Redis. One instance serves all partitions of a process."""

    def __init__(self, connection: RedisConnection, names: Names, formats: StateFormats = OUR_FORMATS) -> None:
        super().__init__(connection, names)
        self._format = formats.newest
        self._begin = Script("build")
        self._give_up = Script("give_up")
        self._unlisted: defaultdict[int, set[str]] = defaultdict(set)  # contacts asked for that are not stored yet

    async def begin(self, partition: int, identity: str, *, owner: Fence | None, anew: bool = False) -> Build:
        """Go on with the build for the definitions of this identity, or begin one in place of whatever was built.

        `owner` is the fence of who owns the partition, None for anybody else. The builder before, if any, is refused
        from here on. Raises `FenceLostError` where another one owns the partition, `BuildBusyError` where the owner
        builds and it is not the owner who asks, and `UnavailableError` where no state serves yet.
        """
        meta, build = self._names.key(partition, "meta"), self._names.key(partition, "build")
        member = secrets.token_hex(8)
        asking = ("", "") if owner is None else owner
        word, *answer = await self._connection.run(
            self._begin, [meta, build], [identity, self._format, member, *asking, "1" if anew else ""]
        )
        if word == b"busy":
            raise BuildBusyError(partition)
        if word == b"fence":
            raise owned_by_another(partition, owner, fence_in(answer))
        if word == b"absent":
            raise UnavailableError(f"partition {partition}: no worker has begun to fold it yet")
        generation, fence, offset, steps, clock_ms = map(int, answer[:5])
        self._keys[partition] = StateKeys(self._names, partition, generation, is_build=True)
        self._unlisted[partition].clear()
        if answer[5]:
            await self.remove(partition, range(int(answer[6]) + 1, generation), member)
        taken = taken_in({"taken": answer[7].decode()})
        return Build(generation, Fence(fence, member), Cursor(offset, steps), clock_ms, taken)

    async def give_up(self, partition: int) -> bool:
        """Remove what is built; whether there was any. Raises `BuildBusyError` where the partition's owner builds."""
        key = self._names.key(partition, "build")
        if not await self._connection.call("EXISTS", key):
            return False
        build = await self.begin(partition, "", owner=None)  # so that whoever builds it writes no more
        serving = int(await self._connection.call("HGET", self._names.key(partition, "meta"), "generation") or 0)
        # While this build is known its generation is no other's; so it is forgotten last.
        await self.remove(partition, range(serving + 1, build.generation + 1), build.fence.member)
        await self._connection.run(self._give_up, [key, key], [build.fence.member])
        return True

    async def load(
        self, partition: int, at: Cursor, keys: Sequence[str], due_until_ms: int | None, limit: int
    ) -> Loaded:
        """As every fold's store; notes which contacts are new to the build."""
        loaded = await super().load(partition, at, keys, due_until_ms, limit)
        self._unlisted[partition].update(key for key in keys if key not in loaded.contacts)
        return loaded

    async def remove(self, partition: int, generations: range, member: str) -> None:
        """Delete all keys of builds that were given up, as long as the builder `member` is the last that began."""
        where, cursor = StateKeys(self._names, partition, 0, is_build=True), b"0"
        while True:
            cursor, found = await self._connection.call(
                "SCAN", cursor, "MATCH", where.all_generations, "COUNT", _DELETED_AT_ONCE, near=where.meta
            )
            ours = [key.decode() for key in found if (placed := placed_key(key)) and placed.generation in generations]
            for start in range(0, len(ours), _DELETED_AT_ONCE):
                keys = [where.meta, *ours[start : start + _DELETED_AT_ONCE]]
                if int(await self._connection.run(self._give_up, keys, [member])) < 0:
                    return
            if int(cursor) == 0:
                return

    def _listed(self, partition: int, commit: Commit) -> bytes:
        unlisted = self._unlisted[partition]
        new = [key for key, state in commit.contacts.items() if key in unlisted and state is not None]
        unlisted.difference_update(new)
        return bytes.fromhex("".join(new))
