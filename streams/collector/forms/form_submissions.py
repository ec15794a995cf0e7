"""From the fields of a form to records: traits, the event that it was sent, and what was consented to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from schemas.instants import format_instant
from streams.collector.calls.payloads import (
    MESSAGE_ID_CHARACTERS_MAX,
    Accepted,
    JsonObject,
    PayloadError,
    Problem,
    encode,
)
from streams.collector.forms.form_fields import field_value, ticked
from streams.collector.forms.form_schema import Form, FormConsent
from streams.confirmations import Confirmation, Consented

MESSAGE_ID_FIELD = "messageId"
REDIRECT_FIELD = "redirect"
SUBMITTED = "form_submit"
"""The event that a form was sent."""
_HOUR_MS = 3_600_000


class Caller(NamedTuple):
    """What the collector knows of a submission besides its fields."""

    form: str
    source: str
    received_at_ms: int
    new_id: str
    context: Mapping[str, str]


class Submission(NamedTuple):
    """A form that was filled in rightly."""

    contact_id: str
    values: Mapping[str, Any]
    consents: Sequence[FormConsent]
    message_id: str | None
    redirect: str | None
    ignored: Sequence[str]
    """Fields that the form has not; browsers send buttons and the like."""


def read_submission(form: Form, sent: Sequence[tuple[str, str]]) -> Submission:
    """What was filled in. Raises `PayloadError` with everything that is wrong."""
    values: dict[str, list[str]] = {}
    for name, value in sent:
        values.setdefault(name, []).append(value)
    problems: list[Problem] = []
    found = _fields(form, values, problems)
    consents = _consents(form, values, problems)
    message_id = _one(values, MESSAGE_ID_FIELD, problems)
    if message_id is not None and len(message_id) > MESSAGE_ID_CHARACTERS_MAX:
        problems.append(Problem(MESSAGE_ID_FIELD, f"expected at most {MESSAGE_ID_CHARACTERS_MAX} characters"))
    redirect = _one(values, REDIRECT_FIELD, problems) if REDIRECT_FIELD not in form.fields else None
    if redirect is not None and redirect not in form.redirects:
        problems.append(Problem(REDIRECT_FIELD, "expected one of the form's redirects, letter by letter"))
    if problems:
        raise PayloadError(problems)
    known = {*form.fields, *(consent.field for consent in form.consents), form.honeypot}
    ignored = [name[:128] for name in values if name not in known | {MESSAGE_ID_FIELD, REDIRECT_FIELD}]
    return Submission(found[form.contact], found, consents, message_id, redirect, ignored)


def honeypot_filled(form: Form, sent: Sequence[tuple[str, str]]) -> bool:
    """Whether something stands in the field that people do not see."""
    return form.honeypot is not None and any(name == form.honeypot and value.strip() for name, value in sent)


def records_of(form: Form, submission: Submission, caller: Caller) -> tuple[list[Accepted], Confirmation | None]:
    """The records, and with double opt-in what the contact has yet to confirm.

    Raises `PayloadError` where a record would be none.
    """
    named = submission.message_id or caller.new_id
    received_at = format_instant(caller.received_at_ms)
    shared: JsonObject = {
        "contact_id": submission.contact_id,
        "occurred_at": received_at,
        "received_at": received_at,
    }
    event_id = _event_id(caller.form, named, SUBMITTED)
    confirmation = _confirmation(form, submission, caller, event_id)
    properties = _into(form, submission, "properties") | {"form": caller.form}
    if confirmation is not None:
        properties |= confirmation.properties()
    track = {
        "type": "track",
        "event_id": event_id,
        "event": SUBMITTED,
        "properties": properties,
        "context": dict(caller.context),
        "source": caller.source,
    }
    records: list[JsonObject] = [track]
    traits = _into(form, submission, "traits")
    if traits:
        identify = {"type": "identify", "event_id": _event_id(caller.form, named, "identify"), "traits": traits}
        records.insert(0, identify)
    if confirmation is None:
        records += [
            _consent(consent, _event_id(caller.form, named, consent.purpose)) for consent in submission.consents
        ]
    return [encode(record | shared) for record in records], confirmation


def _fields(form: Form, values: Mapping[str, list[str]], problems: list[Problem]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, field in form.fields.items():
        try:
            value = field_value(field, values.get(name, ()))
        except ValueError as error:
            problems.append(Problem(name, str(error)))
            continue
        if value is not None:
            found[name] = value
        elif field.required:
            problems.append(Problem(name, "expected it to be filled in"))
    return found


def _consents(form: Form, values: Mapping[str, list[str]], problems: list[Problem]) -> list[FormConsent]:
    given = []
    for consent in form.consents:
        if consent.field is None:
            given.append(consent)
            continue
        try:
            agreed = ticked(values.get(consent.field, ()))
        except ValueError as error:
            problems.append(Problem(consent.field, str(error)))
            continue
        if agreed:
            given.append(consent)
        elif consent.required:
            problems.append(Problem(consent.field, "expected it to be ticked"))
    return given


def _one(values: Mapping[str, list[str]], name: str, problems: list[Problem]) -> str | None:
    given = [value for value in values.get(name, ()) if value]
    if len(given) > 1:
        problems.append(Problem(name, "expected one value"))
    return given[0] if given else None


def _into(form: Form, submission: Submission, where: str) -> JsonObject:
    return {
        (field.trait or name) if where == "traits" else name: submission.values[name]
        for name, field in form.fields.items()
        if field.into == where and name in submission.values
    }


def _consent(consent: FormConsent, event_id: str) -> JsonObject:
    return {
        "type": "consent",
        "event_id": event_id,
        "purpose": consent.purpose,
        "granted": True,
        "document": consent.document,
        "method": consent.method,
    }


def _confirmation(form: Form, submission: Submission, caller: Caller, event_id: str) -> Confirmation | None:
    if form.double_opt_in is None or not submission.consents:
        return None
    expires_at_ms = caller.received_at_ms + form.double_opt_in.expires_after_h * _HOUR_MS
    consents = [Consented(consent.purpose, consent.document) for consent in submission.consents]
    return Confirmation(submission.contact_id, caller.form, event_id, expires_at_ms, consents)


def _event_id(form: str, named: str, part: str) -> str:
    """Of one submission each record has its own, and the same whenever the submission is sent again."""
    return hashlib.sha256("\0".join((form, named, part)).encode()).hexdigest()[:32]
