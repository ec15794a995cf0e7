"""What Segment's browser library asks before its calls and beside them, so that it runs as it is published."""

from __future__ import annotations

import re

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from streams.collector.calls import shapes
from streams.collector.front_door import FrontDoor, Way
from streams.collector.http.operations import Answer, Operation
from streams.collector.http.refusals import Refusal

METRICS_BYTES_MAX = 64 * 1024
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9a-fA-F:]+\](:[0-9]{1,5})?", re.ASCII)


class LibrarySettings(BaseModel):
    """Where the library sends its calls, and that there is nothing else to load."""

    integrations: dict[str, dict[str, object]]
    metrics: dict[str, float] = Field(description="How often the library reports on itself: never.")


class BrowserStart:
    """The library's settings, and the end of what it tells of itself."""

    def __init__(self, door: FrontDoor, public_url: str | None) -> None:
        self._door = door
        self._public_url = public_url

    def ways(self) -> list[Way]:
        """The paths that the library calls."""
        return [
            Way("sdk_settings", "/v1/projects/{key}/settings", self.settings, ("GET",), True, _SETTINGS),
            Way("sdk_metrics", "/v1/m", self.metrics, browser=True, operation=_METRICS),
        ]

    async def settings(self, request: Request) -> Response:
        """The settings of the source whose write key is in the path."""
        door = self._door
        try:
            door.key(request, in_body=request.path_params["key"])
            protocol, _, host = self._address(request).partition("://")
        except Refusal as refusal:
            # As where the library gets its settings by default: the source is not there.
            unknown = Refusal(404, refusal.reason, "expected the write key of a source")
            return door.refuse(unknown if refusal.status == 401 else refusal)
        destination = {"apiKey": request.path_params["key"], "apiHost": f"{host}/v1", "protocol": protocol}
        found = LibrarySettings(integrations={"Segment.io": destination}, metrics={"sampleRate": 0})
        return JSONResponse(found.model_dump(), headers={"Cache-Control": "no-store"})

    async def metrics(self, request: Request) -> Response:
        """Counted, and passed over: the library's own health is none of an event's."""
        try:
            await self._door.body(request, METRICS_BYTES_MAX)
        except Refusal as refusal:
            return self._door.refuse(refusal)
        self._door.meters.counter("segue_collector_unwritten_total", "sdk_metrics").inc()
        return JSONResponse({"accepted": 0, "rejected": [], "unwritten": 1})

    def _address(self, request: Request) -> str:
        """Where browsers reach the collector: as the settings say, else where this call went."""
        if self._public_url is not None:
            return self._public_url.rstrip("/")
        host = request.headers.get("host", "")
        if not _HOST.fullmatch(host):
            raise Refusal(400, "invalid", "Host: expected the name of this collector")
        return f"{request.url.scheme}://{host}"


_SETTINGS = Operation(
    "The settings that Segment's browser library fetches before it starts.",
    {
        200: Answer("Where it sends its calls.", LibrarySettings),
        400: Answer("A `Host` that is no name.", shapes.Refused),
        403: Answer("The site may not call.", shapes.Refused),
        404: Answer("No source has this key, or the key is disabled.", shapes.Refused),
    },
    tag="browsers",
    path={"key": "The write key of a source."},
)
_METRICS = Operation(
    "What the browser library counts of itself: taken and passed over.",
    {
        200: Answer("It was taken.", shapes.Taken),
        **{
            status: Answer(meaning, shapes.Refused)
            for status, meaning in (
                (400, "The body broke off."),
                (403, "The site may not call."),
                (408, "The body did not come in time."),
                (413, "Over 64 KiB."),
                (415, "A `Content-Encoding` other than gzip."),
            )
        },
    },
    tag="browsers",
    body=shapes.SdkMetrics,
)
