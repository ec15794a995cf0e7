"""`/u/TOKEN`: unsubscribing, by one click in a mail program (RFC 8058) or on a page.

Only a POST that says `List-Unsubscribe=One-Click` unsubscribes. Scanners follow links by GET, which shows a page with a
button; the button sends the same POST. A decision is answered once it is written, so that nobody is told of one that
is lost.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from schemas.instants import format_instant
from streams.collector.email_links import refuse_link
from streams.collector.form_bodies import FormBounds, read_form
from streams.collector.front_door import FrontDoor, Way
from streams.collector.link_operations import UNSUBSCRIBE
from streams.collector.machines import Visitors
from streams.collector.pages import busy_page, page
from streams.collector.payloads import Accepted, PayloadError, encode
from streams.collector.refusals import Refusal
from streams.collector.writing import WriteError
from streams.links import Link, LinkSigner
from streams.sealing import BadTokenError

DOCUMENT = "unsubscribe"
"""What a contact was shown who withdraws consent here."""
_BOUNDS = FormBounds(4 * 1024, 16, 1_024)
_FIELD, _ONE_CLICK = "List-Unsubscribe", "One-Click"
_FROM_PAGE = ("from", "page")


class Unsubscribing:
    """Serves the unsubscribe links of e-mails."""

    def __init__(self, signer: LinkSigner, door: FrontDoor, visitors: Visitors, purpose: str | None) -> None:
        """`purpose`: the consent that is withdrawn where the link names none; None: none is."""
        self._signer = signer
        self._door = door
        self._visitors = visitors
        self._purpose = purpose

    def ways(self) -> list[Way]:
        """The path that e-mails carry."""
        return [Way("unsubscribe", "/u/{token:path}", self.unsubscribe, ("GET", "POST"), operation=UNSUBSCRIBE)]

    async def unsubscribe(self, request: Request) -> Response:
        """GET: a page with a button. POST: the contact is unsubscribed, however often it is sent."""
        token = request.path_params["token"]
        try:
            link = self._signer.read("unsubscribe", token, self._door.clock.now_ms())
            if request.method != "POST":
                return _question()
            fields = await read_form(request, self._door, _BOUNDS)
            if (_FIELD, _ONE_CLICK) not in fields:
                raise Refusal(400, "invalid", f"expected the body {_FIELD}={_ONE_CLICK}")
            method = "unsubscribe_page" if _FROM_PAGE in fields else "one_click"
            await self._door.writer.write("link:unsubscribe", self._records(token, link, method, request))
        except (BadTokenError, PayloadError) as error:
            return refuse_link(self._door, error)
        except WriteError as error:
            self._door.count_rejected(error.reason)
            return busy_page(error.headers["Retry-After"])
        except Refusal as refusal:
            return self._door.refuse(refusal)
        return page("You are unsubscribed", "You will not receive e-mails like this one any more.")

    def _records(self, token: str, link: Link, method: str, request: Request) -> list[Accepted]:
        now = format_instant(self._door.clock.now_ms())
        shared: dict[str, Any] = {"contact_id": link.contact_id, "occurred_at": now, "received_at": now}
        track: dict[str, Any] = {
            "type": "track",
            # Of the token, so that the second time is a duplicate of the first.
            "event_id": f"unsubscribe-{hashlib.sha256(token.encode()).hexdigest()[:32]}",
            "event": "unsubscribe",
            "properties": {"campaign_id": link.campaign, "method": method},
            "context": self._visitors.context(request),
            "source": "email",
        }
        records = [encode(track | shared)]
        purpose = link.purpose or self._purpose
        if purpose is not None:
            consent = {
                "type": "consent",
                # New each time: who has subscribed again in between and unsubscribes once more has to be heard.
                "event_id": uuid.uuid4().hex,
                "purpose": purpose,
                "granted": False,
                "document": DOCUMENT,
                "method": method,
            }
            records.append(encode(consent | shared))
        return records


def _question() -> Response:
    return page(
        "Unsubscribe",
        "Do you want to stop receiving e-mails like the one that led you here?",
        button="Unsubscribe",
        fields={_FIELD: _ONE_CLICK, _FROM_PAGE[0]: _FROM_PAGE[1]},
    )
