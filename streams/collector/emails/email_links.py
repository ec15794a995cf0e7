"""`GET /o/TOKEN.gif` and `GET /c/TOKEN`: opens and clicks of e-mails.

Each fetch is an event of its own: opening an e-mail twice is two opens. Whoever reads the e-mail is served whatever
happens behind: the image always, the redirect whenever the token is good, also while Kafka is away. Such a record
waits in the queue like any other, and one that is lost in the end is counted and logged.
"""

from __future__ import annotations

import uuid
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response

from schemas.instants import format_instant
from streams.collector.calls.payloads import Accepted, PayloadError, encode
from streams.collector.emails.link_operations import CLICK, OPEN
from streams.collector.emails.machines import Visitors
from streams.collector.front_door import FrontDoor, Way
from streams.collector.http.pages import expired_page, refused_page
from streams.links import ExpiredTokenError, Link, LinkSigner
from streams.sealing import BadTokenError

GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
"""One transparent pixel in 43 bytes."""

_NO_CACHE = "no-cache, no-store, must-revalidate"
_GIF_HEADERS = {
    "Cache-Control": _NO_CACHE,
    # For caches of HTTP/1.0, which do not know Cache-Control.
    "Expires": "0",
    "Pragma": "no-cache",
}
_SOURCE = "email"
_EVENTS = {"open": "email_open", "click": "email_click"}


class EmailLinks:
    """Serves what e-mails carry. Only GET counts; HEAD is answered alike and leaves no trace."""

    def __init__(self, signer: LinkSigner, door: FrontDoor, visitors: Visitors) -> None:
        self._signer = signer
        self._door = door
        self._visitors = visitors

    def ways(self) -> list[Way]:
        """The paths that e-mails carry."""
        return [
            Way("open", "/o/{token:path}", self.open, ("GET",), operation=OPEN),
            Way("click", "/c/{token:path}", self.click, ("GET",), operation=CLICK),
        ]

    async def open(self, request: Request) -> Response:
        """The open pixel: 200 and the image, whatever the token."""
        token = request.path_params["token"].removesuffix(".gif")
        try:
            link = self._signer.read("open", token, self._door.clock.now_ms())
            if request.method == "GET" and link.contact_id is None:
                self._door.screening.count_nobodys(_EVENTS["open"], _SOURCE)
            elif request.method == "GET":
                await self._write("open", self._record("open", link, request))
        except (BadTokenError, PayloadError) as error:
            self._door.count_rejected(rejection(error))
        return Response(GIF, media_type="image/gif", headers=_GIF_HEADERS)

    async def click(self, request: Request) -> Response:
        """The click link: 302 to where the token says; a bad or expired token leads nowhere."""
        try:
            link = self._signer.read("click", request.path_params["token"], self._door.clock.now_ms())
            record = self._record("click", link, request)
        except (BadTokenError, PayloadError) as error:
            return refuse_link(self._door, error)
        if request.method == "GET":
            await self._write("click", record)
        assert link.destination is not None, "a click token has one"
        # Not RedirectResponse, which rewrites the URL: it leads exactly where the token says.
        headers = {"Location": link.destination, "Cache-Control": _NO_CACHE, "X-Robots-Tag": "noindex, nofollow"}
        return Response(status_code=302, headers=headers)

    async def _write(self, kind: Literal["open", "click"], record: Accepted) -> None:
        if not record.withheld:
            await self._door.writer.write_unanswered(kind, record)

    def _record(self, kind: Literal["open", "click"], link: Link, request: Request) -> Accepted:
        now = format_instant(self._door.clock.now_ms())
        body: dict[str, Any] = {
            "type": "track",
            "event_id": uuid.uuid4().hex,
            "contact_id": link.contact_id,
            "event": _EVENTS[kind],
            "occurred_at": now,
            "received_at": now,
            "properties": {"campaign_id": link.campaign},
            "context": self._visitors.context(request),
            "source": _SOURCE,
        }
        if link.destination is not None:
            body["properties"]["link_url"] = link.destination
        reasons = self._visitors.suspicion(request, kind, trap=link.trap)
        if reasons:
            body["machine"] = {"suspected": True, "reasons": reasons}
        accepted = encode(body)
        # A link that stands for a contact says nothing of consent; only what is fetched in earnest is counted.
        withheld = request.method == "GET" and self._door.screening.withholds(body, _SOURCE, ())
        return accepted._replace(withheld=True) if withheld else accepted


def refuse_link(door: FrontDoor, error: BadTokenError | PayloadError) -> Response:
    """Counts a link that is not followed, and tells whoever followed it."""
    door.count_rejected(rejection(error))
    return expired_page() if isinstance(error, ExpiredTokenError) else refused_page()


def rejection(error: BadTokenError | PayloadError) -> str:
    """The reason under which a token is counted that is not taken."""
    return "expired" if isinstance(error, ExpiredTokenError) else "bad_signature"
