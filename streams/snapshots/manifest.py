"""What a snapshot says of itself: a JSON file beside what Redis dumped, and where each partition stood in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from schemas.errors import InputError
from schemas.instants import format_instant
from schemas.records import definitions_hash
from streams.ports import Cursor, Fence, LogIdentity
from streams.versions import Former, Version, is_telling

MANIFEST_FORMAT = 1


@dataclass(frozen=True, slots=True)
class StatePoint:
    """Where a partition's state stands: all that Redis keeps of it beside contacts, timers and output."""

    partition: int
    generation: int
    state_format: int
    log: LogIdentity
    cursor: Cursor
    index: int
    clock_ms: int
    seq: int
    epoch: int
    definitions: str | None
    definitions_number: int
    fence: Fence
    versions: tuple[Version, ...] = ()
    former: Former | None = None  # the state before the last change, as long as something is left of it

    @property
    def is_telling(self) -> bool:
        """Whether the last change is made, and not all is told yet that it makes different."""
        return is_telling(self.former, self.versions, self.cursor.offset)

    @property
    def untouched(self) -> bool:
        """Whether nothing was folded yet."""
        return self.cursor == Cursor(0, 0)


class PartitionEntry(msgspec.Struct, frozen=True):
    """A partition in a manifest."""

    offset: int
    steps: int
    clock: str | None
    seq: int
    epoch: int
    definitions_hash: str | None
    definitions_number: int
    cluster_id: str
    topic_id: str
    versions: tuple[Version, ...] = ()
    """Of the definitions, as they came to hold."""


class FileEntry(msgspec.Struct, frozen=True):
    """A file that Redis dumped."""

    name: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """A snapshot. Of Redis there is a file for each master; today that is one."""

    segue_snapshot: int
    namespace: str
    made_at: str
    redis_version: str
    state_format: int
    files: list[FileEntry]
    partitions: dict[int, PartitionEntry]

    def encoded(self) -> bytes:
        """The content of the manifest's file."""
        return msgspec.json.format(msgspec.json.encode(self)) + b"\n"


def make_manifest(
    namespace: str, made_at_ms: int, redis_version: str, files: list[FileEntry], points: Mapping[int, StatePoint]
) -> Manifest:
    """The manifest of what was found in the dumped files."""
    return Manifest(
        segue_snapshot=MANIFEST_FORMAT,
        namespace=namespace,
        made_at=format_instant(made_at_ms),
        redis_version=redis_version,
        state_format=max(point.state_format for point in points.values()),
        files=files,
        partitions={partition: _entry(point) for partition, point in sorted(points.items())},
    )


def read_manifest(path: Path) -> Manifest:
    """A manifest from its file. Raises `InputError` for what is none, or is newer than this program."""
    try:
        raw = path.read_bytes()
        found = msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).get("segue_snapshot")
        number = None if found is None else msgspec.json.decode(found, type=int)
        if number is not None and number > MANIFEST_FORMAT:
            raise InputError(
                f"{path}: a snapshot of format {number}, this program knows {MANIFEST_FORMAT}: use a newer version"
            )
        return msgspec.json.decode(raw, type=Manifest)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected the manifest of a snapshot: {error}") from None


def _entry(point: StatePoint) -> PartitionEntry:
    return PartitionEntry(
        offset=point.cursor.offset,
        steps=point.cursor.steps,
        clock=format_instant(point.clock_ms) if point.clock_ms else None,
        seq=point.seq,
        epoch=point.epoch,
        definitions_hash=None if point.definitions is None else definitions_hash(point.definitions),
        definitions_number=point.definitions_number,
        cluster_id=point.log.cluster_id,
        topic_id=point.log.topic_id,
        versions=point.versions,
    )
