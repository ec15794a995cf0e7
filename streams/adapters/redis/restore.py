"""Brings the state of a snapshot back beside the one that serves, and then lets it serve in its place.

Each partition is copied under a generation of its own, which is its number by Redis' clock in milliseconds: the
worker counts generations up one by one, so none that it ever begins can be one of these. Until the copy is whole
the old state goes on serving, and a copy that broke off is only something to sweep away.

A snapshot that was taken while a change of definitions was told holds the state from before the change, too: what is
still to be told is the difference. It is copied as the generation before. What was being built is not copied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from schemas.errors import InputError, UnavailableError
from schemas.topics import Names
from streams.adapters.redis.connection import Script
from streams.adapters.redis.errors import Argument
from streams.adapters.redis.fold import definitions_fields
from streams.adapters.redis.generations import drop_generations, serving_keys
from streams.adapters.redis.keys import STATE_FORMAT, StateKeys, all_partitions, placed_key
from streams.adapters.redis.server import run_script
from streams.snapshots.manifest import StatePoint

_KEYS_AT_ONCE = 500
_ENTRIES_AT_ONCE = 1_000
_BYTES_AT_ONCE = 1 << 20


class Switched(NamedTuple):
    """What came of a partition."""

    restored: bool
    further_at: int | None = None  # the offset of a serving state that was left alone, since it has come further


class StateRestorer:
    """Copies from `source`, a Redis that holds a snapshot, to `target`, the one that serves.

    `target` must be one connection that is never made anew: what is behind it after a break may be another server,
    or the same with less in it. Its errors come as the driver has them.
    """

    def __init__(
        self, source: Any, target: Any, names: Names, points: Mapping[int, StatePoint], found: Mapping[int, StatePoint]
    ) -> None:
        """`points` are the partitions to bring back, `found` is what serves now."""
        self._source = source
        self._target = target
        self._names = names
        self._points = points
        self._found = found
        self._copies: dict[int, StateKeys] = {}
        self._formers: dict[int, StateKeys] = {}  # copies of the states before a change that is still told

    def sweep(self) -> None:
        """Remove what earlier generations, and copies that broke off, have left in the target."""
        serving = {partition: point.generation for partition, point in self._found.items()}
        drop_generations(self._target, serving_keys(self._names, serving), copies_too=True)

    def copy(self, on_progress: Callable[[int], None]) -> None:
        """Copy all partitions beside what serves. `on_progress` is given the keys so far."""
        seconds, micros = self._target.time()
        now_ms = seconds * 1_000 + micros // 1_000
        for partition in self._points:
            serving = self._found.get(partition)
            generation = max(now_ms, 0 if serving is None else serving.generation + 2)
            self._copies[partition] = StateKeys(self._names, partition, generation)
            if self._points[partition].is_telling:
                self._formers[partition] = StateKeys(self._names, partition, generation - 1)
            for copy in self._all_copies(partition):
                self._target.set(copy.staged, "1")
        for partition, copy in self._copies.items():
            self._copy_listed(self._kept(partition), copy)
        done = 0
        for keys in self._scanned():
            self._copy_page(keys)
            done += len(keys)
            on_progress(done)

    def switch(self, partition: int, *, set_back: bool) -> Switched:
        """Let the copy of a partition serve. With `set_back` also where the serving state has come further.

        Raises `InputError` for what was not so before the copy began.
        """
        point, copy, found = self._points[partition], self._copies[partition], self._found.get(partition)
        marks = [each.staged for each in self._all_copies(partition)]
        word, *answer = run_script(
            self._target,
            Script("restore"),
            [copy.meta, copy._replace(is_build=True).meta, *marks],
            [
                *("" if found is None else found.generation, copy.generation, point.state_format, int(set_back)),
                *(*point.log, *point.cursor, point.epoch, STATE_FORMAT, *self._fields(point)),
            ],
        )
        if word == b"restored":
            return Switched(True)
        if word == b"further":
            return Switched(False, int(answer[0]))
        raise _refused(partition, word, [part.decode() for part in answer])

    def _fields(self, point: StatePoint) -> list[Argument]:
        """What else a meta says, as names and values."""
        fields: list[Argument] = ["index", point.index, "clock", point.clock_ms, "seq", point.seq]
        if point.definitions is None:
            return [*fields, "definitions_number", 0]
        fields += definitions_fields(point.definitions, point.versions)
        former = self._formers.get(point.partition)
        if former is not None and point.former is not None:
            fields += ["former_generation", former.generation, "former_definitions", point.former.definitions]
        return fields

    def tidy(self, restored: Mapping[int, Switched]) -> None:
        """Remove what does not serve after the switch: the states before, and copies that were not wanted."""
        serving = {partition: point.generation for partition, point in self._found.items()}
        for partition, switched in restored.items():
            if switched.restored:
                serving[partition] = self._copies[partition].generation
        drop_generations(self._target, serving_keys(self._names, serving), copies_too=True)

    def abandon(self) -> None:
        """Remove the copies, as far as they do not serve already: without its mark none ever will.

        What cannot be removed, since Redis is away, the next restore sweeps away.
        """
        with suppress(RedisError, OSError):
            for partition, copy in self._copies.items():
                self._target.unlink(*(each.staged for each in self._all_copies(partition)))
                if self._target.hget(copy.meta, "generation") != str(copy.generation).encode():
                    self._remove(copy)

    def _remove(self, copy: StateKeys) -> None:
        gone = {each.generation for each in self._all_copies(copy.partition)}
        for keys in _pages(self._target, copy.all_generations):
            ours = [key for key in keys if (placed := placed_key(key)) and placed.generation in gone]
            if ours:
                self._target.unlink(*ours)

    def _all_copies(self, partition: int) -> list[StateKeys]:
        former = self._formers.get(partition)
        return [self._copies[partition], *([] if former is None else [former])]

    def _kept(self, partition: int) -> StateKeys:
        return StateKeys(self._names, partition, self._points[partition].generation)

    def _copy_of(self, partition: int, generation: int) -> StateKeys | None:
        """Where a generation of the source goes; None for one that stays there."""
        point = self._points.get(partition)
        if point is None:
            return None
        if generation == point.generation:
            return self._copies[partition]
        if point.former is not None and generation == point.former.generation:
            return self._formers.get(partition)
        return None

    def _scanned(self) -> Iterator[list[bytes]]:
        yield from _pages(self._source, all_partitions(self._names))

    def _copy_listed(self, kept: StateKeys, copy: StateKeys) -> None:
        """Timers, output and sizes of a partition: one key each."""
        self._copy_sorted_set(kept.timers, copy.timers)
        sizes = self._source.hgetall(kept.sizes)
        if sizes:
            self._target.hset(copy.sizes, mapping=sizes)
        after = "-"
        while page := self._source.xrange(kept.outbox, after, "+", count=_ENTRIES_AT_ONCE):
            for entry_id, fields in page:
                self._target.xadd(copy.outbox, fields, id=entry_id)  # a pipeline would be another connection
            after = "(" + page[-1][0].decode()

    def _copy_page(self, keys: list[bytes]) -> None:
        contacts: dict[tuple[StateKeys, int], list[bytes]] = defaultdict(list)
        for key in keys:
            placed = placed_key(key)
            copy = None if placed is None else self._copy_of(placed.partition, placed.generation)
            if placed is None or copy is None:
                continue
            if placed.kind == "contact":
                contacts[copy, placed.generation].append(key)
            elif placed.kind == "members":
                self._copy_sorted_set(key, copy.members_prefix.encode() + placed.rest)
            elif placed.kind not in ("timers", "outbox", "sizes"):
                raise InputError(f"the snapshot holds {placed.kind!r} of a partition, which this version does not know")
        for (copy, generation), found in contacts.items():
            self._copy_contacts(copy._replace(generation=generation), copy, found)

    def _copy_contacts(self, kept: StateKeys, copy: StateKeys, keys: list[bytes]) -> None:
        old, new = kept.contact_prefix.encode(), copy.contact_prefix.encode()
        batch: dict[bytes, bytes] = {}
        size = 0
        for key, state in zip(keys, self._source.mget(keys), strict=True):
            batch[new + key.removeprefix(old)] = state
            size += len(state)
            if size >= _BYTES_AT_ONCE:
                self._target.mset(batch)
                batch, size = {}, 0
        if batch:
            self._target.mset(batch)

    def _copy_sorted_set(self, key: str | bytes, into: str | bytes) -> None:
        start = 0
        while page := self._source.zrange(key, start, start + _ENTRIES_AT_ONCE - 1, withscores=True):
            self._target.zadd(into, dict(page))
            start += len(page)


def _pages(client: Any, pattern: str) -> Iterator[list[bytes]]:
    cursor = 0
    while True:
        cursor, keys = client.scan(cursor, match=pattern, count=_KEYS_AT_ONCE)
        if keys:
            yield keys
        if cursor == 0:
            return


def _refused(partition: int, word: bytes, answer: list[str]) -> InputError | UnavailableError:
    if word == b"gone":
        return UnavailableError(
            f"partition {partition}: Redis was emptied, or another `segue restore` began, while the copy was made; "
            "what serves was left as it is: try again"
        )
    if word == b"turned":
        return UnavailableError(
            f"partition {partition}: its state was started over, or its definitions changed (generation "
            f"{answer[0] or 'none'}) while the copy was made; what serves was left as it is: try again"
        )
    what = {b"format": "is of a newer format", b"log": "belongs to another log", b"epoch": "is of a later epoch"}
    return InputError(
        f"partition {partition}: the state that serves {what[word]} by now ({', '.join(answer)}): it was left as it is"
    )
