"""Opens, clicks and deliveries of e-mails in tests, and a memory that looks at them."""

from __future__ import annotations

from typing import Any

from schemas.instants import parse_instant
from schemas.record_models import Correction, Erase, Machine
from schemas.records import Record, Suspicion, Track
from streams.detecting.memory import Finding, Memory
from streams.detecting.rules import Thresholds

START = parse_instant("2026-11-21T10:00:00Z")
SECOND = 1_000
WINDOW_MS = 900_000
THRESHOLDS = Thresholds(burst_links=3, burst_ms=1_000, after_delivery_ms=2_000, near_honeypot_ms=10_000)


def tracked(event: str, event_id: str, at: int, *, contact: str = "c1", **more: Any) -> Track:
    """An event of the campaign `welcome`, `at` milliseconds after `START`; `properties` are added, None takes away."""
    properties = {"campaign_id": "welcome", **more.pop("properties", {})}
    return Track(
        event_id=event_id,
        contact_id=contact,
        event=event,
        occurred_at=START + at,
        properties={name: value for name, value in properties.items() if value is not None},
        **more,
    )


def delivered(event_id: str, at: int, **more: Any) -> Track:
    """The e-mail was delivered."""
    return tracked("email_delivered", event_id, at, **more)


def opened(event_id: str, at: int, **more: Any) -> Track:
    """The e-mail was opened."""
    return tracked("email_open", event_id, at, **more)


def clicked(event_id: str, at: int, link: str | None = None, **more: Any) -> Track:
    """A link was followed, by default one that no other event follows."""
    more["properties"] = {"link_url": f"https://shop.example/{event_id if link is None else link}"} | more.get(
        "properties", {}
    )
    return tracked("email_click", event_id, at, **more)


def trapped(event_id: str, at: int, **more: Any) -> Track:
    """A link was followed that no person sees."""
    return clicked(event_id, at, machine=Suspicion(suspected=True, reasons=["honeypot"]), **more)


def corrected(event_id: str, *reasons: str, contact: str = "c1") -> Correction:
    """Somebody says of an event why it is suspected; without reasons that it is not."""
    return Correction.model_construct(
        type="correction",
        event_id=f"of-{event_id}-{'-'.join(reasons)}",
        contact_id=contact,
        occurred_at=START,
        corrects=event_id,
        machine=Machine(suspected=bool(reasons), reasons=list(reasons)),
    )


def erased(contact: str = "c1") -> Erase:
    """The contact is to be forgotten."""
    return Erase.model_construct(type="erase", event_id="erased", contact_id=contact, occurred_at=START)


class Story:
    """A memory of partition 0 that is given records in their order."""

    def __init__(self, thresholds: Thresholds = THRESHOLDS, events_max: int = 10_000) -> None:
        self.memory = Memory(thresholds, window_ms=WINDOW_MS, events_max=events_max)
        self.clock_ms = START

    def take(self, *records: Record, at: int | None = None) -> Story:
        """Records come in, `at` milliseconds after `START` or, by default, when the last of them happened."""
        for record in records:
            came = START + at if at is not None else getattr(record, "occurred_at", START)
            self.clock_ms = max(self.clock_ms, came)
            self.memory.take(0, record, self.clock_ms)
        return self

    def due(self) -> list[Finding]:
        """What is to be written now."""
        return self.memory.due(0)

    def marks(self) -> dict[str, list[str]]:
        """The same by event, with all reasons that are to be given."""
        return {found.correction.corrects: found.correction.machine.reasons for found in self.due()}
