"""Messages as the demo's observer sees them."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.instants import format_instant
from schemas.records import DefinitionsRecord, definitions_hash, encode_record
from schemas.topics import HEADER_EPOCH, HEADER_SEQ
from schemas.transitions import Cause, CauseKind, Transition, TransitionType, encode_transition
from streams.definition_files.reading import load_definition_file
from streams.demo.observer import Seen
from streams.demo.stack import DEFINITIONS
from streams.ports import RawRecord
from streams.segmentation import SEMANTICS_VERSION, compile_definitions

START_MS = 1_790_000_000_000


def definitions_value(data: dict[str, Any] | None = None, **fields: Any) -> bytes:
    """The record with which the demo's log begins, or one that changes its definitions to `data`."""
    text = compile_definitions(load_definition_file(DEFINITIONS) if data is None else data).canonical
    return encode_record(
        DefinitionsRecord(
            type="definitions",
            definitions=text,
            hash=definitions_hash(text),
            number=1,
            semantics=SEMANTICS_VERSION,
            tzdata="2024.2",
        ).model_copy(update=fields)
    )


def track_value(contact_id: str, event: str, at_ms: int, event_id: str) -> bytes:
    """A `track` record, received when it happened."""
    moment = format_instant(at_ms)
    body = {
        "type": "track",
        "event_id": event_id,
        "contact_id": contact_id,
        "event": event,
        "occurred_at": moment,
        "received_at": moment,
    }
    return msgspec.json.encode(body)


def raw(offset: int, timestamp_ms: int, value: bytes) -> RawRecord:
    """A record as the log holds it."""
    return RawRecord(offset, timestamp_ms, None, value)


def transition(
    contact_id: str,
    segment: str,
    sequence: int,
    cause: CauseKind = "event",
    at_ms: int = START_MS,
) -> Transition:
    """A transition; odd sequences enter."""
    kind: TransitionType = "segment.entered" if sequence % 2 else "segment.exited"
    event = ("e1", "purchase") if cause == "event" else (None, None)
    return Transition(
        transition_id=f"{contact_id}-{segment}-{sequence}",
        type=kind,
        contact_id=contact_id,
        segment=segment,
        tags=[],
        definition="d",
        sequence=sequence,
        effective_at=at_ms,
        detected_at=at_ms,
        cause=Cause(kind=cause, position="tracking-0@1", event_id=event[0], event=event[1]),
        scores={},
        valid_until=None,
    )


def published(moved: Transition, seq: int, partition: int = 0, read_ms: int = START_MS + 20) -> Seen:
    """A transition as the topic holds it."""
    headers = {HEADER_SEQ: str(seq).encode(), HEADER_EPOCH: b"0"}
    return Seen("transitions", partition, seq - 1, START_MS, encode_transition(moved), headers, read_ms)


def logged(value: bytes, offset: int, timestamp_ms: int, partition: int = 0) -> Seen:
    """A record as the observer sees it."""
    return Seen("tracking", partition, offset, timestamp_ms, value, {}, timestamp_ms + 1)
