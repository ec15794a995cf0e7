"""Removes what earlier generations of a state, and copies that were given up, have left in Redis."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from schemas.topics import Names
from streams.adapters.redis.connection import Script
from streams.adapters.redis.keys import StateKeys, all_partitions, placed_key
from streams.adapters.redis.server import run_script

_AT_ONCE = 1_000


def drop_generations(client: Any, serving: Mapping[int, StateKeys], *, copies_too: bool = False) -> None:
    """Delete the keys of the generations before those that serve; with `copies_too` of all others.

    A copy that is being made has a mark, and can serve no more once the mark is gone. So it is taken first, and
    only what does not serve after that is deleted. What a change of definitions rests on stays, see `lua/sweep.lua`.
    """
    sweep = Script("sweep")
    for kept, stale in _stale(client, serving, copies_too=copies_too):
        for start in range(0, len(stale), _AT_ONCE):
            keys = [kept.meta, kept._replace(is_build=True).meta, *stale[start : start + _AT_ONCE]]
            run_script(client, sweep, keys, [kept.generation])


def count_keys(client: Any, serving: Mapping[int, StateKeys]) -> Counter[tuple[int, int]]:
    """Keys of generations that do not serve, by partition and generation."""
    counts: Counter[tuple[int, int]] = Counter()
    for _, stale in _stale(client, serving, copies_too=True, take_marks=False):
        placed = filter(None, map(placed_key, map(str.encode, stale)))
        counts.update((one.partition, one.generation) for one in placed)
    return counts


def _stale(
    client: Any, serving: Mapping[int, StateKeys], *, copies_too: bool, take_marks: bool = True
) -> Iterator[tuple[StateKeys, list[str]]]:
    if not serving:
        return
    one = next(iter(serving.values()))
    pattern = one.all_generations if len(serving) == 1 else all_partitions(one.names)
    cursor = 0
    while True:
        cursor, found = client.scan(cursor, match=pattern, count=_AT_ONCE)
        stale: defaultdict[int, list[str]] = defaultdict(list)
        marks: set[str] = set()
        for key in found:
            placed = placed_key(key)
            kept = None if placed is None else serving.get(placed.partition)
            if placed is None or kept is None or placed.generation == kept.generation:
                continue
            if placed.generation < kept.generation or copies_too:
                stale[placed.partition].append(key.decode())
                marks.add(kept._replace(generation=placed.generation).staged)
        for mark in marks if take_marks else ():
            client.unlink(mark)
        for partition, keys in stale.items():
            yield serving[partition], keys
        if cursor == 0:
            return


def serving_keys(names: Names, generations: Mapping[int, int]) -> dict[int, StateKeys]:
    """The keys of the generations that serve."""
    return {partition: StateKeys(names, partition, generation) for partition, generation in generations.items()}
