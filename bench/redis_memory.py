"""How many bytes a place takes in Redis, and which kinds of keys take them."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from bench.stand import Place
from streams.adapters.redis.keys import all_partitions, placed_key

_SAMPLED = 500
"""Most keys of a kind that are asked for their size."""
_SCANNED = 10_000


@dataclass(frozen=True)
class Memory:
    """Bytes in all, and an estimate of what each kind of key takes."""

    total: int
    kinds: dict[str, float]


def used_bytes(place: Place) -> int:
    """What Redis says that its data and buffers take."""
    client = place.client()
    used = int(client.info("memory")["used_memory"])
    client.close()
    return used


def by_kind(place: Place) -> dict[str, float]:
    """Kind of key → bytes of all such keys, from the mean of those that were looked at."""
    client, counts, sampled = place.client(), Counter[str](), defaultdict[str, list[bytes]](list)
    for key in client.scan_iter(all_partitions(place.names), count=_SCANNED):
        placed = placed_key(key)
        kind = "unknown" if placed is None else placed.kind
        counts[kind] += 1
        if len(sampled[kind]) < _SAMPLED:
            sampled[kind].append(key)
    sizes: dict[str, float] = {}
    for kind, keys in sampled.items():
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            # Of a large collection a part is looked at, as Redis does by itself, but a larger one.
            pipeline.memory_usage(key, samples=_SAMPLED)
        sizes[kind] = counts[kind] * sum(pipeline.execute()) / len(keys)
    client.close()
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))
