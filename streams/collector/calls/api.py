"""The calls of tracking SDKs, as Segment and RudderStack have them: `POST /v1/track` and its likes, batches, imports.

The answer says exactly what became of each event. 200: Kafka, or the spool, has all of them, but those that are counted
and not written. 400 or 413 with `rejected`: it has all but those. 401, 403, 404, 408, 413, 415 or 400 without: none
was taken. 429 or 503: try again with the same messageIds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, TypeAlias

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from streams.collector.calls.api_operations import BATCH, BEACON, IMPORT, SINGLE
from streams.collector.calls.fields import Arrival
from streams.collector.calls.sorting import Sorted, sort_batch, sort_single
from streams.collector.front_door import Endpoint, FrontDoor, Way
from streams.collector.guarding.access import Key
from streams.collector.http.half_characters import replace_halves
from streams.collector.http.raw_headers import header
from streams.collector.http.refusals import Refusal
from streams.collector.settings import BATCH_BYTES_MAX, EVENT_BYTES_MAX

LETTERS = {"track": "t", "page": "p", "identify": "i", "group": "g", "alias": "a", "screen": "s"}
"""Call → the letter under which the browser library makes it."""

Sort: TypeAlias = Callable[[bytes, Arrival], Sorted]


class _Keyed(msgspec.Struct, rename="camel"):
    write_key: Any = None


class Api:
    """The calls of tracking SDKs."""

    def __init__(self, door: FrontDoor) -> None:
        self._door = door

    def ways(self) -> list[Way]:
        """The paths of these calls."""
        batch = self._way(BATCH_BYTES_MAX, sort_batch, sent_again=True)
        singles = [
            Way(call, path, endpoint, browser=True, operation=SINGLE[call])
            for call, letter in LETTERS.items()
            for endpoint in [self._way(EVENT_BYTES_MAX, partial(sort_single, call))]
            for path in (f"/v1/{call}", f"/v1/{letter}")
        ]
        return [  # paths are looked through in this order: first those that most calls go to
            singles[0],
            Way("batch", "/v1/batch", batch, browser=True, operation=BATCH),
            *singles[1:],
            Way("batch", "/v1/b", batch, browser=True, operation=BATCH),
            Way("batch", "/beacon/v1/batch", self._beacon, browser=True, operation=BEACON),
            Way("import", "/v1/import", self._way(BATCH_BYTES_MAX, _sort_import, sent_again=True), operation=IMPORT),
        ]

    def _way(self, bytes_max: int, sort: Sort, *, sent_again: bool = False) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            door = self._door
            try:
                key = None if header(request, b"authorization") is None else door.key(request)
                raw = replace_halves(await door.body(request, bytes_max))
                key = key or door.key(request, in_body=_key_in(raw))
                return await self._take(request, key, raw, sort, sent_again=sent_again)
            except Refusal as refusal:
                return door.refuse(refusal)

        return endpoint

    async def _beacon(self, request: Request) -> Response:
        try:
            key = self._door.key(request, in_body=request.query_params.get("writeKey"))
            raw = replace_halves(await self._door.body(request, BATCH_BYTES_MAX))
            return await self._take(request, key, raw, sort_batch)
        except Refusal as refusal:
            return self._door.refuse(refusal)

    async def _take(self, request: Request, key: Key, raw: bytes, sort: Sort, *, sent_again: bool = False) -> Response:
        events = sort(raw, self._door.arrival(key, request))
        await self._door.write(key, events.accepted, sent_again=sent_again)
        return self._report(events)

    def _report(self, events: Sorted) -> Response:
        accepted, rejected = len(events.accepted), len(events.rejected)
        if not rejected:
            return _taken(accepted)
        body: dict[str, object] = {"accepted": accepted, "rejected": [each.body() for each in events.rejected]}
        too_large = any(each.too_large for each in events.rejected)
        reason = "too_large" if too_large else "invalid"
        self._door.count_rejected(reason)
        error = f"rejected {rejected} of {rejected + accepted} events"
        first = events.rejected[0].problems[0]
        message = f"{error}; the first of them: {f'{first.path}: ' if first.path else ''}{first.expected}"
        return JSONResponse(body | {"error": error, "code": reason, "message": message}, 413 if too_large else 400)


@lru_cache(maxsize=64)
def _taken(accepted: int) -> Response:
    """Most answers, so they are made once; see `Response.__call__`, which changes nothing of them."""
    return Response(b'{"accepted":%d,"rejected":[]}' % accepted, media_type="application/json")


def _sort_import(raw: bytes, arrival: Arrival) -> Sorted:
    return sort_batch(raw, arrival._replace(backfill=True))


def _key_in(raw: bytes) -> str | None:
    """The write key in a body, as browsers send it; None also where the body is no JSON object."""
    try:
        key = msgspec.json.decode(raw, type=_Keyed).write_key
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return key if isinstance(key, str) else None
