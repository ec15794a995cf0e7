"""Changes of definitions in a simulated log: the history is read again, and contacts go on from how they stood."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from schemas.records import DefinitionsRecord, InvalidRecordError, Record, definitions_hash, definitions_identity
from schemas.transitions import Transition
from streams.segmentation import KNOWN_SEMANTICS, Core, Definitions, DefinitionsError, Step, Succession, parse_canonical
from streams.simulation.packed_contacts import PackedContacts
from streams.simulation.partitions import Partitions
from streams.simulation.record_lines import read_line, stated_ms

History: TypeAlias = Callable[[int], Iterable[bytes]]
"""Gives so many of the lines that were read, from the first on, as often as it is asked."""


class Reader:
    """Reads lines of which some may bring definitions; each text is compiled once."""

    def __init__(self) -> None:
        self._compiled: dict[str, Definitions] = {}

    def read(self, line: bytes) -> Record:
        """The record in a line. Raises `InvalidRecordError`, also for definitions that cannot hold."""
        record = read_line(line, definitions=True)
        if isinstance(record, DefinitionsRecord):
            self.definitions(record)
        return record

    def definitions(self, record: DefinitionsRecord) -> Definitions:
        """What the record brings. Raises `InvalidRecordError`."""
        text = record.definitions
        if definitions_hash(text) != record.hash:
            raise InvalidRecordError("invalid", "hash: expected the SHA-256 of `definitions`")
        if record.semantics not in KNOWN_SEMANTICS:
            raise InvalidRecordError("invalid", f"semantics: expected one of {', '.join(KNOWN_SEMANTICS)}")
        identity = definitions_identity(record.hash, record.semantics)
        compiled = self._compiled.get(identity)
        if compiled is None:
            try:
                compiled = self._compiled[identity] = parse_canonical(text, record.semantics)
            except DefinitionsError as error:
                raise InvalidRecordError("invalid", "; ".join(str(error).splitlines())) from None
        return compiled


def rehearse(log: Partitions, lines: Iterable[bytes], read: Callable[[bytes], Record]) -> None:
    """Let a log take in lines that nobody is told of. Definitions among them only move the clock."""
    for place, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            record = read(line)
        except InvalidRecordError:
            continue  # it was told when it was read first
        stated = stated_ms(record)
        assert stated is not None, "records without an instant were refused"
        log.at_line(place)
        if record.type == "tick" or record.type == "definitions":  # noqa: PLR1714 - narrows the type
            log.tick(stated)
        else:
            log.apply(record, stated)


def hand_over(
    former: Partitions, log: Partitions, core: Core, contacts: PackedContacts, record: DefinitionsRecord
) -> Iterator[Transition]:
    """Let a log that was rehearsed go on for the one that it follows; the differences, a contact at a time.

    `core` is one for the definitions of the log, `contacts` is filled with its own, and those of both logs are used up.
    Both stand behind `record`.
    """
    names = {key: name for both in (former, log) for key, name in both.contacts.ids() if name is not None}
    nameless = [key for key in log.contacts if key not in names]
    emitted: list[Transition] = []
    steps = [
        Step(fold.clock_ms, fold.clock_ms, (fold.partition, log.last_offset(fold)), emitted, record)
        for fold in log.folds
    ]
    succession = Succession(former.core.definitions, core)
    for key in sorted(names, key=lambda key: names[key].encode()):
        step = steps[log.fold_of(names[key]).partition]
        settled = succession.settle(log.contacts.pop_encoded(key), former.contacts.pop_encoded(key), step.at_ms)
        if settled.raw is not None:
            contacts.put_encoded(key, settled.raw)
        succession.tell(key, settled, step)
        yield from emitted
        emitted.clear()
    for key in nameless:
        raw = log.contacts.pop_encoded(key)
        if raw is not None:
            contacts.put_encoded(key, raw)
    log.go_on_with(core, contacts)
