"""What a scenario gives: items of its `given` as records."""

from __future__ import annotations

import json
from typing import Any

from schemas.instants import format_instant
from schemas.records import InvalidRecordError, decode_record
from streams.scenarios.course import GivenRecord
from streams.scenarios.notation import GIVEN, ConsentSpec, EraseSpec, EventSpec, GivenSpec, ListSpec, TraitsSpec
from streams.scenarios.scope import Scope
from streams.segmentation.names import nearest
from streams.segmentation.problems import join
from streams.segmentation.refusals import ABSENT, keys_of


def read_given(item: Any, path: str, scope: Scope) -> list[GivenRecord]:
    """The records of one item, as many as its `times` says; none where something is wrong, which is noted."""
    kind = _kind_of(item, path, scope)
    scope.meet(item)
    spec = None if kind is None else scope.findings.read(kind, item, path)
    if spec is None:
        return []
    at_ms = scope.instant(spec.at, join(path, "at"))
    received_ms = scope.instant(spec.received_at, join(path, "received_at"))
    contact_id = spec.contact or scope.contact
    if isinstance(spec, ListSpec) and spec.list not in scope.definitions.lists:
        known = scope.definitions.lists
        scope.unknown(join(path, "list"), spec.list, known, "a list of the definition file")
    if at_ms is None or (received_ms is None and spec.received_at is not None):
        return []
    name = spec.event_id or f"given-{path.rpartition('[')[2].rstrip(']')}"
    records = []
    for turn in range(spec.times):
        shift_ms = turn * (spec.every or 0)
        body = {
            **_content(spec),
            "event_id": name if spec.event_id is not None else f"{name}-{turn}",
            "contact_id": contact_id,
            "occurred_at": format_instant(at_ms + shift_ms),
            "backfill": spec.backfill,
        }
        if received_ms is not None:
            body["received_at"] = format_instant(received_ms + shift_ms)
        line = json.dumps(body).encode()
        stated_ms = (at_ms if received_ms is None else received_ms) + shift_ms
        if not _is_record(line, path, scope):
            return []
        records.append(GivenRecord(stated_ms, contact_id, line, _names(spec)))
    return records


def _kind_of(item: Any, path: str, scope: Scope) -> type[GivenSpec] | None:
    keys = [key for key in GIVEN if key in item] if isinstance(item, dict) else []
    if len(keys) == 1:
        return GIVEN[keys[0]]
    expected = f"expected one key that says what happened: {', '.join(GIVEN)}"
    if isinstance(item, dict) and not keys:
        for key in item:
            if key not in keys_of(GivenSpec) and nearest(key, GIVEN):
                scope.findings.add(join(path, key), key, expected, nearest(key, GIVEN), on_key=True)
                return None
    scope.findings.add(path, ABSENT if isinstance(item, dict) else item, expected)
    return None


def _content(spec: GivenSpec) -> dict[str, Any]:
    """What the record says, apart from whom it is about and when."""
    if isinstance(spec, EventSpec):
        fields = {"event", "properties", "context", "source", "machine"}
        return {"type": "track", **spec.model_dump(include=fields, exclude_none=True)}
    if isinstance(spec, TraitsSpec):
        return {"type": "identify", "traits": spec.traits}
    if isinstance(spec, ConsentSpec):
        decision = spec.model_dump(include={"granted", "document", "method"})
        return {"type": "consent", "purpose": spec.consent, **decision}
    if isinstance(spec, ListSpec):
        return {"type": "list", "list": spec.list, "member": spec.member}
    assert isinstance(spec, EraseSpec), "there are five kinds of records"
    return {"type": "erase"}


def _names(spec: GivenSpec) -> tuple[str, ...]:
    """What definitions may look at in it."""
    if isinstance(spec, EventSpec):
        return (f"event:{spec.event}",)
    if isinstance(spec, TraitsSpec):
        return tuple(f"trait:{name}" for name in spec.traits)
    return (f"consent:{spec.consent}",) if isinstance(spec, ConsentSpec) else ()


def _is_record(line: bytes, path: str, scope: Scope) -> bool:
    try:
        decode_record(line)
    except InvalidRecordError as error:
        scope.findings.add(path, ABSENT, f"expected a valid record: {error.detail}")
        return False
    return True
