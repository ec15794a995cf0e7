"""What a log must yield, computed by the simulator's own fold and none of the engine."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.records import DefinitionsRecord, InvalidRecordError, Tick, decode_record
from schemas.transitions import Transition
from streams.ports import RawRecord
from streams.segmentation import Core, Fold, parse_canonical


def simulated(records: Iterable[RawRecord]) -> list[Transition]:
    """The transitions of a log of one partition, in order."""
    fold: Fold | None = None
    for raw in records:
        try:
            record = decode_record(raw.value)
        except InvalidRecordError:
            continue
        if isinstance(record, DefinitionsRecord):
            fold = fold or Fold(Core(parse_canonical(record.definitions)))
        assert fold is not None
        if isinstance(record, Tick | DefinitionsRecord):
            fold.fire(raw.timestamp_ms, raw.offset)
        elif raw.key == record.contact_id.encode():
            fold.fire(raw.timestamp_ms, raw.offset)
            fold.apply(record, raw.offset, raw.timestamp_ms)
    return fold.emitted if fold is not None else []
