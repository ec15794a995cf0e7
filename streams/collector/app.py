"""The HTTP front door: routes, probes, and a meter around them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from prometheus_client import Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from schemas.metrics import Meters
from streams.collector.access import Access
from streams.collector.api import Api
from streams.collector.front_door import FrontDoor, Way
from streams.collector.hooks import Hooks
from streams.collector.machine_signs import load_signs
from streams.collector.providers.records import Recording
from streams.collector.readiness import Readiness
from streams.collector.settings import CollectorSettings
from streams.collector.visitor_ways import visitor_ways
from streams.collector.writing import Writer
from streams.fetching import Fetcher
from streams.ports import Clock, Intake, TopicReader


def create_app(
    settings: CollectorSettings,
    intake: Intake,
    reader: TopicReader,
    clock: Clock,
    meters: Meters,
    on_end: Callable[[BaseException], None],
    fetcher: Fetcher,
) -> Starlette:
    """The collector on its ports.

    It looks at Kafka's topics for as long as the app's lifespan lasts; `on_end` is told what ends that early: a bug, or
    that Kafka does not let us in. A collector that does not look any more must not go on. Raises `InputError` for a
    file of the settings that cannot serve.
    """
    readiness = Readiness(reader, settings.names, settings.collector_check_interval_ms)
    writer = Writer(
        intake,
        readiness,
        meters,
        source_records=settings.collector_source_records,
        link_wait_ms=settings.collector_link_wait_ms,
    )
    access = Access(settings.write_keys)
    door = FrontDoor(access, writer, meters, clock, body_timeout_ms=settings.collector_body_timeout_ms)
    recording = Recording(load_signs(settings.machine_signs), settings.collector_addresses)
    ways = [
        *Api(door).ways(),
        *visitor_ways(settings, door),
        *Hooks(settings.hooks, fetcher, door, recording).ways(),
        *_Probes(readiness, meters).ways(),
    ]
    routes = [Route(way.path, way.endpoint, methods=list(way.methods), name=way.name) for way in ways]
    names: dict[object, str] = {way.endpoint: way.name for way in ways}
    app = Starlette(
        routes=routes,
        middleware=[Middleware(_Metered, meters=meters, names=names)],
        lifespan=_lifespan(readiness, writer, on_end),
    )
    app.state.readiness = readiness
    return app


def _lifespan(readiness: Readiness, writer: Writer, on_end: Callable[[BaseException], None]) -> Lifespan[Starlette]:
    """Looks at the topics while the app runs; at its end, waits for records that nobody waits for."""

    def ended(watch: asyncio.Task[None]) -> None:
        error = None if watch.cancelled() else watch.exception()
        if error is not None:
            on_end(error)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        watch = asyncio.create_task(readiness.watch())
        watch.add_done_callback(ended)
        yield
        watch.cancel()
        await asyncio.wait([watch])
        await writer.settle()

    return lifespan


class _Probes:
    """What Prometheus and whoever restarts processes ask."""

    def __init__(self, readiness: Readiness, meters: Meters) -> None:
        self._readiness = readiness
        self._meters = meters

    def ways(self) -> list[Way]:
        """The paths of operations."""
        return [
            Way("healthz", "/healthz", self.healthz, ("GET",)),
            Way("readyz", "/readyz", self.readyz, ("GET",)),
            Way("metrics", "/metrics", self.metrics, ("GET",)),
        ]

    async def healthz(self, _request: Request) -> Response:
        """The process answers."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, _request: Request) -> Response:
        """Whether calls should be sent here: 503 says why not."""
        if self._readiness.problem is None:
            return JSONResponse({"status": "ready"})
        body = {"status": "not ready", "reason": self._readiness.problem}
        return JSONResponse(body, 503, {"Retry-After": "5"})

    async def metrics(self, _request: Request) -> Response:
        """The meters in Prometheus' text form."""
        return Response(generate_latest(self._meters.registry), media_type=CONTENT_TYPE_LATEST)


class _Metered:
    """Counts and times every request under the name of its way in."""

    def __init__(self, app: ASGIApp, meters: Meters, names: Mapping[object, str]) -> None:
        self._app = app
        self._names = names
        self._meters = meters
        # Routes and statuses are few; looking a meter up by its labels takes longer than counting does.
        self._requests: dict[tuple[str, int], Counter] = {}
        self._seconds: dict[str, Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noting_status)
        finally:
            self._note(self._names.get(scope.get("endpoint"), "other"), status, time.perf_counter() - began)

    def _note(self, route: str, status: int, seconds: float) -> None:
        requests, durations = self._requests.get((route, status)), self._seconds.get(route)
        if requests is None or durations is None:
            requests = self._meters.counter("segue_collector_requests_total", route, str(status))
            durations = self._meters.histogram("segue_collector_request_seconds", route)
            self._requests[route, status], self._seconds[route] = requests, durations
        requests.inc()
        durations.observe(seconds)
