"""Looks at the state in Redis from outside, and lets an operator mend it: what `segue contact`, `status`, `fence`,
`epoch` and `--wait` of the senders do. Nothing here is part of a worker; calls block.

Every method raises `UnavailableError` when Redis is away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas.errors import InputError
from schemas.redis_access import RedisAccess
from schemas.topics import Names
from streams.adapters.redis.blocking import BlockingRedis
from streams.adapters.redis.connection import Script
from streams.adapters.redis.fold import versions_in
from streams.adapters.redis.generations import drop_generations
from streams.adapters.redis.keys import OLDEST_FORMAT, STATE_FORMAT, StateKeys
from streams.adapters.redis.points import building_in
from streams.adapters.redis.state import as_text, former_in
from streams.generations import Building
from streams.ports import Cursor, Fence
from streams.sending.ports import Progress
from streams.versions import Former, Version, is_telling

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
    versions: tuple[Version, ...]
    building: Building | None  # what is built beside it
    former: Former | None  # the state before the last change, as long as something is left of it

    @property
    def is_telling(self) -> bool:
        """Whether the last change is made, and not all is told yet that it makes different."""
        return is_telling(self.former, self.versions, self.cursor.offset)


class FormerContact(NamedTuple):
    """What Redis holds of a contact under the definitions before those of its partition."""

    raw: bytes | None
    definitions: str
    semantics: str


class StoredContact(NamedTuple):
    """What Redis holds of a contact, and of its partition at the same moment."""

    raw: bytes | None  # None: nothing is stored
    due_ms: int | None
    clock_ms: int
    definitions: str | None
    offset: int  # of the next record to apply
    semantics: str = ""  # of the definitions
    former: FormerContact | None = None  # while a change is told, maybe not yet of this contact


_NOTHING = StoredContact(None, None, 0, None, 0)


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
        build = self._names.key(partition, "build")

        def ask(pipeline: Any, keys: StateKeys, _former: StateKeys | None) -> None:
            pipeline.hgetall(keys.meta)
            pipeline.hgetall(build)
            pipeline.zcard(keys.timers)
            pipeline.zcount(keys.timers, "-inf", now_ms)
            pipeline.zrange(keys.timers, 0, 0, withscores=True)
            pipeline.xlen(keys.outbox)
            pipeline.hgetall(keys.sizes)

        answers = self._serving(partition, ask)
        if answers is None:
            return None
        meta, built, timers, due, first, outbox, sizes = answers
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
            versions=versions_in(fields),
            building=building_in(as_text(built), int(fields["generation"])),
            former=former_in(fields),
        )

    def progress(self, partition: int) -> Progress | None:
        """How far a partition is folded and published; None where nothing is stored."""

        def ask(pipeline: Any, keys: StateKeys, _former: StateKeys | None) -> None:
            pipeline.hmget(keys.meta, "offset", "seq", "epoch")
            pipeline.xrange(keys.outbox, count=1)

        answers = self._serving(partition, ask)
        if answers is None:
            return None
        (offset, seq, epoch), first = answers
        return Progress(int(offset), int(seq), int(epoch), int(first[0][1][b"offset"]) if first else None)

    def definitions(self, partition: int) -> tuple[str, str] | None:
        """The canonical text of those that hold in a partition, and the version of the semantics that it was written
        for; None where its worker has come to none."""
        answers = self._serving(partition, lambda pipeline, keys, _former: pipeline.hgetall(keys.meta))
        fields = {} if answers is None else as_text(answers[0])
        return (fields["definitions"], versions_in(fields)[-1].semantics) if "definitions" in fields else None

    def stored(self, partition: int, key: str) -> bytes | None:
        """What is stored of the contact with this key."""
        return self.contact(partition, key).raw

    def contact(self, partition: int, key: str) -> StoredContact:
        """What is stored of the contact with this key. Raises `InputError` when the state is of another format."""

        def ask(pipeline: Any, keys: StateKeys, former: StateKeys | None) -> None:
            pipeline.hgetall(keys.meta)
            pipeline.get(keys.contact(key))
            pipeline.zscore(keys.timers, key)
            if former is not None:
                pipeline.get(former.contact(key))

        answers = self._serving(partition, ask)
        if answers is None:
            return _NOTHING
        meta, raw, due, *former_raw = answers
        fields = as_text(meta)
        if not OLDEST_FORMAT <= int(fields.get("format", STATE_FORMAT)) <= STATE_FORMAT:
            raise _other_format(partition, int(fields["format"]))
        cursor, former = Cursor(int(fields.get("offset", 0)), int(fields.get("steps", 0))), former_in(fields)
        versions = versions_in(fields)
        telling = former if is_telling(former, versions, cursor.offset) else None
        return StoredContact(
            raw,
            None if due is None else int(due),
            int(fields.get("clock", 0)),
            fields.get("definitions"),
            cursor.offset,
            versions[-1].semantics if versions else "",
            None if telling is None else FormerContact(former_raw[0], telling.definitions, versions[-2].semantics),
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
        meta, build = self._names.key(partition, "meta"), self._names.key(partition, "build")
        word, *answer = self._redis.run(Script("start_over"), [meta, build], ["", "", "", STATE_FORMAT])
        if word != b"done":
            return None
        generation, epoch = (int(number) for number in answer)
        kept = StateKeys(self._names, partition, generation)
        self._redis.ask(meta, lambda client: drop_generations(client, {partition: kept}))
        return epoch

    def _serving(self, partition: int, ask: Callable[[Any, StateKeys, StateKeys | None], None]) -> Sequence[Any] | None:
        """What is asked of the state that serves and of the one before it, at one moment; None where none is stored.

        Another may come to serve between two questions. Then it is asked again.
        """
        meta = self._names.key(partition, "meta")

        def look(client: Any) -> Sequence[Any] | None:
            found = client.hmget(meta, "generation", "former_generation")
            while found[0] is not None:
                pipeline = client.pipeline(transaction=True)
                keys = StateKeys(self._names, partition, int(found[0]))
                pipeline.hmget(meta, "generation", "former_generation")
                ask(pipeline, keys, None if found[1] is None else keys._replace(generation=int(found[1])))
                now, *answers = pipeline.execute()
                if now == found:
                    return list(answers)
                found = now
            return None

        return self._redis.ask(meta, look)

    def _meta_field(self, partition: int, field: str) -> bytes | None:
        meta = self._names.key(partition, "meta")

        def look(client: Any) -> bytes | None:
            found: bytes | None = client.hget(meta, field)
            return found

        return self._redis.ask(meta, look)


def _other_format(partition: int, found: int) -> InputError:
    advice = "start a worker of this version, which builds it anew" if found < STATE_FORMAT else "run a newer version"
    return InputError(
        f"partition {partition}: the state in Redis is of format {found}, this program knows {STATE_FORMAT}: {advice}"
    )
