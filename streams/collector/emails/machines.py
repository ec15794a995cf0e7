"""Signs that an open or a click was a machine's: the event is kept, and says why it is suspected.

Conditions pass suspected events over unless they ask for them, so a wrong sign hides people. Proxies that fetch an
image because a person opened the e-mail (Gmail's) are therefore no sign; those that fetch it unasked are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.requests import Request

from streams.collector.emails.machine_signs import Followed, MachineSigns
from streams.collector.guarding.addresses import Address, Network, Written, client_address, written_address
from streams.collector.http.raw_headers import header, headers_of

USER_AGENT_CHARACTERS_MAX = 512

Headers = Mapping[str, str]
"""Request headers, names in lower case."""

_PURPOSE_HEADERS = ("sec-purpose", "purpose", "x-purpose", "x-moz")


def user_agent_of(headers: Headers) -> str:
    """What the client calls itself, as far as a record keeps it; empty where it says nothing."""
    return _kept(headers.get("user-agent", ""))


def _kept(user_agent: str) -> str:
    return user_agent[:USER_AGENT_CHARACTERS_MAX].strip()


def fetched_ahead(headers: Headers) -> bool:
    """Browsers and link previews that fetch ahead of a person say so."""
    purposes = [headers[name].lower() for name in _PURPOSE_HEADERS if name in headers]
    return any(word in purpose for purpose in purposes for word in ("prefetch", "preview", "prerender"))


def suspicion(
    signs: MachineSigns, followed: Followed, headers: Headers, address: Address | None, *, trap: bool = False
) -> list[str]:
    """Reasons to suspect a machine, none for a person. `trap`: it followed a link that no person sees."""
    reasons = ["honeypot"] if trap else []
    reasons += signs.reasons(followed, user_agent_of(headers), address)
    if fetched_ahead(headers):
        reasons.append("prefetch_header")
    return list(dict.fromkeys(reasons))


class Visitors:
    """Those who follow links: what a record keeps of them, and whether they look like machines."""

    def __init__(self, signs: MachineSigns, proxies: Sequence[Network], written: Written) -> None:
        """`proxies`: whose word on a client's address is taken; `written`: how much of an address records keep."""
        self._signs = signs
        self._proxies = proxies
        self._written = written

    def context(self, request: Request) -> dict[str, str]:
        """The context of a record."""
        found = {
            "userAgent": _kept(header(request, b"user-agent") or ""),
            "ip": written_address(self._address(request), self._written),
        }
        return {name: value for name, value in found.items() if value}

    def suspicion(self, request: Request, followed: Followed, *, trap: bool = False) -> list[str]:
        """Reasons to suspect a machine, none for a person."""
        return suspicion(self._signs, followed, headers_of(request), self._address(request), trap=trap)

    def _address(self, request: Request) -> Address | None:
        return client_address(request, self._proxies)
