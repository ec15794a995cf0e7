"""What every way in stands on: who calls, the body within its bounds, the write, and how a call is turned away.

A way in is a path with an endpoint. Each module of ways offers `ways()`, and `app.py` lists the modules.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from schemas.metrics import Meters
from streams.collector.access import Access, Key, Scope
from streams.collector.bodies import read_body
from streams.collector.payloads import Accepted, Arrival
from streams.collector.refusals import Refusal
from streams.collector.writing import Writer
from streams.ports import Clock


class Way(NamedTuple):
    """A path of the collector. `name` is what its requests are counted under."""

    name: str
    path: str
    endpoint: Callable[[Request], Awaitable[Response]]
    methods: tuple[str, ...] = ("POST",)


class FrontDoor:
    """Handed to every module of ways."""

    def __init__(self, access: Access, writer: Writer, meters: Meters, clock: Clock, *, body_timeout_ms: int) -> None:
        self.writer = writer
        self.meters = meters
        self.clock = clock
        self._access = access
        self._body_timeout_ms = body_timeout_ms

    def key(self, request: Request, scope: Scope = "write", in_body: str | None = None) -> Key:
        """Whose key the request carries, in its header or, as browsers send it, in its body.

        Raises `Refusal` (401) where it is none of ours, (403) where it may not do this.
        """
        key = self._access.key(request.headers.get("authorization"), in_body)
        if key is None:
            raise Refusal(
                401,
                "unauthorized",
                "expected Basic authentication with a write key as the user name and no password",
                {"WWW-Authenticate": 'Basic realm="segue"'},
            )
        if scope not in key.scopes:
            raise Refusal(403, "forbidden", f"expected a key that may {scope}")
        return key

    async def body(self, request: Request, bytes_max: int) -> bytes:
        """The whole body, decompressed. Raises `Refusal` (400, 408, 413, 415)."""
        return await read_body(request, bytes_max, self._body_timeout_ms)

    def arrival(self, key: Key) -> Arrival:
        """What is known of a call that comes in now.

        Made before the first attempt to write, so that no repetition of the attempt makes a second record.
        """
        return Arrival(key.source, self.clock.now_ms(), lambda: uuid.uuid4().hex, {})

    async def write(self, key: Key, records: Sequence[Accepted]) -> None:
        """Returns when Kafka has acknowledged every record. Raises `Refusal` (429, 503)."""
        if records:
            await self.writer.write(key.source, records)

    def count_rejected(self, reason: str) -> None:
        """Count a call, or something of it, that was turned away."""
        self.meters.counter("segue_collector_rejected_total", reason).inc()

    def refuse(self, refusal: Refusal) -> Response:
        """The answer to a call that is turned away, as JSON."""
        self.count_rejected(refusal.reason)
        body = {"accepted": 0, "rejected": [], "error": refusal.message}
        return JSONResponse(body, refusal.status, refusal.headers)
