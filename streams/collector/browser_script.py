"""`GET /segue.js`: the script that sites include, built from `snippet/` and served from memory."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from streams.collector.front_door import Way
from streams.collector.http.operations import Answer, Operation

PATH = "/segue.js"
BUILT = Path(__file__).with_name("segue.js")
CACHE_S = 3600
"""How long a browser keeps it without asking again: so long an upgrade takes to reach everybody."""


class BrowserScript:
    """Any site may load it; which sites may send is another matter, and the write key's."""

    def __init__(self) -> None:
        plain = BUILT.read_bytes()
        self._plain = plain
        self._gzipped = gzip.compress(plain, 9, mtime=0)
        digest = hashlib.sha256(plain).hexdigest()[:32]
        # Two representations of one thing need two tags.
        self._tags = {False: f'"{digest}"', True: f'"{digest}-gzip"'}
        self._headers = {
            "Cache-Control": f"public, max-age={CACHE_S}, stale-while-revalidate=86400",
            "Access-Control-Allow-Origin": "*",  # for a tag with `integrity`, which asks by CORS
            "Vary": "Accept-Encoding",
        }

    def ways(self) -> list[Way]:
        """The one path."""
        return [Way("script", PATH, self.script, ("GET",), operation=_OPERATION)]

    async def script(self, request: Request) -> Response:
        """The script, or 304 where the browser has it."""
        gzipped = _takes_gzip(request.headers)
        headers = self._headers | {"ETag": self._tags[gzipped]}
        if _knows(request.headers, self._tags[gzipped]):
            return Response(status_code=304, headers=headers)
        if gzipped:
            headers["Content-Encoding"] = "gzip"
        return Response(self._gzipped if gzipped else self._plain, headers=headers, media_type="text/javascript")


def _takes_gzip(headers: Mapping[str, str]) -> bool:
    for part in headers.get("accept-encoding", "").lower().split(","):
        coding, _, quality = part.partition(";")
        if coding.strip() == "gzip":
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _knows(headers: Mapping[str, str], tag: str) -> bool:
    given = {one.strip().removeprefix("W/") for one in headers.get("if-none-match", "").split(",")}
    return tag in given or "*" in given


_OPERATION = Operation(
    "The script that a site includes to send its page views, clicks, forms and consent.",
    {200: Answer("The script.", "text/javascript"), 304: Answer("The browser has it.")},
    tag="browsers",
)
