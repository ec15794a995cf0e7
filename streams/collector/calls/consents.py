"""Decisions of consent in a call, each of which becomes a record of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, TypeAlias

from streams.collector.guarding.consent_policy import said_in

JsonObject: TypeAlias = dict[str, Any]

PREFERENCES_EVENT = "segment_consent_preference_updated"
"""What consent managers send through Segment's libraries when somebody decides, by its name in a record."""
PURPOSES_MAX = 100
PURPOSE_CHARACTERS_MAX = 128
_TEXT_CHARACTERS_MAX = 256
_UNKNOWN_DOCUMENT = "unknown"


def read_purposes(event: JsonObject) -> Mapping[str, bool]:
    """`purposes`, or `purpose` and `granted`, of a call. Raises `ValueError` with what was expected."""
    purposes = event.get("purposes")
    if purposes is None:
        purpose, granted = event.get("purpose"), event.get("granted")
        purposes = {purpose: granted} if isinstance(purpose, str) else {}
    if not isinstance(purposes, dict) or not 1 <= len(purposes) <= PURPOSES_MAX:
        raise ValueError(f"expected an object of 1 to {PURPOSES_MAX} purposes, each true or false")
    for purpose, granted in purposes.items():
        if not isinstance(purpose, str) or not 1 <= len(purpose) <= PURPOSE_CHARACTERS_MAX:
            raise ValueError(f"expected purposes of 1 to {PURPOSE_CHARACTERS_MAX} characters")
        if not isinstance(granted, bool):
            raise ValueError("expected true or false for each purpose")
    return purposes


def preferences_of(track: JsonObject) -> JsonObject:
    """The fields of consent records in a track record of `PREFERENCES_EVENT`. Raises `ValueError`."""
    try:
        purposes = read_purposes({"purposes": said_in(track["context"])})
    except ValueError:
        raise ValueError("expected purposes, each true or false") from None
    properties = track["properties"]
    return {
        **{name: track[name] for name in ("event_id", "contact_id", "occurred_at", "received_at")},
        "type": "consent",
        "document": _text(properties.get("document")) or _text(properties.get("version")) or _UNKNOWN_DOCUMENT,
        "method": _text(properties.get("method")) or "consent_manager",
        "purposes": purposes,
    }


def one_each(decision: JsonObject) -> list[JsonObject]:
    """A record for each of the decision's `purposes`, with ids that are the same when it is sent again."""
    fields = {name: value for name, value in decision.items() if name != "purposes"}
    purposes = decision["purposes"]
    if len(purposes) == 1:
        ((purpose, granted),) = purposes.items()
        return [{**fields, "purpose": purpose, "granted": granted}]
    return [
        {**fields, "event_id": _own_id(fields["event_id"], purpose), "purpose": purpose, "granted": granted}
        for purpose, granted in purposes.items()
    ]


def _own_id(event_id: str, purpose: str) -> str:
    return hashlib.sha256(f"{len(event_id)}:{event_id}{purpose}".encode()).hexdigest()[:32]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 1 <= len(value) <= _TEXT_CHARACTERS_MAX else None
