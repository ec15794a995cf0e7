"""The secrets that tokens of links are made with, as they stand in the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from schemas.settings import CommonSettings
from streams.named_settings import named_values

SECRET_CHARACTERS_MIN = 16
BASE_URL_PATTERN = r"^https?://[^\s/]+(/[^\s]*)?$"
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


def _link_keys(value: object) -> object:
    if not isinstance(value, str):
        return value
    expected = 'expected a JSON object of key ids and secrets, like {"k1": "a long secret"}'
    return checked_keys(named_values(value, str, expected))


def checked_keys(keys: Mapping[str, str]) -> dict[str, SecretStr]:
    """Key ids and secrets that tokens can be made with. Raises `ValueError`, which never shows a secret."""
    for key_id, secret in keys.items():
        if not _KEY_ID.fullmatch(key_id):
            raise ValueError(f"expected key ids of 1 to 32 letters, digits, _ and -, not {key_id!r}")
        if len(secret) < SECRET_CHARACTERS_MIN:
            raise ValueError(f"expected at least {SECRET_CHARACTERS_MIN} characters in the secret of {key_id!r}")
    return {key_id: SecretStr(secret) for key_id, secret in keys.items()}


LinkKeys = Annotated[dict[str, SecretStr], NoDecode, BeforeValidator(_link_keys)]
"""Key id → secret. The first seals; all open, so that a key can be replaced while old e-mails are read."""

LINK_KEYS_DESCRIPTION = (
    'Keys of the tokens in links of e-mails, a JSON object of key ids and secrets: `{"k1": "…"}`. The first makes '
    "tokens, all read them."
)


class LinkSettings(CommonSettings):
    """What makes tokens."""

    link_keys: LinkKeys = Field(default_factory=dict, description=LINK_KEYS_DESCRIPTION)
    link_base_url: str = Field(
        default="http://127.0.0.1:8080",
        pattern=BASE_URL_PATTERN,
        description="Where the collector is reached from outside; links of e-mails begin with it.",
    )
