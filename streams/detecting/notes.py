"""What is noted of an event of an e-mail for as long as it may tell something of others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, TypeAlias

from schemas.records import Track

Kind: TypeAlias = Literal["delivery", "open", "click"]

KINDS: dict[str, Kind] = {"email_delivered": "delivery", "email_open": "open", "email_click": "click"}
"""Events that are looked at."""
HONEYPOT = "honeypot"
"""The reason that the collector gives where a link was followed that no person sees."""

_CAMPAIGN, _EMAIL, _LINK = "campaign_id", "email_id", "link_url"
_DIGEST_BYTES = 8


@dataclass(slots=True, eq=False)
class Note:
    """An event of a contact, as far as rules look at it. Ids of e-mails and links are digests."""

    contact_id: str
    event_id: str
    kind: Kind
    at_ms: int
    """When it happened by its record (`occurred_at`)."""
    clock_ms: int
    """The clock of its partition when it came."""
    email: bytes | None
    campaign: bytes | None
    link: bytes | None
    reasons: tuple[str, ...]
    """For which it is suspected by what is in the log: its own mark and corrections of it."""
    cleared: bool = False
    """Somebody said that no machine caused it: that word stands."""
    found: tuple[str, ...] = ()
    """Reasons that were found and are not written yet."""
    found_ms: int = 0
    """The clock at which the last of them was found."""
    kept: bool = True
    """Whether it still counts."""

    @property
    def mail(self) -> tuple[str, bytes] | None:
        """The one e-mail that it is about, as narrowly as it says."""
        if self.email is not None:
            return "email", self.email
        return None if self.campaign is None else ("campaign", self.campaign)

    def is_of_same_mail(self, other: Note) -> bool:
        """Whether both may be about one e-mail: its id decides where both have one, else the campaign.

        Our own links know the campaign alone, what providers tell often both.
        """
        if self.email is not None and other.email is not None:
            return self.email == other.email
        return self.campaign is not None and self.campaign == other.campaign


def note_of(event: Track, clock_ms: int) -> Note | None:
    """What is to be noted of an event; None where rules do not look at it."""
    kind = KINDS.get(event.event)
    email, campaign = _digest(event.properties.get(_EMAIL)), _digest(event.properties.get(_CAMPAIGN))
    if kind is None or (email is None and campaign is None):
        return None
    machine = event.machine
    return Note(
        contact_id=event.contact_id,
        event_id=event.event_id,
        kind=kind,
        at_ms=event.occurred_at,
        clock_ms=clock_ms,
        email=email,
        campaign=campaign,
        link=_digest(event.properties.get(_LINK)) if kind == "click" else None,
        reasons=tuple(machine.reasons) if machine is not None and machine.suspected else (),
    )


def _digest(value: object) -> bytes | None:
    """A value of bounded length in its place; 7 and "7" are one, since some senders write ids as numbers."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return None
    return hashlib.blake2b(str(value).encode(), digest_size=_DIGEST_BYTES).digest()
