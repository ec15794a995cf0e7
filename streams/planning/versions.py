"""The definitions that held, and hold: what is known of them, and their text from the log."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import InputError
from schemas.records import DefinitionsRecord
from streams.planning.held import definitions_in, read_held
from streams.planning.planner import PlanPorts
from streams.ports import LogBounds
from streams.versions import Version


@dataclass(slots=True)
class KnownVersion:
    """Definitions, and where they lie."""

    version: Version
    """As the partition with the lowest number has it."""
    offsets: dict[int, int]
    """Of their record, by partition."""
    waiting: list[int]
    """Partitions whose worker has not come to it."""
    newest: list[int]
    """Partitions whose log has none after it."""


async def known_versions(ports: PlanPorts) -> list[KnownVersion]:
    """All definitions of the log, the newest last. Raises `UnavailableError`."""
    found: dict[tuple[int, str], KnownVersion] = {}
    for partition, bounds in sorted(ports.bounds().items()):
        meta = await ports.generations.serving(partition)
        for version in () if meta is None else meta.versions:
            _note(found, version, partition)
        held = await read_held(partition, meta, ports.history, bounds)
        if held is not None and (meta is None or not meta.versions or held.offset > meta.versions[-1].offset):
            version = Version(
                held.number, held.hash, held.offset, 0, held.author, held.message, held.silent, semantics=held.semantics
            )
            _note(found, version, partition)
            found[held.number, held.identity].waiting.append(partition)
        if held is not None:
            found[held.number, held.identity].newest.append(partition)
    return [found[key] for key in sorted(found, key=lambda key: (key[0], found[key].version.offset))]


async def definitions_of(ports: PlanPorts, number: int) -> DefinitionsRecord:
    """The record of the definitions with a number; 0 stands for those before the newest.

    Raises `InputError` where there are none, or their record is not in the log any more.
    """
    versions = await known_versions(ports)
    if number == 0:
        if len(versions) < 2:
            raise InputError("there are no earlier definitions to return to")
        wanted = versions[-2]
    else:
        of_number = [one for one in versions if one.version.number == number]
        if not of_number:
            there = ", ".join(str(one.version.number) for one in versions)
            raise InputError(f"there are no definitions {number}: there are {there or 'none'}")
        wanted = of_number[-1]
    for partition, offset in wanted.offsets.items():
        async for records in ports.history.read(partition, LogBounds(offset, offset + 1)):
            record = definitions_in(records[0])
            if record is not None:
                return record
    raise InputError(
        f"the record of definitions {wanted.version.number} is not in the log any more: apply their file instead"
    )


def _note(found: dict[tuple[int, str], KnownVersion], version: Version, partition: int) -> None:
    known = found.setdefault((version.number, version.identity), KnownVersion(version, {}, [], []))
    known.offsets[partition] = version.offset
