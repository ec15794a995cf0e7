"""`POST /v1/track`, `/v1/identify` and `/v1/batch`.

The answer says exactly what became of each event. 200: Kafka has all of them. 400 or 413 with `rejected`: Kafka has
all but those. 401, 408, 413, 415 or 400 without: none was taken. 429 or 503: try again with the same messageIds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from streams.collector.front_door import FrontDoor, Way
from streams.collector.payloads import Accepted, Arrival, PayloadError, Problem, accept, parse_sdk_instant
from streams.collector.refusals import Refusal
from streams.collector.settings import BATCH_BYTES_MAX, BATCH_CONTEXT_BYTES_MAX, BATCH_EVENTS_MAX, EVENT_BYTES_MAX


class _Batch(msgspec.Struct):
    batch: list[msgspec.Raw]
    context: Any = None
    sentAt: Any = None  # noqa: N815 - the name on the wire


@dataclass(frozen=True, slots=True)
class _Rejected:
    index: int
    message_id: str | None
    problems: list[Problem]
    too_large: bool = False

    def body(self) -> dict[str, object]:
        problems = [problem._asdict() for problem in self.problems]
        return {"index": self.index, "messageId": self.message_id, "problems": problems}


class _Sorted(NamedTuple):
    """The events of a call: those that are records now, and those that cannot be."""

    accepted: list[Accepted]
    rejected: list[_Rejected]


class Api:
    """The calls of tracking SDKs."""

    def __init__(self, door: FrontDoor) -> None:
        self._door = door

    def ways(self) -> list[Way]:
        """The paths of these calls."""
        return [
            Way("track", "/v1/track", self.track),
            Way("identify", "/v1/identify", self.identify),
            Way("batch", "/v1/batch", self.batch),
        ]

    async def track(self, request: Request) -> Response:
        """One thing that a contact did."""
        return await self._answer(request, EVENT_BYTES_MAX, lambda raw, arrival: _sort([raw], "track", arrival))

    async def identify(self, request: Request) -> Response:
        """Traits of one contact."""
        return await self._answer(request, EVENT_BYTES_MAX, lambda raw, arrival: _sort([raw], "identify", arrival))

    async def batch(self, request: Request) -> Response:
        """Many of both."""
        return await self._answer(request, BATCH_BYTES_MAX, _sort_batch)

    async def _answer(self, request: Request, bytes_max: int, sort: Callable[[bytes, Arrival], _Sorted]) -> Response:
        door = self._door
        try:
            key = door.key(request)
            raw = await door.body(request, bytes_max)
            events = sort(raw, door.arrival(key))
            await door.write(key, events.accepted)
        except Refusal as refusal:
            return door.refuse(refusal)
        return self._report(events)

    def _report(self, events: _Sorted) -> Response:
        if not events.rejected:
            return Response(b'{"accepted":%d,"rejected":[]}' % len(events.accepted), media_type="application/json")
        body: dict[str, object] = {"accepted": len(events.accepted)}
        too_large = any(rejected.too_large for rejected in events.rejected)
        self._door.count_rejected("too_large" if too_large else "invalid")
        body["rejected"] = [rejected.body() for rejected in events.rejected]
        body["error"] = f"rejected {len(events.rejected)} of {len(events.rejected) + len(events.accepted)} events"
        return JSONResponse(body, 413 if too_large else 400)


def _sort_batch(raw: bytes, arrival: Arrival) -> _Sorted:
    try:
        batch = msgspec.json.decode(raw, type=_Batch)
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
        sent_at_ms = None if batch.sentAt is None else parse_sdk_instant(batch.sentAt)
    except ValueError as error:
        raise Refusal(400, "invalid", f"sentAt: {error}") from None
    events = [bytes(event) for event in batch.batch]
    return _sort(events, None, arrival._replace(context=context, sent_at_ms=sent_at_ms))


def _json_bytes(context: dict[str, Any]) -> int:
    try:
        return len(msgspec.json.encode(context))
    except RecursionError:
        raise Refusal(400, "invalid", "context: expected fewer levels of nesting") from None


def _sort(events: list[bytes], kind: str | None, arrival: Arrival) -> _Sorted:
    found = _Sorted([], [])
    for index, raw in enumerate(events):
        if len(raw) > EVENT_BYTES_MAX:
            problem = Problem("", f"expected at most {EVENT_BYTES_MAX} bytes")
            found.rejected.append(_Rejected(index, None, [problem], too_large=True))
            continue
        event: object = None
        try:
            event = msgspec.json.decode(raw)
            found.accepted.append(accept(kind, event, arrival))
        except PayloadError as error:
            found.rejected.append(_Rejected(index, _message_id(event), error.problems))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            found.rejected.append(_Rejected(index, None, [Problem("", f"expected JSON in UTF-8: {error}")]))
    return found


def _message_id(event: object) -> str | None:
    message_id = event.get("messageId") if isinstance(event, dict) else None
    return message_id[:128] if isinstance(message_id, str) else None
