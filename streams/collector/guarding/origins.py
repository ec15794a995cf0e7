"""A setting: the sites whose scripts may send events."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

ANY = "*"
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?")


def _origins(value: object) -> object:
    if not isinstance(value, str):
        return value
    origins = tuple(part.strip() for part in value.split(",") if part.strip())
    if not origins:
        raise ValueError("expected * or origins such as https://shop.example, separated by commas")
    for origin in origins:
        if origin != ANY and not _ORIGIN.fullmatch(origin):
            raise ValueError(
                f"expected * or origins in lower case without a path, such as https://shop.example, not {origin[:80]!r}"
            )
    if ANY in origins and len(origins) > 1:
        raise ValueError("expected * alone, or origins without it")
    return origins


Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins)]
"""Sites whose scripts may call."""
