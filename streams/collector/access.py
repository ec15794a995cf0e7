"""Who may write: Basic authentication with a source's write key as the user name."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple, TypeAlias

from pydantic import BeforeValidator, SecretStr
from pydantic_settings import NoDecode

WRITE_KEY_CHARACTERS_MIN = 8


def _write_keys(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        keys = json.loads(value)
    except ValueError:
        keys = None
    if not isinstance(keys, dict) or not keys or not all(isinstance(key, str) for key in keys.values()):
        raise ValueError('expected a JSON object of sources and their write keys, like {"website": "a secret"}')
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


Scope: TypeAlias = Literal["write", "read", "admin"]
"""What a key may do: send events, ask for what is stored, decide on contacts."""


class Key(NamedTuple):
    """What a key stands for."""

    source: str
    scopes: frozenset[Scope] = frozenset({"write"})


class Access:
    """Tells who calls by the key that the call carries."""

    def __init__(self, write_keys: Mapping[str, SecretStr]) -> None:
        self._keys = [(Key(source), key.get_secret_value().encode()) for source, key in write_keys.items()]

    def key(self, authorization: str | None, in_body: str | None = None) -> Key | None:
        """What an `Authorization` header stands for, else the key in the body; None where it stands for nothing."""
        given = _basic_user(authorization) if authorization is not None else (in_body or "").encode()
        if not given:
            return None
        found = None
        # Every key is compared, so that the time tells nothing of which one came close.
        for key, secret in self._keys:
            if hmac.compare_digest(secret, given):
                found = key
        return found


def _basic_user(authorization: str) -> bytes | None:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, _ = base64.b64decode(credentials.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return user if colon else None
