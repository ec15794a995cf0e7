"""What every way in stands on: who calls, the body within its bounds, the write, and how a call is turned away.

A way in is a path with an endpoint. Each module of ways offers `ways()`, and `app.py` lists the modules.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeAlias
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from schemas.metrics import Meters
from streams.collector.calls.payloads import Accepted, Arrival
from streams.collector.guarding.access import Access, Key, Scope
from streams.collector.guarding.key_watch import KeyWatch
from streams.collector.guarding.rates import Rates
from streams.collector.guarding.screening import Screening
from streams.collector.http.bodies import read_body
from streams.collector.http.operations import Operation
from streams.collector.http.raw_headers import header
from streams.collector.http.refusals import Refusal
from streams.collector.writing import Writer
from streams.ports import Clock

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

KEY_OF_CALL = "segue.key"
"""Where in a request's scope the id of its key is left, for the access log."""


class Way(NamedTuple):
    """A path of the collector. `name` is what its requests are counted under; several paths may share one."""

    name: str
    path: str
    endpoint: Endpoint
    methods: tuple[str, ...] = ("POST",)
    browser: bool = False
    """Scripts of other sites may call it, from the origins that the settings name."""
    operation: Operation | None = None
    """What the OpenAPI document says of it; a way without one is not in there."""


class Guards(NamedTuple):
    """What keeps callers out, and records."""

    access: Access
    watch: KeyWatch
    rates: Rates
    screening: Screening


class FrontDoor:
    """Handed to every module of ways."""

    def __init__(self, guards: Guards, writer: Writer, meters: Meters, clock: Clock, *, body_timeout_ms: int) -> None:
        self.writer = writer
        self.meters = meters
        self.clock = clock
        self.screening = guards.screening
        self._access = guards.access
        self._watch = guards.watch
        self._rates = guards.rates
        self._body_timeout_ms = body_timeout_ms

    def key(self, request: Request, scope: Scope = "write", in_body: str | None = None) -> Key:
        """Whose key the request carries, in its header or, as browsers send it, in its body.

        Raises `Refusal`: 401 where it is none of ours, 403 where it may not do this or not from this page, 404 where
        it is disabled, 429 where its address calls too often, 503 where the keys are not known yet.
        """
        self.take_call(request)
        key = self._access.key(header(request, b"authorization"), in_body)
        if key is None:
            raise self._unknown()
        request.scope[KEY_OF_CALL] = key.id
        if key.disabled:
            raise Refusal(404, "source_disabled", f"the source {key.source} is disabled for this key")
        if scope not in key.scopes:
            raise Refusal(403, "forbidden", f"expected a key that may {scope}")
        if key.origins and origin_of(request) not in key.origins:
            raise Refusal(403, "forbidden", "expected a call from a page that this key is bound to")
        return key

    def take_call(self, request: Request) -> None:
        """Count a call against the rate of its address. Raises `RateError` (429)."""
        if self._rates.bounds_addresses:
            self._rates.take_call(self.screening.address(request))

    def take_events(self, key: Key, events: int) -> None:
        """Count events against the rate of their key. Raises `RateError` (429)."""
        self._rates.take_events(key.id or key.source, key.events_per_s, events)

    def _unknown(self) -> Refusal:
        # A tracking SDK gives up what is answered 401, so that answer has to be certain.
        if self._watch.problem is not None:
            return Refusal(503, "not_ready", f"not ready: {self._watch.problem}", {"Retry-After": "5"})
        return Refusal(
            401,
            "unauthorized",
            "expected Basic authentication with a write key as the user name and no password",
            {"WWW-Authenticate": 'Basic realm="segue"'},
        )

    async def body(self, request: Request, bytes_max: int) -> bytes:
        """The whole body, decompressed. Raises `Refusal` (400, 408, 413, 415)."""
        return await read_body(request, bytes_max, self._body_timeout_ms)

    def arrival(self, key: Key, request: Request | None = None) -> Arrival:
        """What is known of a call that comes in now.

        Made before the first attempt to write, so that no repetition of the attempt makes a second record. Without
        the request, no record says where the call came from.
        """
        screening = self.screening.of(key, request)
        return Arrival(key.source, self.clock.now_ms(), lambda: uuid.uuid4().hex, {}, screening=screening)

    async def write(self, key: Key, accepted: Sequence[Accepted], *, sent_again: bool = False) -> None:
        """Returns when Kafka, or the spool, has every record that is to be written. Raises `Refusal` (429, 503).

        `sent_again`: whoever calls keeps them until then, as SDKs do with batches.
        """
        if not accepted:
            return
        self.take_events(key, len(accepted))
        records = [record for each in accepted for record in (each, *each.more) if not record.withheld]
        if records:
            await self.writer.write(key.source, records, sent_again=sent_again)

    def count_rejected(self, reason: str) -> None:
        """Count a call, or something of it, that was turned away."""
        self.meters.counter("segue_collector_rejected_total", reason).inc()

    def refuse(self, refusal: Refusal) -> Response:
        """The answer to a call that is turned away, as JSON."""
        self.count_rejected(refusal.reason)
        # SDKs read `code` and `message`; without them some repeat a call that can never be right.
        message = refusal.message
        body = {"accepted": 0, "rejected": [], "error": message, "code": refusal.reason, "message": message}
        return JSONResponse(body, refusal.status, refusal.headers)


def origin_of(request: Request) -> str | None:
    """The origin of the page that calls; of an image, which has no `Origin`, its `Referer` tells."""
    origin = request.headers.get("origin")
    if origin is not None:
        return origin
    try:
        parts = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else None
