"""Where the state of each partition stands in a Redis, whichever it is: the one that serves, or a snapshot of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.topics import Names
from streams.adapters.redis.fold import versions_in
from streams.adapters.redis.state import as_text, former_in
from streams.generations import Building
from streams.ports import Cursor, Fence, LogIdentity
from streams.snapshots.manifest import StatePoint

PARTITIONS_ASKED = 1_000
"""Partitions that are asked for; a log of more has them asked for by number."""


def read_points(client: Any, names: Names, partitions: int = PARTITIONS_ASKED) -> dict[int, StatePoint]:
    """The state of each of the first `partitions` that has any; more where one of them says that there are more."""
    points: dict[int, StatePoint] = {}
    start = 0
    while start < partitions:
        pipeline = client.pipeline(transaction=False)
        for partition in range(start, partitions):
            pipeline.hgetall(names.key(partition, "meta"))
        for partition, found in enumerate(pipeline.execute(), start):
            if found:
                points[partition] = _point(partition, as_text(found))
        start, partitions = partitions, max((point.log.partitions for point in points.values()), default=0)
    return points


def building_in(fields: Mapping[str, str], serving: int) -> Building | None:
    """What is built beside the generation that serves, by the hash of a build; None for leftovers."""
    if not fields or int(fields["generation"]) <= serving:
        return None
    text_hash, _, semantics = fields["definitions_hash"].partition("@")
    return Building(
        generation=int(fields["generation"]),
        definitions_hash=text_hash,
        semantics=semantics,
        by_worker=fields["owner"] != "",
        cursor=Cursor(int(fields["offset"]), int(fields["steps"])),
        clock_ms=int(fields["clock"]),
    )


def _point(partition: int, fields: dict[str, str]) -> StatePoint:
    return StatePoint(
        partition=partition,
        generation=int(fields["generation"]),
        state_format=int(fields["format"]),
        log=LogIdentity(fields["cluster_id"], fields["topic_id"], int(fields["partitions"])),
        cursor=Cursor(int(fields["offset"]), int(fields["steps"])),
        index=int(fields["index"]),
        clock_ms=int(fields["clock"]),
        seq=int(fields["seq"]),
        epoch=int(fields["epoch"]),
        definitions=fields.get("definitions"),
        definitions_number=int(fields["definitions_number"]),
        fence=Fence(int(fields["fence_generation"]), fields["fence_member"]),
        versions=versions_in(fields),
        former=former_in(fields),
    )
