"""`/f/TOKEN`: where a contact confirms what was consented to in a form, which until then is not consent.

As with unsubscribing, GET shows a page with a button, since scanners follow links; the button's POST confirms.
"""

from __future__ import annotations

import hashlib

from starlette.requests import Request
from starlette.responses import Response

from schemas.instants import format_instant
from streams.collector.email_links import refuse_link
from streams.collector.form_bodies import FormBounds, read_form
from streams.collector.front_door import FrontDoor, Way
from streams.collector.link_operations import CONFIRM
from streams.collector.machines import Visitors
from streams.collector.pages import busy_page, page
from streams.collector.payloads import Accepted, JsonObject, PayloadError, encode
from streams.collector.refusals import Refusal
from streams.collector.writing import WriteError
from streams.confirmations import Confirmation, ConfirmationSigner
from streams.sealing import BadTokenError

METHOD = "double_opt_in"
_BOUNDS = FormBounds(4 * 1024, 16, 1_024)
_FIELD = ("confirm", "yes")


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
        try:
            confirmation = self._signer.read(token, self._door.clock.now_ms())
            if request.method != "POST":
                return page(
                    "Please confirm",
                    "Please confirm that it was you who filled in our form. Otherwise just close this page.",
                    button="Confirm",
                    fields=dict([_FIELD]),
                )
            if _FIELD not in await read_form(request, self._door, _BOUNDS):
                raise Refusal(400, "invalid", f"expected the body {'='.join(_FIELD)}")
            await self._door.writer.write("link:confirm", self._records(token, confirmation, request))
        except (BadTokenError, PayloadError) as error:
            return refuse_link(self._door, error)
        except WriteError as error:
            self._door.count_rejected(error.reason)
            return busy_page(error.headers["Retry-After"])
        except Refusal as refusal:
            return self._door.refuse(refusal)
        return page("Thank you", "You have confirmed your choice.")

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
