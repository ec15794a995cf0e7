"""Around every call, whichever way it takes: meters, headers that keep answers where they belong, the access log."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from prometheus_client import Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.metrics import Meters
from streams.collector.front_door import KEY_OF_CALL

_log = logging.getLogger("segue.access")

_GUARDING_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""On every answer that has none of its own: nothing is kept, and nothing in it runs. More come from `server.py`."""


class Envelope:
    """Counts and times every request under the name of its way in, and dresses its answer."""

    def __init__(self, app: ASGIApp, meters: Meters, names: Mapping[object, str], access_log: bool) -> None:
        self._app = app
        self._names = names
        self._meters = meters
        self._access_log = access_log
        # Routes and statuses are few; looking a meter up by its labels takes longer than counting does.
        self._requests: dict[tuple[str, int], Counter] = {}
        self._seconds: dict[str, Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, sent_bytes = time.perf_counter(), 500, 0

        async def send_dressed(message: Message) -> None:
            nonlocal status, sent_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
                _dress(message)
            else:
                sent_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_dressed)
        finally:
            way, seconds = self._names.get(scope.get("endpoint"), "other"), time.perf_counter() - began
            self._note(way, status, seconds)
            if self._access_log:
                # No path, which may be a token, no address, and no name of a method that a stranger makes up.
                method = scope["method"] if way != "other" else "-"
                _log.info(
                    "%s %s %d in %.1f ms, %d bytes, key %s",
                    method, way, status, seconds * 1000, sent_bytes, scope.get(KEY_OF_CALL, "-"),
                )  # fmt: skip

    def _note(self, route: str, status: int, seconds: float) -> None:
        requests, durations = self._requests.get((route, status)), self._seconds.get(route)
        if requests is None or durations is None:
            requests = self._meters.counter("segue_collector_requests_total", route, str(status))
            durations = self._meters.histogram("segue_collector_request_seconds", route)
            self._requests[route, status], self._seconds[route] = requests, durations
        requests.inc()
        durations.observe(seconds)


def _dress(message: Message) -> None:
    headers = message.get("headers", [])
    for header in _GUARDING_HEADERS:
        for name, _ in headers:
            if name == header[0]:
                break
        else:
            headers = [*headers, header]
    message["headers"] = headers


def answer_http_error(_request: Request, error: Exception) -> Response:
    """A path or a method that there is not, as JSON."""
    assert isinstance(error, HTTPException)
    message = error.detail.lower()
    return JSONResponse({"error": message, "code": "not_served", "message": message}, error.status_code, error.headers)


def answer_bug(_request: Request, _error: Exception) -> Response:
    """What a stranger is told of a fault of ours, which the log tells in full: that there is one."""
    headers = {name.decode(): value.decode() for name, value in _GUARDING_HEADERS}
    message = "this collector failed; nothing is known of what became of the call"
    return JSONResponse({"error": message, "code": "bug", "message": message}, 500, headers)
