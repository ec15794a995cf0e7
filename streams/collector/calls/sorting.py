"""Tells the events of a call that are records from those that cannot be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.collector.calls.fields import Arrival, PayloadError, Problem, parse_sdk_instant
from streams.collector.calls.payloads import Accepted, accept
from streams.collector.http.refusals import Refusal
from streams.collector.settings import BATCH_CONTEXT_BYTES_MAX, BATCH_EVENTS_MAX, EVENT_BYTES_MAX


class _Batch(msgspec.Struct, rename="camel"):
    batch: list[msgspec.Raw]
    context: Any = None
    sent_at: Any = None


_event = msgspec.json.Decoder()
_batch = msgspec.json.Decoder(_Batch)


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that cannot be a record."""

    index: int
    message_id: str | None
    problems: list[Problem]
    too_large: bool = False

    def body(self) -> dict[str, object]:
        """As the answer names it."""
        problems = [problem._asdict() for problem in self.problems]
        return {"index": self.index, "messageId": self.message_id, "problems": problems}


@dataclass(slots=True)
class Sorted:
    """The events of a call: records, and what cannot be one."""

    accepted: list[Accepted] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def sort_single(call: str, raw: bytes, arrival: Arrival) -> Sorted:
    """The one event of a body."""
    return _sort([raw], call, arrival)


def sort_batch(raw: bytes, arrival: Arrival) -> Sorted:
    """The events of a batch. Raises `Refusal` (400, 413) where it is none."""
    try:
        batch = _batch.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, "invalid", f"expected a JSON object with a list `batch`: {error}") from None
    if len(batch.batch) > BATCH_EVENTS_MAX:
        raise Refusal(413, "too_large", f"batch: expected at most {BATCH_EVENTS_MAX} events")
    if batch.context is not None and not isinstance(batch.context, dict):
        raise Refusal(400, "invalid", "context: expected a JSON object")
    context = batch.context or {}
    if context and _json_bytes(context) > BATCH_CONTEXT_BYTES_MAX:
        raise Refusal(413, "too_large", f"context: expected at most {BATCH_CONTEXT_BYTES_MAX} bytes of JSON")
    try:
        sent_at_ms = None if batch.sent_at is None else parse_sdk_instant(batch.sent_at)
    except ValueError as error:
        raise Refusal(400, "invalid", f"sentAt: {error}") from None
    events = [bytes(event) for event in batch.batch]
    return _sort(events, None, arrival._replace(context=context, sent_at_ms=sent_at_ms))


def _json_bytes(context: dict[str, Any]) -> int:
    try:
        return len(msgspec.json.encode(context))
    except RecursionError:
        raise Refusal(400, "invalid", "context: expected fewer levels of nesting") from None


def _sort(events: list[bytes], call: str | None, arrival: Arrival) -> Sorted:
    found = Sorted()
    for index, raw in enumerate(events):
        if len(raw) > EVENT_BYTES_MAX:
            problem = Problem("", f"expected at most {EVENT_BYTES_MAX} bytes")
            found.rejected.append(Rejected(index, None, [problem], too_large=True))
            continue
        event: object = None
        try:
            event = _event.decode(raw)
            record = accept(call, event, arrival)
        except PayloadError as error:
            found.rejected.append(Rejected(index, _message_id(event), error.problems))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            found.rejected.append(Rejected(index, None, [Problem("", f"expected JSON in UTF-8: {error}")]))
        else:
            found.accepted.append(record)
    return found


def _message_id(event: object) -> str | None:
    message_id = event.get("messageId") if isinstance(event, dict) else None
    return message_id[:128] if isinstance(message_id, str) else None
