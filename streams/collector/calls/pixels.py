"""Events as images, for where no script runs: `GET /v1/pixel/track?data=` and `GET /pixel/v1/track?writeKey=&event=…`.

`data` is the JSON of the call in base64url, as Segment has it; without it the parameters are its fields, with dots for
those inside others, as RudderStack has it. The image is served whatever becomes of the event; what cannot be taken is
counted. Only GET counts.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from streams.collector.calls.fields import JsonObject, PayloadError, Problem
from streams.collector.calls.kinds import KINDS
from streams.collector.calls.payloads import accept
from streams.collector.emails.email_links import GIF
from streams.collector.emails.machines import Visitors
from streams.collector.front_door import Endpoint, FrontDoor, Way
from streams.collector.http.half_characters import replace_halves
from streams.collector.http.operations import Answer, Operation
from streams.collector.http.refusals import Refusal
from streams.collector.settings import EVENT_BYTES_MAX

NO_CACHE = "no-cache, no-store, must-revalidate"
_KEY = "writeKey"
_ANSWERS = {200: Answer("The image, whatever becomes of the event.", "image/gif")}


class Pixels:
    """Serves one transparent pixel for each call."""

    def __init__(self, door: FrontDoor, visitors: Visitors) -> None:
        self._door = door
        self._visitors = visitors

    def ways(self) -> list[Way]:
        """The paths of both notations."""
        return [
            Way("pixel", path.format(call), self._pixel(call), ("GET",), operation=_operation(call))
            for call in KINDS
            for path in ("/v1/pixel/{}", "/pixel/v1/{}")
        ]

    def _pixel(self, call: str) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            if request.method == "GET":
                try:
                    await self._take(call, request)
                except PayloadError:
                    self._door.count_rejected("invalid")
                except Refusal as refusal:
                    self._door.count_rejected(refusal.reason)
            return Response(GIF, media_type="image/gif", headers={"Cache-Control": NO_CACHE})

        return endpoint

    async def _take(self, call: str, request: Request) -> None:
        given = request.query_params.multi_items()
        body = _body(given)
        key = self._door.key(request, in_body=_key(body, request))
        arrival = self._door.arrival(key, request)._replace(
            context=dict(self._visitors.context(request)), suspected=tuple(self._visitors.suspicion(request, "open"))
        )
        record = accept(call, body, arrival)
        self._door.take_events(key, 1)
        if not record.withheld:
            for each in (record, *record.more):
                await self._door.writer.write_unanswered("pixel", each, key.source)


def _key(body: JsonObject, request: Request) -> str | None:
    key = body.get(_KEY) or request.query_params.get(_KEY)
    return key if isinstance(key, str) else None


def _body(given: Iterable[tuple[str, str]]) -> JsonObject:
    """The fields of the call. Raises `PayloadError`."""
    for name, value in given:
        if name == "data":
            return _decoded(value)
    body: JsonObject = {}
    for name, value in given:
        _put(body, name, value)
    return body


def _decoded(data: str) -> JsonObject:
    plain = data.replace("+", "-").replace("/", "_").rstrip("=")  # senders use either alphabet
    try:
        raw = base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise PayloadError([Problem("data", "expected JSON in base64url")]) from None
    if len(raw) > EVENT_BYTES_MAX:
        raise PayloadError([Problem("data", f"expected at most {EVENT_BYTES_MAX} bytes")])
    try:
        body: Any = msgspec.json.decode(replace_halves(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise PayloadError([Problem("data", "expected a JSON object in base64url")])
    return body


def _put(body: JsonObject, name: str, value: str) -> None:
    *parents, last = name.split(".")
    for parent in parents:
        body = body.setdefault(parent, {})
        if not isinstance(body, dict):
            raise PayloadError([Problem(name, f"expected either a value or fields in {parent}, not both")])
    body[last] = value


def _operation(call: str) -> Operation:
    return Operation(
        f"The call `{call}` as an image.",
        _ANSWERS,
        tag="pixels",
        description="Without `data`, other parameters are fields of the call, as in `properties.price=5`.",
        query={
            "data": "The JSON of the call in base64url, with its `writeKey`.",
            _KEY: "The write key, where it is not in `data`.",
            "userId": "The contact.",
            "anonymousId": "A visitor not known yet.",
            **({"event": "The event's name."} if call == "track" else {}),
            **({"groupId": "The group's id."} if call == "group" else {}),
        },
        security="query",
    )
