"""`POST /v1/form/FORM`: what people fill in on websites, as browsers send it, with a script or without one.

A browser needs no key: whoever sees the page could read it there. A submitter with a write key, a server, is also given
the token with which the contact confirms its consent; a browser never is, or it could confirm for others.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from schemas.errors import InputError
from streams.collector.calls.payloads import Accepted, PayloadError, Problem
from streams.collector.emails.link_operations import FORM
from streams.collector.emails.machines import Visitors
from streams.collector.forms.form_bodies import FormBounds, read_form
from streams.collector.forms.form_schema import Form
from streams.collector.forms.form_submissions import (
    SUBMITTED,
    Caller,
    Submission,
    honeypot_filled,
    read_submission,
    records_of,
)
from streams.collector.front_door import FrontDoor, Way
from streams.collector.guarding.access import Key
from streams.collector.http.pages import busy_page, page
from streams.collector.http.refusals import Refusal
from streams.collector.writing import WriteError
from streams.confirmations import Confirmation, ConfirmationSigner

FORM_BOUNDS = FormBounds(bytes_max=64 * 1024, fields_max=200, field_bytes_max=16 * 1024)
_PREFLIGHT_S = 3_600
_NO_STORE = {"Cache-Control": "no-store"}


class Forms:
    """Takes forms in."""

    def __init__(
        self, forms: Mapping[str, Form], signer: ConfirmationSigner, door: FrontDoor, visitors: Visitors
    ) -> None:
        self._forms = forms
        self._signer = signer
        self._door = door
        self._visitors = visitors

    def ways(self) -> list[Way]:
        """The path of forms."""
        return [Way("form", "/v1/form/{form}", self.submit, ("POST", "OPTIONS"), operation=FORM)]

    async def submit(self, request: Request) -> Response:
        """200 or a redirect: Kafka has it. 400: what is wrong in which field. 503: send it again."""
        as_json = "application/json" in request.headers.get("accept", "").lower()
        cors: dict[str, str] = {}
        try:
            form = self._form(request)
            cors = _cors(form, request.headers.get("origin"))
            if request.method == "OPTIONS":
                return Response(status_code=204, headers=cors)
            answer = await self._take(request, form, as_json)
        except PayloadError as error:
            # Apart from calls that a program got wrong, which raise an alarm: this is people who mistype.
            self._door.count_rejected("form_fields")
            answer = _problems(error.problems, as_json)
        except WriteError as error:
            answer = self._door.refuse(error) if as_json else self._busy(error)
        except Refusal as refusal:
            answer = self._door.refuse(refusal)
        answer.headers.update(cors | _NO_STORE)
        return answer

    async def _take(self, request: Request, form: Form, as_json: bool) -> Response:
        key: Key | None = None
        if form.key_required or "authorization" in request.headers:
            key = self._door.key(request)
        else:
            self._door.take_call(request)
        sent = await read_form(request, self._door, FORM_BOUNDS)
        submission = read_submission(form, sent)
        if honeypot_filled(form, sent):
            # Answered like any other, so that nobody learns which field to leave empty. Nothing is written: whoever's
            # address stands in it has most likely not written it there.
            self._door.count_rejected("honeypot")
            return _taken(form, submission, None, as_json)
        caller = Caller(
            request.path_params["form"],
            "form" if key is None else key.source,
            self._door.clock.now_ms(),
            uuid.uuid4().hex,
            self._visitors.context(request),
        )
        records, confirmation = records_of(form, submission, caller)
        if key is None:
            await self._door.writer.write(caller.source, records)
            return _taken(form, submission, None, as_json)
        self._check_bounds(key, records)
        token = None if confirmation is None else self._token(confirmation)
        await self._door.write(key, records)
        return _taken(form, submission, token, as_json)

    def _check_bounds(self, key: Key, records: Sequence[Accepted]) -> None:
        """Raises `Refusal` where the key may not send what this form becomes."""
        screening = self._door.screening.of(key, None)
        for record in records:
            refused = screening.refusal({"type": record.type, "event": SUBMITTED})
            if refused is not None:
                raise Refusal(403, "forbidden", ": ".join(refused))

    def _form(self, request: Request) -> Form:
        form = self._forms.get(request.path_params["form"])
        if form is None:
            raise Refusal(404, "invalid", "expected the id of a form in SEGUE_FORMS")
        return form

    def _token(self, confirmation: Confirmation) -> str:
        try:
            return self._signer.make(confirmation)
        except InputError as error:
            raise PayloadError([Problem("", str(error))]) from None

    def _busy(self, error: WriteError) -> Response:
        self._door.count_rejected(error.reason)
        return busy_page(error.headers["Retry-After"])


def _cors(form: Form, origin: str | None) -> dict[str, str]:
    """Headers that let a page read the answer. Raises `Refusal` (403) to one that may not send the form."""
    if not form.origins or origin is None:
        return {}
    if origin not in form.origins:
        raise Refusal(403, "forbidden", "expected a page that may send this form")
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "Content-Type",
        "Access-Control-Max-Age": str(_PREFLIGHT_S),
        "Vary": "Origin",
    }


def _taken(form: Form, submission: Submission, token: str | None, as_json: bool) -> Response:
    if as_json:
        body: dict[str, object] = {"accepted": 1, "ignored": submission.ignored}
        if token is not None:
            body |= {"confirm_token": token, "confirm_path": f"/f/{token}"}
        return JSONResponse(body)
    target = submission.redirect or next(iter(form.redirects), None)
    if target is not None:
        # 303: the browser asks for the page with GET, and a reload does not send the form again.
        return Response(status_code=303, headers={"Location": target})
    return page("Thank you", "We have received what you sent.")


def _problems(problems: list[Problem], as_json: bool) -> Response:
    if as_json:
        body = {
            "accepted": 0,
            "error": f"{len(problems)} of the fields are not as they should be",
            "problems": [problem._asdict() for problem in problems],
        }
        return JSONResponse(body, 400)
    lines = [f"{problem.path}: {problem.expected}" if problem.path else problem.expected for problem in problems]
    return page("Something is missing or not right", "Please go back and look at these once more:", *lines, status=400)
