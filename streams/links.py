"""What the links of an e-mail stand for: opens, clicks and unsubscribes, each in a token that only we make and read.

Tokens that were made before they were sealed are read too: `KEYID.PAYLOAD.SIGNATURE`, where the payload is base64url
of a JSON list and the signature an HMAC-SHA256 over the kind, the key's id and the payload.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import msgspec
from pydantic import SecretStr, StringConstraints, TypeAdapter, ValidationError

from schemas.errors import InputError
from schemas.record_models import ContactId
from streams.sealing import TOKEN_CHARACTERS_MAX, BadTokenError, Sealer, decode, encode

LinkKind: TypeAlias = Literal["open", "click", "unsubscribe"]

DESTINATION_CHARACTERS_MAX = 2_048

_CONTACT: TypeAdapter[str] = TypeAdapter(ContactId)
_CAMPAIGN: TypeAdapter[str] = TypeAdapter(Annotated[str, StringConstraints(min_length=1, max_length=128)])
_DESTINATION = re.compile(r"https?://[!-\[\]-~]+", re.IGNORECASE)
"""Printable ASCII without spaces and without the backslash, which browsers take for a slash."""


class Link(NamedTuple):
    """Whom a link stands for, and what comes of following it."""

    contact_id: str | None
    """None: nobody's, an open of a contact that has not consented to be told apart by its opens."""
    campaign: str
    destination: str | None = None
    """Where a click leads; clicks have one, and nothing else has."""
    expires_at_ms: int | None = None
    """From this instant on the link is refused; None: never."""
    trap: bool = False
    """A click link that no person sees: who follows it is a machine."""
    purpose: str | None = None
    """The consent that an unsubscribe withdraws; None: what the collector is set to."""


class ExpiredTokenError(BadTokenError):
    """The token is one of ours, and its time is over."""


class _Payload(msgspec.Struct, array_like=True):
    kind: str
    contact_id: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | None
    campaign: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    destination: str | None = None
    expires_at_ms: int | None = None
    purpose: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None = None


_LETTERS: dict[tuple[LinkKind, bool], str] = {
    ("open", False): "o",
    ("click", False): "c",
    ("click", True): "t",
    ("unsubscribe", False): "u",
}


def check_destination(url: str) -> None:
    """Raises `ValueError` unless `url` can be redirected to: http or https, a host, ASCII, not too long."""
    if len(url) > DESTINATION_CHARACTERS_MAX:
        raise ValueError(f"expected at most {DESTINATION_CHARACTERS_MAX} characters")
    if not _DESTINATION.fullmatch(url):
        raise ValueError("expected an http or https URL in ASCII, with anything else percent-encoded")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # reading the port checks it
    except ValueError as error:
        raise ValueError(f"expected a URL with a valid host and port: {error}") from None
    if not host:
        raise ValueError("expected a URL with a host")


class LinkSigner:
    """Makes and reads the tokens of links with a set of keys."""

    def __init__(self, keys: Mapping[str, SecretStr]) -> None:
        self._sealer = Sealer(keys)
        self._secrets = {key_id: secret.get_secret_value().encode() for key_id, secret in keys.items()}

    def make(self, kind: LinkKind, link: Link) -> str:
        """The token of a link, made with the first key. Raises `InputError` when it cannot be made."""
        _check_link(kind, link)
        letter = _LETTERS[kind, link.trap]
        fields = [letter, link.contact_id, link.campaign, link.destination, link.expires_at_ms, link.purpose]
        while fields[-1] is None:  # e-mails are short of room
            fields.pop()
        return self._sealer.seal(fields)

    def read(self, kind: LinkKind, token: str, now_ms: int) -> Link:
        """What a token of this kind stands for. Raises `BadTokenError`; `ExpiredTokenError` past its time."""
        if len(token) > TOKEN_CHARACTERS_MAX or not token.isascii():
            raise BadTokenError("not a token")
        link = self._read_signed(kind, token) if token.count(".") == 2 else self._read_sealed(kind, token)
        if link.expires_at_ms is not None and now_ms >= link.expires_at_ms:
            raise ExpiredTokenError("the token has expired")
        return link

    def _read_sealed(self, kind: LinkKind, token: str) -> Link:
        try:
            payload = msgspec.convert(self._sealer.unseal(token), _Payload)
        except msgspec.ValidationError as error:
            raise BadTokenError("the payload is not one of a link") from error
        for trap in (False, True):
            if _LETTERS.get((kind, trap)) == payload.kind:
                expires_at_ms, purpose = payload.expires_at_ms, payload.purpose
                link = Link(payload.contact_id, payload.campaign, payload.destination, expires_at_ms, trap, purpose)
                return _checked_again(kind, link)
        raise BadTokenError("a token of another kind")

    def _read_signed(self, kind: LinkKind, token: str) -> Link:
        key_id, payload, signature = token.split(".")
        secret = self._secrets.get(key_id)
        if secret is None:
            raise BadTokenError("not a token of a known key")
        signed = hmac.new(secret, f"segue.{kind}.{key_id}.{payload}".encode(), hashlib.sha256)
        if not hmac.compare_digest(encode(signed.digest()), signature):
            raise BadTokenError("the signature does not fit")
        try:
            fields = msgspec.json.decode(decode(payload), type=list[str])
        except ValueError as error:
            raise BadTokenError("the payload is not one of a link") from error
        if len(fields) != (3 if kind == "click" else 2):
            raise BadTokenError("the payload is not one of this kind")
        return _checked_again(kind, Link(fields[0], fields[1], fields[2] if kind == "click" else None))


def _check_link(kind: LinkKind, link: Link) -> None:
    _check_whose(kind, link)
    if link.purpose is not None:
        if kind != "unsubscribe":
            raise InputError("purpose: only an unsubscribe withdraws consent: leave it out")
        if not 1 <= len(link.purpose) <= 128:
            raise InputError("purpose: expected 1 to 128 characters")
    if link.trap and kind != "click":
        raise InputError("only a click link can be a trap")
    if kind != "click":
        if link.destination is not None:
            raise InputError(f"the link of an {kind} leads nowhere: leave the URL out")
        return
    try:
        check_destination(link.destination or "")
    except ValueError as error:
        raise InputError(f"url: {error}") from None


def _check_whose(kind: LinkKind, link: Link) -> None:
    given = [("campaign", _CAMPAIGN, link.campaign)]
    if link.contact_id is not None:
        given.insert(0, ("contact", _CONTACT, link.contact_id))
    elif kind != "open":
        raise InputError("contact: expected one: only an open can be nobody's")
    for name, shape, value in given:
        try:
            shape.validate_python(value)
        except ValidationError as error:
            raise InputError(f"{name}: {error.errors()[0]['msg']}") from None


def _checked_again(kind: LinkKind, link: Link) -> Link:
    """Made by us, yet a key may have served under older rules."""
    if (
        (link.destination is None) != (kind != "click")
        or (link.purpose is not None and kind != "unsubscribe")
        or (link.contact_id is None and kind != "open")
    ):
        raise BadTokenError("the payload is not one of this kind")
    if link.destination is not None:
        try:
            check_destination(link.destination)
        except ValueError as error:
            raise BadTokenError(f"url: {error}") from None
    return link
