"""From the event names of tracking SDKs to those of records."""

from __future__ import annotations

import re
from functools import lru_cache

from schemas.expectations import EVENT_NAME_PATTERN

_OWN_NAME = re.compile(EVENT_NAME_PATTERN)
_WORD_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"[^a-z0-9]+")

STANDARD_NAMES: dict[str, str] = {
    "product_viewed": "product_view",
    "product_added": "cart_add",
    "product_removed": "cart_remove",
    "checkout_started": "checkout_start",
    "order_completed": "purchase",
    "email_delivered": "email_delivered",
    "email_opened": "email_open",
    "email_link_clicked": "email_click",
    "email_bounced": "email_bounce",
    "email_marked_as_spam": "spam_complaint",
    "unsubscribed": "unsubscribe",
}
"""The field's standard names, in snake_case, and what Segue calls the same event."""


_CACHED_CHARACTERS_MAX = 64


def event_name(name: str) -> str | None:
    """The record's name of an event: `Product Added` is `cart_add`, `Loyalty Card Scanned` `loyalty_card_scanned`.

    A name that a record may have is kept as it is. None where no such name can be made without guessing: other
    letters than those of ASCII, a digit at the start, or more than 64 characters.
    """
    return _cached_name(name) if len(name) <= _CACHED_CHARACTERS_MAX else _made_name(name)


def _made_name(name: str) -> str | None:
    if _OWN_NAME.fullmatch(name):
        return name
    if not name.isascii():
        return None
    snake = _SEPARATORS.sub("_", _WORD_BOUNDARY.sub("_", name).lower()).strip("_")
    snake = STANDARD_NAMES.get(snake, snake)
    return snake if _OWN_NAME.fullmatch(snake) else None


_cached_name = lru_cache(maxsize=1_024)(_made_name)  # a source sends few names, and each many times
