"""Names that people write, and the known ones that they may have meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from schemas.event_names import STANDARD_NAMES

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Names of segments and scores."""
NAME_EXPECTED = "expected a name of at most 64 letters, digits, _ and -"
STANDARD_EVENTS = (
    "email_open",
    "email_click",
    "page_view",
    "product_view",
    "cart_add",
    "cart_remove",
    "checkout_start",
    "purchase",
    "email_delivered",
    "email_bounce",
    "spam_complaint",
    "unsubscribe",
    "form_submit",
    "survey_response",
    "app_use",
    "content_download",
)
"""Events that the SDKs and the collector name so; any other name is legal too."""
_LIKE = 0.6
_ALIKE = 0.84
"""Past this two event names are taken for one: `email_opened` is, `email_sent` is not."""
_MOST_NAMES = 1000
_MOST_TOLD = 20
_LONGEST = 200
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_GAP = re.compile(r"[^a-z0-9]+")


def nearest(name: object, known: Iterable[str], others: Mapping[str, str] | None = None) -> str:
    """The known name that `name` looks like, whatever its capitals; "" where it looks like none.

    `others` has, for words that mean a known name without looking like it, the names that they may mean.
    """
    if not isinstance(name, str) or not name or len(name) > _LONGEST:
        return ""
    options = {each.lower(): each for each in list(known)[:_MOST_NAMES]}
    wanted = name.strip().lower()
    for meant in (others or {}).get(wanted, "").split():
        if meant in options.values():
            return meant
    found = get_close_matches(wanted, options, n=1, cutoff=_LIKE)
    return options[found[0]] if found else ""


def standard_event_like(event: str) -> str:
    """The standard event that a custom name is nearly the same as, or that SDKs send under it, or ""."""
    if event in STANDARD_EVENTS:
        return ""
    if event in STANDARD_NAMES:
        return STANDARD_NAMES[event]
    found = get_close_matches(event, STANDARD_EVENTS, n=1, cutoff=_ALIKE)
    return found[0] if found else ""


def told(names: Sequence[str]) -> str:
    """The names, and how many more there are where they are very many."""
    more = len(names) - _MOST_TOLD
    return ", ".join(names[:_MOST_TOLD]) + (f" and {more} more" if more > 0 else "")


def snake_case(text: str) -> str:
    """`Email Open` and `emailOpen` as `email_open`."""
    return _GAP.sub("_", _HUMP.sub("_", text).lower()).strip("_")
