"""Secrets that hooks share with their providers. Several hold at once, so that one can be replaced."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from streams.collector.http.refusals import Refusal
from streams.collector.providers.provider import Call

SECRET_CHARACTERS_MIN = 16
SECRET_CHARACTERS_MAX = 256
SECRETS_MAX = 4


def _long_enough(secret: SecretStr) -> SecretStr:
    if not SECRET_CHARACTERS_MIN <= len(secret.get_secret_value()) <= SECRET_CHARACTERS_MAX:
        raise ValueError(f"expected {SECRET_CHARACTERS_MIN} to {SECRET_CHARACTERS_MAX} characters")
    return secret


Secret = Annotated[SecretStr, AfterValidator(_long_enough)]
Secrets = Annotated[tuple[Secret, ...], Field(min_length=1, max_length=SECRETS_MAX, strict=False)]


def check_secret(call: Call, secrets: Sequence[SecretStr]) -> None:
    """For providers that sign nothing: the secret as password of Basic authentication under any user name, as bearer
    token, or as `token` in the URL. Raises `Refusal` (401).
    """
    given = _given(call)
    found = False
    # Every secret is compared, so that the time tells nothing of which one came close.
    for secret in secrets:
        found |= hmac.compare_digest(secret.get_secret_value().encode(), given)
    if not found:
        raise Refusal(
            401,
            "bad_signature",
            "expected the hook's secret as password of Basic authentication, as bearer token, or as ?token=",
            {"WWW-Authenticate": 'Basic realm="segue"'},
        )


def _given(call: Call) -> bytes:
    scheme, _, credentials = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip().encode()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return (call.token or "").encode()
