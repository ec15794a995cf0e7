"""`POST /v1/track`, `/v1/identify` and `/v1/batch`.

The answer says exactly what became of each event. 200: Kafka has all of them. 400 or 413 with `rejected`: Kafka has
all but those. 401, 408, 413, 415 or 400 without: none was taken. 429 or 503: try again with the same messageIds.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from schemas.metrics import Meters
from streams.collector.access import Access
from streams.collector.bodies import BodyError, read_body
from streams.collector.payloads import Accepted, Arrival, PayloadError, Problem, accept, parse_sdk_instant
from streams.collector.settings import BATCH_BYTES_MAX, BATCH_CONTEXT_BYTES_MAX, BATCH_EVENTS_MAX, EVENT_BYTES_MAX
from streams.collector.writing import WriteError, Writer
from streams.ports import Clock


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


class _CallError(Exception):
    """The whole call is turned away, nothing of it taken."""

    def __init__(self, status: int, reason: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.headers = headers


class Api:
    """The calls of tracking SDKs."""

    def __init__(self, access: Access, writer: Writer, meters: Meters, clock: Clock, *, body_timeout_ms: int) -> None:
        self._access = access
        self._writer = writer
        self._meters = meters
        self._clock = clock
        self._body_timeout_ms = body_timeout_ms

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
        try:
            source = self._authenticate(request)
            raw = await read_body(request, bytes_max, self._body_timeout_ms)
            # Before the first attempt to write, so that no repetition of it makes a second record.
            arrival = Arrival(source, self._clock.now_ms(), lambda: uuid.uuid4().hex, {})
            events = sort(raw, arrival)
            if events.accepted:
                await self._writer.write(source, events.accepted)
        except _CallError as error:
            return self._refuse(error.status, error.reason, error.message, error.headers)
        except BodyError as error:
            reason = "too_large" if error.status == 413 else "invalid"
            return self._refuse(error.status, reason, error.message)
        except WriteError as error:
            status = 429 if error.reason == "source_busy" else 503
            return self._refuse(status, error.reason, error.message, {"Retry-After": str(error.retry_after_s)})
        return self._report(events)

    def _authenticate(self, request: Request) -> str:
        source = self._access.source(request.headers.get("authorization"))
        if source is None:
            raise _CallError(
                401,
                "unauthorized",
                "expected Basic authentication with a write key as the user name and no password",
                **{"WWW-Authenticate": 'Basic realm="segue"'},
            )
        return source

    def _report(self, events: _Sorted) -> Response:
        if not events.rejected:
            return Response(b'{"accepted":%d,"rejected":[]}' % len(events.accepted), media_type="application/json")
        body: dict[str, object] = {"accepted": len(events.accepted)}
        too_large = any(rejected.too_large for rejected in events.rejected)
        self._meters.counter("segue_collector_rejected_total", "too_large" if too_large else "invalid").inc()
        body["rejected"] = [rejected.body() for rejected in events.rejected]
        body["error"] = f"rejected {len(events.rejected)} of {len(events.rejected) + len(events.accepted)} events"
        return JSONResponse(body, 413 if too_large else 400)

    def _refuse(self, status: int, reason: str, message: str, headers: dict[str, str] | None = None) -> Response:
        self._meters.counter("segue_collector_rejected_total", reason).inc()
        return JSONResponse({"accepted": 0, "rejected": [], "error": message}, status, headers)


def _sort_batch(raw: bytes, arrival: Arrival) -> _Sorted:
    try:
        batch = msgspec.json.decode(raw, type=_Batch)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _CallError(400, "invalid", f"expected a JSON object with a list `batch`: {error}") from None
    if len(batch.batch) > BATCH_EVENTS_MAX:
        raise _CallError(413, "too_large", f"batch: expected at most {BATCH_EVENTS_MAX} events")
    if batch.context is not None and not isinstance(batch.context, dict):
        raise _CallError(400, "invalid", "context: expected a JSON object")
    context = batch.context or {}
    if context and _json_bytes(context) > BATCH_CONTEXT_BYTES_MAX:
        raise _CallError(413, "too_large", f"context: expected at most {BATCH_CONTEXT_BYTES_MAX} bytes of JSON")
    try:
        sent_at_ms = None if batch.sentAt is None else parse_sdk_instant(batch.sentAt)
    except ValueError as error:
        raise _CallError(400, "invalid", f"sentAt: {error}") from None
    events = [bytes(event) for event in batch.batch]
    return _sort(events, None, arrival._replace(context=context, sent_at_ms=sent_at_ms))


def _json_bytes(context: dict[str, Any]) -> int:
    try:
        return len(msgspec.json.encode(context))
    except RecursionError:
        raise _CallError(400, "invalid", "context: expected fewer levels of nesting") from None


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
