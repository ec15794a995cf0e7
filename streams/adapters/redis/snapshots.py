"""Which snapshots there are, noted in Redis for who looks after the deployment: retention must not overtake them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from schemas.topics import Names
from streams.snapshots.manifest import Manifest


class NotedSnapshot(msgspec.Struct, frozen=True):
    """A snapshot that was made, and not removed since."""

    name: str
    made_at: str
    offsets: dict[int, int]


def note_snapshot(client: Any, names: Names, name: str, manifest: Manifest) -> None:
    """Remember a snapshot."""
    offsets = {partition: entry.offset for partition, entry in manifest.partitions.items()}
    client.hset(_key(names), name, msgspec.json.encode(NotedSnapshot(name, manifest.made_at, offsets)))


def forget_snapshots(client: Any, names: Names, gone: Iterable[str]) -> None:
    """Forget some."""
    listed = list(gone)
    if listed:
        client.hdel(_key(names), *listed)


def noted_snapshots(client: Any, names: Names) -> list[NotedSnapshot]:
    """All of them, oldest first."""
    found = [msgspec.json.decode(value, type=NotedSnapshot) for value in client.hvals(_key(names))]
    return sorted(found, key=lambda noted: noted.made_at)


def _key(names: Names) -> str:
    return names.shared_key("snapshots")
