"""Records of the `tracking` topic, and their decoding from bytes.

`decode_record` is the one way from bytes to a record: the worker, the collector, `segue load` and the
simulator all pass through it, so a line that one of them takes, all of them take.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec
from pydantic import ValidationError

from schemas import record_models as models
from schemas.expectations import expectation
from schemas.forwards import Forward, ForwardKind, MovedRecord, Origin
from schemas.instants import parse_instant
from schemas.record_models import (
    RECORD_TYPES,
    Consent,
    Correction,
    DefinitionsRecord,
    Erase,
    Identify,
    Link,
    ListMembership,
    Tick,
)
from schemas.tracks import Suspicion, Track, Untyped, texts_of

__all__ = [
    "MAX_DEPTH", "Consent", "ContactRecord", "Correction", "DefinitionsRecord", "Erase", "Forward", "ForwardKind",
    "Identify", "InvalidRecordError", "Link", "ListMembership", "MovedRecord", "Origin", "Reason", "Record",
    "Suspicion", "Tick", "Track", "decode_record", "definitions_hash", "definitions_identity", "describe",
    "encode_forward", "encode_record", "parse_json", "validate_record",
]  # fmt: skip

MAX_DEPTH = 64
"""Objects and lists nested deeper than this make a record invalid, everywhere alike."""


class InvalidRecordError(ValueError):
    """The bytes are no valid record. `reason` is a label of few values; the text says what was expected."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.detail = detail


Reason: TypeAlias = Literal["undecodable", "too_deep", "unknown_type", "invalid"]


ContactRecord: TypeAlias = MovedRecord | Erase | Link | Forward
Record: TypeAlias = ContactRecord | Tick | DefinitionsRecord

_json = msgspec.json.Decoder()


_track = msgspec.json.Decoder(Track | Untyped)


def _depth_within(value: object, allowed: int) -> bool:
    if isinstance(value, dict):
        return allowed > 0 and all(_depth_within(item, allowed - 1) for item in value.values())
    if isinstance(value, list):
        return allowed > 0 and all(_depth_within(item, allowed - 1) for item in value)
    return True


def _levels_around(value: object) -> int:
    """How much deeper than others a record may be: one that moves others holds them whole."""
    return 2 if isinstance(value, dict) and value.get("type") == "forward" else 0


def parse_json(raw: bytes) -> object:
    """The JSON in `raw`, nested within bounds. Raises `InvalidRecordError`."""
    # The parser's own bound on depth moves with the depth of the Python stack; ours does not.
    brackets = raw.count(b"{") + raw.count(b"[")
    try:
        value: object = _json.decode(raw)
    except RecursionError:
        raise InvalidRecordError("too_deep", f"expected at most {MAX_DEPTH} levels of nesting") from None
    except msgspec.MsgspecError as error:
        raise InvalidRecordError("undecodable", f"expected JSON in UTF-8: {error}") from None
    except UnicodeDecodeError as error:
        raise InvalidRecordError("undecodable", f"expected JSON in UTF-8: {error.reason}") from None
    if brackets > MAX_DEPTH and not _depth_within(value, MAX_DEPTH + _levels_around(value)):
        raise InvalidRecordError("too_deep", f"expected at most {MAX_DEPTH} levels of nesting")
    return value


def describe(error: ValidationError) -> str:
    """All that is wrong, in one line: `path: what was expected`. Values are left out: they may be personal."""
    parts = []
    for problem in error.errors(include_url=False, include_input=False):
        path = ".".join(str(step) for step in problem["loc"][1:])  # the first step is the record's type
        parts.append(f"{path or 'record'}: {expectation(problem)}")
    return "; ".join(parts)


def validate_record(value: object) -> Record:
    """The record in parsed JSON. Raises `InvalidRecordError`."""
    if not isinstance(value, dict):
        raise InvalidRecordError("invalid", "expected a JSON object")
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in RECORD_TYPES:
        raise InvalidRecordError("unknown_type", f"type: expected one of {', '.join(RECORD_TYPES)}")
    try:
        model = models.RECORD.validate_python(value)
    except ValidationError as error:
        raise InvalidRecordError("invalid", describe(error)) from None
    if isinstance(model, models.Track):
        return _tracked(model)
    return _forward(model) if isinstance(model, models.Forward) else model


def _forward(model: models.Forward) -> Forward:
    return Forward(
        event_id=model.event_id,
        contact_id=model.contact_id,
        occurred_at=model.occurred_at,
        origin=Origin(model.origin.partition, model.origin.offset, model.origin.first),
        linked_id=model.linked_id,
        kind=model.kind,
        records=[_tracked(one) if isinstance(one, models.Track) else one for one in model.records],
        known_since=model.known_since,
        received_at=model.received_at,
        backfill=model.backfill,
    )


def _tracked(model: models.Track) -> Track:
    machine = None if model.machine is None else Suspicion(model.machine.suspected, model.machine.reasons)
    return Track(
        event_id=model.event_id,
        contact_id=model.contact_id,
        event=model.event,
        occurred_at=model.occurred_at,
        properties=model.properties,
        context=model.context,
        source=model.source,
        machine=machine,
        received_at=model.received_at,
        backfill=model.backfill,
    )


def _decode_track(raw: bytes) -> Track | None:
    """The event in `raw`; None where that is for the slower way to say, which then also says what is wrong.

    It takes nothing that the slower way would not take, and takes it for the same.
    """
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        return None
    try:
        event = _track.decode(raw)
        if not isinstance(event, Track):
            return None
        occurred_at, received_at = texts_of(event)
        event.occurred_at = occurred = parse_instant(occurred_at)
        if received_at is not None:
            event.received_at = occurred if received_at == occurred_at else parse_instant(received_at)
    except (ValueError, RecursionError):  # of which msgspec's are some
        return None
    return event


def decode_record(raw: bytes | None) -> Record:
    """The record in the value of a Kafka message or a line of a file. Raises `InvalidRecordError`."""
    if raw is None:
        raise InvalidRecordError("undecodable", "expected JSON, not an empty value")
    return _decode_track(raw) or validate_record(parse_json(raw))


def encode_record(record: Record | models.Track) -> bytes:
    """The bytes of a record as our own producers write it; `decode_record` reads them back."""
    return msgspec.json.encode(_model(record).model_dump(exclude_none=True))


def encode_forward(forward: Forward, raw: Sequence[bytes]) -> bytes:
    """The bytes of a forward whose records are those in `raw`, kept as they were written."""
    envelope = encode_record(msgspec.structs.replace(forward, records=[]))
    assert envelope.endswith(b'"records":[]}'), "the records come last"
    return envelope[: -len(b"]}")] + b",".join(raw) + b"]}"


def _model(record: Record | models.Track) -> models.RecordModel:
    if isinstance(record, Track):
        fields = msgspec.structs.asdict(record)
        fields["machine"] = None if record.machine is None else models.Machine(**msgspec.structs.asdict(record.machine))
        return models.Track.model_construct(type="track", **fields)
    if isinstance(record, Forward):
        fields = msgspec.structs.asdict(record)
        fields |= {
            "origin": models.Origin(**record.origin._asdict()),
            "records": [None if one is None else _model(one) for one in record.records],
        }
        return models.Forward.model_construct(type="forward", **fields)
    return record


def definitions_hash(canonical: str) -> str:
    """SHA-256 of a canonical definition text, in hex."""
    return hashlib.sha256(canonical.encode()).hexdigest()


def definitions_identity(text_hash: str, semantics: str) -> str:
    """What definitions are: the text with this hash, as this version of the semantics takes it."""
    return f"{text_hash}@{semantics}"
