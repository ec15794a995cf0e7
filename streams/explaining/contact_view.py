"""A contact as a person wants to see it: what is known, what it scores, where it is a member."""

from __future__ import annotations

from typing import Any, TypeAlias

from schemas.instants import format_instant
from streams.segmentation import Contact, Core

View: TypeAlias = dict[str, Any]


def view(core: Core, contact: Contact, now_ms: int) -> View:
    """The contact at `now_ms`, the clock of its partition, as JSON. Instants are RFC 3339."""
    erased = contact.erased
    return {
        "exists": contact.exists,
        "known_since": format_instant(contact.known_since_ms) if contact.exists else None,
        "erased_up_to": None if erased is None else format_instant(erased.at_ms),
        "linked_to": contact.linked_to,
        "linked_ids": list(contact.linked_ids),
        **_facts(contact),
        "scores": {name: _score(core, contact, name, now_ms) for name in core.program.scores} if contact.exists else {},
        "segments": _segments(core, contact),
        "retired": _retired(contact),
        "correctable": _correctable(core, contact, now_ms),
        "next_due": _instant(contact.next_due),
    }


def _facts(contact: Contact) -> dict[str, View]:
    """Traits, consents and lists that the definitions ask for; a removed trait is shown as null."""
    found: dict[str, View] = {"trait": {}, "consent": {}, "list": {}}
    for name, (at_ms, value) in sorted(contact.facts.items()):
        kind, _, rest = name.partition(":")
        found[kind][rest] = {"value": value, "set_at": format_instant(at_ms)}
    return {"traits": found["trait"], "consents": found["consent"], "lists": found["list"]}


def _score(core: Core, contact: Contact, name: str, now_ms: int) -> View:
    reading = core.program.scores[name].reading(contact, now_ms)
    spans = core.definitions.scores[name].tier_spans()
    tier = next((tier for tier, span in spans.items() if span.low <= reading < span.high), None)
    return {"reading": reading / 1000, "tier": tier}


def _segments(core: Core, contact: Contact) -> list[View]:
    """Segments that the contact ever was in, those that it is in first."""
    known = [segment for segment in core.program.segments if segment.index in contact.sequences]
    rows = [
        {
            "segment": segment.name,
            "member": bool(contact.bits & segment.bit),
            "since": format_instant(contact.since_ms[segment.index]),
            "until": _instant(core.valid_until(contact, segment)),
            "sequence": contact.sequences[segment.index],
        }
        for segment in known
    ]
    return sorted(rows, key=lambda row: not row["member"])


def _retired(contact: Contact) -> list[View]:
    """Segments that it ever was in and that are no more."""
    return [
        {"segment": name, "since": format_instant(standing.since_ms), "sequence": standing.sequence}
        for name, standing in contact.retired.items()
    ]


def _correctable(core: Core, contact: Contact, now_ms: int) -> list[View]:
    """Events that can be corrected still, and until when."""
    return [
        {
            "event": kept.event,
            "occurred_at": format_instant(kept.at_ms),
            "machine": kept.suspected,
            "until": format_instant(until_ms),
        }
        for kept, until_ms in core.corrections.correctable(contact, now_ms)
    ]


def _instant(instant_ms: int | None) -> str | None:
    return None if instant_ms is None else format_instant(instant_ms)
