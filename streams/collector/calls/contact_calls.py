"""`POST /v1/consent` and `/v1/erase`: what a contact decides, and that it is to be forgotten."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias

import msgspec
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from streams.collector.calls import shapes
from streams.collector.calls.api_operations import ANSWERS
from streams.collector.calls.fields import Arrival, PayloadError, Problem
from streams.collector.calls.payloads import Accepted, accept, erasure
from streams.collector.calls.sorting import Rejected
from streams.collector.front_door import FrontDoor, Way
from streams.collector.guarding.access import Key, Scope
from streams.collector.http.half_characters import replace_halves
from streams.collector.http.operations import Operation
from streams.collector.http.refusals import Refusal
from streams.collector.settings import EVENT_BYTES_MAX

_Take: TypeAlias = Callable[[object, Arrival], Accepted | None]


class ContactCalls:
    """Calls about one contact, answered when Kafka has their records."""

    def __init__(self, door: FrontDoor) -> None:
        self._door = door

    def ways(self) -> list[Way]:
        """The paths of these calls."""
        return [
            Way("consent", "/v1/consent", self.consent, browser=True, operation=_CONSENT),
            Way("erase", "/v1/erase", self.erase, operation=_ERASE),
        ]

    async def consent(self, request: Request) -> Response:
        """A decision for one purpose or several; a page may send it with a write key, in its body too."""
        return await self._answer(request, "write", partial(accept, "consent"))

    async def erase(self, request: Request) -> Response:
        """Forget a contact; needs a key that may decide on contacts."""
        return await self._answer(request, "admin", erasure)

    async def _answer(self, request: Request, scope: Scope, take: _Take) -> Response:
        door = self._door
        try:
            # With a header, a stranger is turned away before the body is read.
            key = door.key(request, scope) if "authorization" in request.headers else None
            event = _decoded(await door.body(request, EVENT_BYTES_MAX))
            key = key or self._key_in(event, request, scope)
            accepted = take(event, door.arrival(key, request))
            assert accepted is not None, "of these, something is always written"
            await door.write(key, [accepted])
        except PayloadError as error:
            door.count_rejected("invalid")
            return JSONResponse(_rejected(error.problems), 400)
        except Refusal as refusal:
            return door.refuse(refusal)
        return JSONResponse({"accepted": 1, "rejected": []})

    def _key_in(self, event: object, request: Request, scope: Scope) -> Key:
        given = event.get("writeKey") if isinstance(event, dict) else None
        return self._door.key(request, scope, given if isinstance(given, str) else None)


def _decoded(raw: bytes) -> object:
    try:
        event: object = msgspec.json.decode(replace_halves(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, "invalid", f"expected JSON in UTF-8: {error}") from None
    return event


def _rejected(problems: list[Problem]) -> dict[str, object]:
    first = problems[0]
    message = f"{first.path}: {first.expected}" if first.path else first.expected
    rejected = Rejected(0, None, problems).body()
    return {"accepted": 0, "rejected": [rejected], "error": message, "code": "invalid", "message": message}


class Decision(shapes.Call):
    """A decision of a contact on the use of what is known of it."""

    type: Literal["consent"] | None = None
    purposes: dict[str, bool] | None = Field(None, description="Purpose → whether it is granted; or else:")
    purpose: str | None = Field(None, min_length=1, max_length=128)
    granted: bool | None = None
    document: str = Field(min_length=1, max_length=256, description="What the contact was shown: a form's version.")
    method: str = Field(min_length=1, max_length=256, description="How it was decided, like `web_form`.")


class Erasure(shapes.Call):
    """A contact to be forgotten."""


_CONSENT = Operation("Record what a contact decided.", ANSWERS, tag="contacts", body=Decision, security="body")
_ERASE = Operation(
    "Forget a contact.",
    ANSWERS,
    tag="contacts",
    description="It leaves every segment. Needs a key that may `admin`.",
    body=Erasure,
    security="body",
)
