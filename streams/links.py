"""Tokens of open pixels and click links: what an e-mail carries, signed so that nobody else can make one.

A token is `KEYID.PAYLOAD.SIGNATURE`. The payload is base64url of a JSON list: contact, campaign and, for a click, the
destination. The signature is an HMAC-SHA256 over the kind, the key's id and the payload, so that an open token is no
click token and a signature of one key is none of another's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from typing import Annotated, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import msgspec
from pydantic import BeforeValidator, Field, SecretStr, StringConstraints, TypeAdapter, ValidationError
from pydantic_settings import NoDecode

from schemas.errors import InputError
from schemas.record_models import ContactId
from schemas.settings import CommonSettings

LinkKind: TypeAlias = Literal["open", "click"]

TOKEN_CHARACTERS_MAX = 6_000
DESTINATION_CHARACTERS_MAX = 2_048
SECRET_CHARACTERS_MIN = 16

_CONTACT: TypeAdapter[str] = TypeAdapter(ContactId)
_CAMPAIGN: TypeAdapter[str] = TypeAdapter(Annotated[str, StringConstraints(min_length=1, max_length=128)])
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_DESTINATION = re.compile(r"https?://[!-\[\]-~]+", re.IGNORECASE)
"""Printable ASCII without spaces and without the backslash, which browsers take for a slash."""


def _link_keys(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        keys = json.loads(value)
    except ValueError:
        keys = None
    if not isinstance(keys, dict) or not all(isinstance(secret, str) for secret in keys.values()):
        raise ValueError('expected a JSON object of key ids and secrets, like {"k1": "a long secret"}')
    for key_id, secret in keys.items():
        if not _KEY_ID.fullmatch(key_id):
            raise ValueError(f"expected key ids of 1 to 32 letters, digits, _ and -, not {key_id!r}")
        if len(secret) < SECRET_CHARACTERS_MIN:
            raise ValueError(f"expected at least {SECRET_CHARACTERS_MIN} characters in the secret of {key_id!r}")
    return {key_id: SecretStr(secret) for key_id, secret in keys.items()}


LinkKeys = Annotated[dict[str, SecretStr], NoDecode, BeforeValidator(_link_keys)]
"""Key id → secret. The first signs; all verify, so that a key can be replaced while old e-mails are read."""

LINK_KEYS_DESCRIPTION = (
    'Keys of open and click tokens, a JSON object of key ids and secrets: `{"k1": "…"}`. The first signs, all verify.'
)


class LinkSettings(CommonSettings):
    """What makes tokens."""

    link_keys: LinkKeys = Field(default_factory=dict, description=LINK_KEYS_DESCRIPTION)
    link_base_url: str = Field(
        default="http://127.0.0.1:8080",
        pattern=r"^https?://[^\s/]+(/[^\s]*)?$",
        description="Where the collector is reached from outside; open and click links begin with it.",
    )


class Link(NamedTuple):
    """Whom a token stands for, and where a click leads; an open has no destination."""

    contact_id: str
    campaign: str
    destination: str | None = None


class BadTokenError(ValueError):
    """The token was not made with one of our keys, or does not say what a token of its kind says."""


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
    """Makes and reads tokens with a set of keys."""

    def __init__(self, keys: dict[str, SecretStr]) -> None:
        self._keys = {key_id: secret.get_secret_value().encode() for key_id, secret in keys.items()}

    def make(self, kind: LinkKind, link: Link) -> str:
        """The token of a link, signed with the first key. Raises `InputError` when it cannot be made."""
        if not self._keys:
            raise InputError("no key to sign with: set SEGUE_LINK_KEYS")
        _check_link(kind, link)
        key_id = next(iter(self._keys))
        fields = [link.contact_id, link.campaign] + ([link.destination] if kind == "click" else [])
        payload = _encode(msgspec.json.encode(fields))
        return f"{key_id}.{payload}.{self._signature(kind, key_id, payload)}"

    def read(self, kind: LinkKind, token: str) -> Link:
        """What a token of this kind stands for. Raises `BadTokenError`."""
        if len(token) > TOKEN_CHARACTERS_MAX or not token.isascii():
            raise BadTokenError("not a token")
        parts = token.split(".")
        if len(parts) != 3 or parts[0] not in self._keys:
            raise BadTokenError("not a token of a known key")
        key_id, payload, signature = parts
        if not hmac.compare_digest(self._signature(kind, key_id, payload), signature):
            raise BadTokenError("the signature does not fit")
        return _parse_link(kind, payload)

    def _signature(self, kind: LinkKind, key_id: str, payload: str) -> str:
        signed = f"segue.{kind}.{key_id}.{payload}".encode()
        return _encode(hmac.new(self._keys[key_id], signed, hashlib.sha256).digest())


def _check_link(kind: LinkKind, link: Link) -> None:
    for name, shape, value in (("contact", _CONTACT, link.contact_id), ("campaign", _CAMPAIGN, link.campaign)):
        try:
            shape.validate_python(value)
        except ValidationError as error:
            raise InputError(f"{name}: {error.errors()[0]['msg']}") from None
    if kind == "open":
        if link.destination is not None:
            raise InputError("an open pixel leads nowhere: leave the URL out")
        return
    try:
        check_destination(link.destination or "")
    except ValueError as error:
        raise InputError(f"url: {error}") from None


def _parse_link(kind: LinkKind, payload: str) -> Link:
    # Signed by us, yet checked again: a key may have signed with older rules.
    try:
        fields = msgspec.json.decode(_decode(payload), type=list[str])
        link = Link(*fields)
        if (link.destination is None) != (kind == "open"):
            raise BadTokenError("expected a destination in a click token, and in no other")
        if link.destination is not None:
            check_destination(link.destination)
    except (ValueError, TypeError) as error:
        raise BadTokenError("the payload is not one of this kind") from error
    return link


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
