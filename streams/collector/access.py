"""Who may write: Basic authentication with a source's write key as the user name."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from typing import Annotated

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


class Access:
    """Tells a source by its write key."""

    def __init__(self, write_keys: Mapping[str, SecretStr]) -> None:
        self._keys = [(source, key.get_secret_value().encode()) for source, key in write_keys.items()]

    def source(self, authorization: str | None) -> str | None:
        """The source that an `Authorization` header stands for; None where it stands for none."""
        given = _basic_user(authorization or "")
        if given is None:
            return None
        found = None
        # Every key is compared, so that the time tells nothing of which one came close.
        for source, key in self._keys:
            if hmac.compare_digest(key, given):
                found = source
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
