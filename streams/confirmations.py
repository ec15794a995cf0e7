"""Double opt-in: the link with which a contact confirms what was consented to in a form under its address.

The link is not in the log. It is made anew from the `form_submit` record by whoever has the keys, and the collector
gives it to a submitter that has a write key; both make the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
from pydantic import SecretStr

from schemas.errors import InputError
from schemas.instants import format_instant, parse_instant
from streams.links import ExpiredTokenError
from streams.sealing import BadTokenError, Sealer

_KIND = "f"


class Consented(NamedTuple):
    """What was ticked: consent to a purpose, after reading a document."""

    purpose: str
    document: str


class Confirmation(NamedTuple):
    """What a contact confirms."""

    contact_id: str
    form: str
    submission: str
    """Event id of the `form_submit` record."""
    expires_at_ms: int
    consents: Sequence[Consented]

    def properties(self) -> dict[str, Any]:
        """What the `form_submit` record says of it, so that the link can be made from the record."""
        return {
            "consents": [consented._asdict() for consented in self.consents],
            "confirm_until": format_instant(self.expires_at_ms),
        }


_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _Consent(msgspec.Struct):
    purpose: _Text
    document: _Text


class _Properties(msgspec.Struct):
    form: _Text
    consents: list[_Consent]
    confirm_until: str


class _Submission(msgspec.Struct):
    event_id: _Text
    contact_id: _Text
    properties: _Properties


class _Payload(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    kind: str
    contact_id: _Text
    form: _Text
    submission: _Text
    expires_at_ms: int
    consents: list[tuple[_Text, _Text]]


def confirmation_of(record: Mapping[str, Any]) -> Confirmation:
    """What a `form_submit` record of a form with double opt-in asks to be confirmed. Raises `InputError`."""
    try:
        submitted = msgspec.convert(dict(record), _Submission)
        expires_at_ms = parse_instant(submitted.properties.confirm_until)
    except (msgspec.ValidationError, ValueError) as error:
        raise InputError(f"form_submit record: expected one of a form with double opt-in: {error}") from None
    properties = submitted.properties
    consents = [Consented(consent.purpose, consent.document) for consent in properties.consents]
    return Confirmation(submitted.contact_id, properties.form, submitted.event_id, expires_at_ms, consents)


class ConfirmationSigner:
    """Makes and reads the tokens of confirmations."""

    def __init__(self, keys: Mapping[str, SecretStr]) -> None:
        self._sealer = Sealer(keys)

    def make(self, confirmation: Confirmation) -> str:
        """The token. Raises `InputError` without a key, or where there is too much to confirm."""
        return self._sealer.seal([_KIND, *confirmation])

    def read(self, token: str, now_ms: int) -> Confirmation:
        """What a token confirms. Raises `BadTokenError`; `ExpiredTokenError` past its time."""
        try:
            payload = msgspec.convert(self._sealer.unseal(token), _Payload)
        except msgspec.ValidationError as error:
            raise BadTokenError("the payload is not one of a confirmation") from error
        if payload.kind != _KIND:
            raise BadTokenError("a token of another kind")
        if now_ms >= payload.expires_at_ms:
            raise ExpiredTokenError("the token has expired")
        consents = [Consented(*consent) for consent in payload.consents]
        return Confirmation(payload.contact_id, payload.form, payload.submission, payload.expires_at_ms, consents)
