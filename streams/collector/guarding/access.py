"""Who calls: the key in the header, as the user name of Basic authentication, or in the body."""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache
from typing import Annotated

from pydantic import BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from schemas.write_keys import secret_digest
from streams.collector.guarding.keyring import Key, Keyring, Scope
from streams.named_settings import named_values
from streams.ports import Clock

__all__ = ["Access", "Key", "Keyring", "Scope", "WriteKeys"]

WRITE_KEY_CHARACTERS_MIN = 8
_REMEMBERED = 1_024
_REMEMBERED_CHARACTERS_MAX = 512


def _write_keys(value: object) -> object:
    if not isinstance(value, str):
        return value
    expected = 'expected a JSON object of sources and their write keys, like {"website": "a secret"}'
    keys = named_values(value, str, expected)
    if not keys:
        raise ValueError(expected)
    if len(set(keys.values())) < len(keys):
        raise ValueError("expected another write key for each source")
    for source, key in keys.items():
        if len(key) < WRITE_KEY_CHARACTERS_MIN or ":" in key:
            raise ValueError(
                f"expected at least {WRITE_KEY_CHARACTERS_MIN} characters and no colon in the key of {source!r}"
            )
    return {source: SecretStr(key) for source, key in keys.items()}


WriteKeys = Annotated[dict[str, SecretStr], NoDecode, BeforeValidator(_write_keys)]
"""Source → its write key."""


class Access:
    """Tells who calls by the key that the call carries."""

    def __init__(self, keyring: Keyring, clock: Clock) -> None:
        self._keyring = keyring
        self._clock = clock

    def key(self, authorization: str | None, in_body: str | None = None) -> Key | None:
        """What an `Authorization` header stands for, else the key in the body; None where it stands for nothing."""
        if authorization is None:
            digest = secret_digest(in_body.encode()) if in_body else None
        elif len(authorization) <= _REMEMBERED_CHARACTERS_MAX:
            digest = _remembered_digest(authorization)
        else:
            digest = _digest(authorization)
        return None if digest is None else self._keyring.find(digest, self._clock.now_ms())


def _digest(authorization: str) -> bytes | None:
    user = _credentials(authorization)
    return secret_digest(user) if user else None


_remembered_digest = lru_cache(maxsize=_REMEMBERED)(_digest)  # senders are few, and each calls often


def _credentials(authorization: str) -> bytes | None:
    """The user name of Basic authentication, as tracking SDKs send a key."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, _ = base64.b64decode(credentials.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return user if colon else None
