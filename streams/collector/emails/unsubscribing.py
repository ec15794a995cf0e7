"""`/u/TOKEN`: unsubscribing, by one click in a mail program (RFC 8058) or on a page.

Only a POST that says `List-Unsubscribe=One-Click` unsubscribes; the page's button sends the same.
"""

from __future__ import annotations

import hashlib
import uuid
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from schemas.instants import format_instant
from streams.collector.calls.payloads import Accepted, encode
from streams.collector.emails.deciding import Fields, Question, decide
from streams.collector.emails.link_operations import UNSUBSCRIBE
from streams.collector.emails.machines import Visitors
from streams.collector.front_door import FrontDoor, Way
from streams.links import Link, LinkSigner

DOCUMENT = "unsubscribe"
"""What a contact was shown who withdraws consent here."""
_FROM_PAGE = ("from", "page")
_QUESTION = Question(
    "link:unsubscribe",
    "Unsubscribe",
    "Do you want to stop receiving e-mails like the one that led you here?",
    "Unsubscribe",
    {"List-Unsubscribe": "One-Click", **dict([_FROM_PAGE])},
    ("You are unsubscribed", "You will not receive e-mails like this one any more."),
)


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

        def records(link: Link, sent: Fields) -> list[Accepted]:
            method = "unsubscribe_page" if _FROM_PAGE in sent else "one_click"
            return self._records(token, link, method, request)

        return await decide(_QUESTION, self._door, request, partial(self._signer.read, "unsubscribe"), records)

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
