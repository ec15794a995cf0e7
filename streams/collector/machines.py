"""Signs that an open or a click was a machine's: the event is kept, and says why it is suspected.

Conditions pass suspected events over unless they ask for them, so a wrong sign hides people. Proxies that fetch an
image because a person opened the e-mail (Gmail's) are therefore no sign; those that fetch it unasked are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Headers = Mapping[str, str]
"""Request headers, names in lower case."""


def _prefetch_proxy(headers: Headers) -> bool:
    """Apple's mail privacy protection fetches every image, opened or not, and says just this."""
    return headers.get("user-agent", "").strip() == "Mozilla/5.0"


def _prefetch_header(headers: Headers) -> bool:
    """Browsers and link previews that fetch ahead of a person say so."""
    purposes = (headers.get(name, "").lower() for name in ("sec-purpose", "purpose", "x-purpose", "x-moz"))
    return any(word in purpose for purpose in purposes for word in ("prefetch", "preview", "prerender"))


SIGNS: dict[str, Callable[[Headers], bool]] = {
    "prefetch_proxy": _prefetch_proxy,
    "prefetch_header": _prefetch_header,
}
"""Reason → sign. A new sign is one function and one line here."""


def suspicion(headers: Headers) -> list[str]:
    """Reasons to suspect a machine, none for a person."""
    return [reason for reason, sign in SIGNS.items() if sign(headers)]
