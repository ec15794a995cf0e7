"""Tokens: a few fields, sealed so that nobody else can read them, change them, or make some.

A token is `KEYID.SEALED`. The second part is base64url of the fields as a JSON list, under AES-SIV (RFC 5297) with a
key that HKDF-SHA256 makes of the secret; the key's id is authenticated with them. AES-SIV needs no nonce: the same
fields always give the same token, so a mailing that is rendered again carries the same links.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from schemas.errors import InputError

TOKEN_CHARACTERS_MAX = 6_000

_KEY_BYTES = 64  # AES-256-SIV takes two keys of 256 bits
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


class BadTokenError(ValueError):
    """The token was not made with one of our keys, or does not say what a token of its kind says."""


class Sealer:
    """Makes and reads tokens with a set of keys: the first seals, all open."""

    def __init__(self, keys: Mapping[str, SecretStr]) -> None:
        self._ciphers = {key_id: _cipher(secret) for key_id, secret in keys.items()}

    def seal(self, fields: list[Any]) -> str:
        """The token of these fields. Raises `InputError` without a key, or where the token would be too long."""
        if not self._ciphers:
            raise InputError("no key to sign with: set SEGUE_LINK_KEYS")
        key_id, cipher = next(iter(self._ciphers.items()))
        sealed = cipher.encrypt(msgspec.json.encode(fields), [_bound_to(key_id)])
        token = f"{key_id}.{encode(sealed)}"
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise InputError(f"expected fields that fit a token of {TOKEN_CHARACTERS_MAX} characters")
        return token

    def unseal(self, token: str) -> list[Any]:
        """The fields of a token. Raises `BadTokenError`."""
        key_id, _, sealed = token.partition(".")
        cipher = self._ciphers.get(key_id)
        if cipher is None or len(token) > TOKEN_CHARACTERS_MAX:
            raise BadTokenError("not a token of a known key")
        try:
            fields = msgspec.json.decode(cipher.decrypt(decode(sealed), [_bound_to(key_id)]), type=list[Any])
        except (InvalidTag, ValueError) as error:
            raise BadTokenError("the seal does not fit") from error
        return fields


def encode(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes of `encode`'s text, and of no other spelling of them. Raises `BadTokenError`."""
    if not _BASE64URL.fullmatch(text):
        raise BadTokenError("expected base64url")
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise BadTokenError("expected base64url") from None
    # The bits that the last character has too many would make several tokens of one.
    if encode(raw) != text:
        raise BadTokenError("expected base64url without spare bits")
    return raw


def _cipher(secret: SecretStr) -> AESSIV:
    derived = HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"segue link tokens, version 2")
    return AESSIV(derived.derive(secret.get_secret_value().encode()))


def _bound_to(key_id: str) -> bytes:
    return f"segue.2.{key_id}".encode()
