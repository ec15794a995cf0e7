"""The HTTP front door: routes and probes, and what goes on beside them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Lifespan

from schemas.metrics import Meters
from streams.collector.browser_script import BrowserScript
from streams.collector.browser_start import BrowserStart
from streams.collector.calls.api import Api
from streams.collector.calls.contact_calls import ContactCalls
from streams.collector.emails.machine_signs import load_signs
from streams.collector.front_door import FrontDoor, Way
from streams.collector.guarding.guards import make_guards
from streams.collector.guarding.kept_keys import KeptKeys
from streams.collector.guarding.key_watch import KeyFeed, KeyWatch
from streams.collector.http.cross_origin import CrossOrigin
from streams.collector.http.envelope import Envelope, answer_bug, answer_http_error
from streams.collector.http.routing import ShortWay
from streams.collector.probe_operations import HEALTHZ, METRICS, READYZ
from streams.collector.providers.hooks import Hooks
from streams.collector.providers.records import Recording
from streams.collector.readiness import Readiness
from streams.collector.settings import CollectorSettings
from streams.collector.spooling import SpoolingIntake
from streams.collector.visitor_ways import visitor_ways
from streams.collector.writing import Writer
from streams.fetching import Fetcher
from streams.ports import Clock, Intake, TopicReader
from streams.spool.spool import DiskSpool


class Spool(NamedTuple):
    """What a collector with a spool has more: the spool, the intake that it is emptied into, and a copy of the keys."""

    disk: DiskSpool
    replay: Intake
    keys: KeptKeys


def create_app(
    settings: CollectorSettings,
    intake: Intake,
    reader: TopicReader,
    clock: Clock,
    meters: Meters,
    on_end: Callable[[BaseException], None],
    fetcher: Fetcher,
    key_feed: KeyFeed | None = None,
    spool: Spool | None = None,
) -> Starlette:
    """The collector on its ports. Without a feed of keys it knows those of the settings only.

    It looks at Kafka's topics, and empties its spool, for as long as the app's lifespan lasts; `on_end` is told what
    ends that early: a bug, or that Kafka does not let us in. A collector that does not look any more must not go on.

    Raises `InputError` for a file of the settings that cannot serve.
    """
    takes = (lambda: spool.disk.takes) if spool is not None else (lambda: False)
    readiness = Readiness(reader, settings.names, settings.collector_check_interval_ms, takes)
    spooling: SpoolingIntake | None = None
    if spool is not None:
        after_ms = settings.collector_spool_after_ms
        spooling = SpoolingIntake(intake, spool.replay, spool.disk, readiness, clock, meters, after_ms=after_ms)
    writer = Writer(
        spooling or intake,
        readiness,
        meters,
        source_records=settings.collector_source_records,
        link_wait_ms=settings.collector_link_wait_ms,
        spools=spooling is not None,
    )
    guards = make_guards(settings, clock, meters, key_feed, None if spool is None else spool.keys)
    door = FrontDoor(guards, writer, meters, clock, body_timeout_ms=settings.collector_body_timeout_ms)
    recording = Recording(load_signs(settings.machine_signs), settings.collector_addresses)
    declared = [  # paths are looked through in this order
        *Api(door).ways(),
        *ContactCalls(door).ways(),
        *visitor_ways(settings, door),
        *BrowserStart(door, settings.collector_public_url).ways(),
        *Hooks(settings.hooks, fetcher, door, recording).ways(),
        *BrowserScript().ways(),
        *_Probes(readiness, guards.watch, meters).ways(),
    ]
    ways = [*map(CrossOrigin(settings.collector_origins, door.refuse).guard, declared)]
    routes = [Route(way.path, way.endpoint, methods=list(way.methods), name=way.name) for way in ways]
    names: dict[object, str] = {way.endpoint: way.name for way in ways}
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(Envelope, meters=meters, names=names, access_log=settings.collector_access_log),
            Middleware(ShortWay, ways=ways),
        ],
        exception_handlers={HTTPException: answer_http_error, Exception: answer_bug},
        lifespan=_lifespan(readiness, guards.watch, writer, spooling, on_end),
    )
    # A redirect to the path without its last slash would name the host that the caller claims, and a sender that
    # follows none (curl, most SDKs) would take it for an answer.
    app.router.redirect_slashes = False
    app.state.readiness = readiness
    app.state.keys = guards.watch
    app.state.ways = declared
    return app


def _lifespan(
    readiness: Readiness,
    keys: KeyWatch,
    writer: Writer,
    spooling: SpoolingIntake | None,
    on_end: Callable[[BaseException], None],
) -> Lifespan[Starlette]:
    """Looks at topics and keys while the app runs; at its end, waits for records that nobody waits for."""

    def ended(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            on_end(error)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        watch, following = asyncio.create_task(readiness.watch()), asyncio.create_task(keys.watch())
        emptying = None if spooling is None else asyncio.create_task(spooling.run())
        for task in (watch, following, *([] if emptying is None else [emptying])):
            task.add_done_callback(ended)
        yield
        keys.end()
        watch.cancel()
        await asyncio.wait([watch, following])
        await writer.settle()
        if spooling is not None and emptying is not None:
            await spooling.stop(emptying)

    return lifespan


class _Probes:
    """What Prometheus and whoever restarts processes ask."""

    def __init__(self, readiness: Readiness, keys: KeyWatch, meters: Meters) -> None:
        self._readiness = readiness
        self._keys = keys
        self._meters = meters

    def ways(self) -> list[Way]:
        """The paths of operations."""
        return [
            Way("healthz", "/healthz", self.healthz, ("GET",), operation=HEALTHZ),
            Way("readyz", "/readyz", self.readyz, ("GET",), operation=READYZ),
            Way("metrics", "/metrics", self.metrics, ("GET",), operation=METRICS),
        ]

    async def healthz(self, _request: Request) -> Response:
        """The process answers."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, _request: Request) -> Response:
        """Whether calls should be sent here: 503 says why not."""
        reason = self._keys.problem or self._readiness.problem
        if reason is None:
            return JSONResponse({"status": "ready"})
        if self._readiness.serves and self._keys.serves:
            status = "ready" if self._readiness.problem is None else "spooling"
            return JSONResponse({"status": status, "reason": reason})
        body = {"status": "not ready", "reason": reason}
        return JSONResponse(body, 503, {"Retry-After": "5"})

    async def metrics(self, _request: Request) -> Response:
        """The meters in Prometheus' text form."""
        return Response(generate_latest(self._meters.registry), media_type=CONTENT_TYPE_LATEST)
