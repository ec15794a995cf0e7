"""`/f/TOKEN`: where a contact confirms what was consented to in a form, which until then is not consent."""

from __future__ import annotations

import hashlib

from starlette.requests import Request
from starlette.responses import Response

from schemas.instants import format_instant
from streams.collector.calls.payloads import Accepted, JsonObject, encode
from streams.collector.emails.deciding import Question, decide
from streams.collector.emails.link_operations import CONFIRM
from streams.collector.emails.machines import Visitors
from streams.collector.front_door import FrontDoor, Way
from streams.confirmations import Confirmation, ConfirmationSigner

METHOD = "double_opt_in"
_QUESTION = Question(
    "link:confirm",
    "Please confirm",
    "Please confirm that it was you who filled in our form. Otherwise just close this page.",
    "Confirm",
    {"confirm": "yes"},
    ("Thank you", "You have confirmed your choice."),
)


class Confirming:
    """Serves the confirmation links of e-mails."""

    def __init__(self, signer: ConfirmationSigner, door: FrontDoor, visitors: Visitors) -> None:
        self._signer = signer
        self._door = door
        self._visitors = visitors

    def ways(self) -> list[Way]:
        """The path that e-mails carry."""
        return [Way("confirm", "/f/{token:path}", self.confirm, ("GET", "POST"), operation=CONFIRM)]

    async def confirm(self, request: Request) -> Response:
        """GET: a page with a button. POST: consent is granted, once, however often it is sent."""
        token = request.path_params["token"]
        return await decide(
            _QUESTION,
            self._door,
            request,
            self._signer.read,
            lambda confirmation, _: self._records(token, confirmation, request),
        )

    def _records(self, token: str, confirmation: Confirmation, request: Request) -> list[Accepted]:
        now = format_instant(self._door.clock.now_ms())
        shared: JsonObject = {"contact_id": confirmation.contact_id, "occurred_at": now, "received_at": now}
        # Ids are of the token: confirming once more, after a withdrawal too, changes nothing.
        track: JsonObject = {
            "type": "track",
            "event_id": _event_id(token, "form_confirm"),
            "event": "form_confirm",
            "properties": {"form": confirmation.form, "submission": confirmation.submission},
            "context": self._visitors.context(request),
            "source": "email",
        }
        consents: list[JsonObject] = [
            {
                "type": "consent",
                "event_id": _event_id(token, consented.purpose),
                "purpose": consented.purpose,
                "granted": True,
                "document": consented.document,
                "method": METHOD,
            }
            for consented in confirmation.consents
        ]
        return [encode(record | shared) for record in (track, *consents)]


def _event_id(token: str, part: str) -> str:
    return hashlib.sha256("\0".join((token, part)).encode()).hexdigest()[:32]
