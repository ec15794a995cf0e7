"""`GET /o/TOKEN.gif` and `GET /c/TOKEN`: opens and clicks of e-mails.

Each fetch is an event of its own: opening an e-mail twice is two opens. Whoever reads the e-mail is served whatever
happens behind: the image always, the redirect whenever the signature is good, also while Kafka is away. Such a record
waits in the queue like any other, and one that is lost in the end is counted and logged.
"""

from __future__ import annotations

import uuid
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from schemas.instants import format_instant
from streams.collector.front_door import FrontDoor, Way
from streams.collector.link_operations import CLICK, OPEN
from streams.collector.machines import suspicion
from streams.collector.payloads import Accepted, PayloadError, encode
from streams.links import BadTokenError, Link, LinkSigner

GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
"""One transparent pixel in 43 bytes."""
USER_AGENT_CHARACTERS_MAX = 512

_NO_CACHE = "no-cache, no-store, must-revalidate"
_EVENTS = {"open": "email_open", "click": "email_click"}


class EmailLinks:
    """Serves what e-mails carry. Only GET counts; HEAD is answered alike and leaves no trace."""

    def __init__(self, signer: LinkSigner, door: FrontDoor) -> None:
        self._signer = signer
        self._door = door

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
            link = self._signer.read("open", token)
            if request.method == "GET":
                await self._door.writer.write_unanswered("open", self._record("open", link, request))
        except (BadTokenError, PayloadError):
            self._door.count_rejected("bad_signature")
        return Response(GIF, media_type="image/gif", headers={"Cache-Control": _NO_CACHE})

    async def click(self, request: Request) -> Response:
        """The click link: 302 to the signed destination; a bad token leads nowhere."""
        try:
            link = self._signer.read("click", request.path_params["token"])
            record = self._record("click", link, request)
        except (BadTokenError, PayloadError):
            self._door.count_rejected("bad_signature")
            return PlainTextResponse("This link is not valid.", 400, {"Cache-Control": _NO_CACHE})
        if request.method == "GET":
            await self._door.writer.write_unanswered("click", record)
        assert link.destination is not None, "a click token has one"
        # Not RedirectResponse, which rewrites the URL: it leads exactly where the signature says.
        return Response(status_code=302, headers={"Location": link.destination, "Cache-Control": _NO_CACHE})

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
            "context": {},
            "source": "email",
        }
        if link.destination is not None:
            body["properties"]["link_url"] = link.destination
        user_agent = request.headers.get("user-agent", "")[:USER_AGENT_CHARACTERS_MAX]
        if user_agent:
            body["context"]["userAgent"] = user_agent
        reasons = suspicion(request.headers)
        if reasons:
            body["machine"] = {"suspected": True, "reasons": reasons}
        return encode(body)
