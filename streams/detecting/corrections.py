"""The correction that a finding is written as."""

from __future__ import annotations

import hashlib
import json

from schemas.record_models import Correction, Machine
from streams.detecting.notes import Note
from streams.detecting.rules import RULES

_PREFIX = "detected-"


def correction_of(note: Note) -> Correction:
    """What the log is to say of an event that is suspected for `note.reasons`.

    Its `event_id` is a function of the event and these reasons: a finding that is written twice is one to the core.
    """
    others = [reason for reason in note.reasons if reason not in RULES]
    # In which order rules found something depends on where one began to read; in which it is written does not.
    reasons = others + [reason for reason in RULES if reason in note.reasons]
    identity = json.dumps([note.contact_id, note.event_id, reasons], separators=(",", ":"))
    return Correction.model_construct(
        type="correction",
        event_id=_PREFIX + hashlib.sha256(identity.encode()).hexdigest()[:32],
        contact_id=note.contact_id,
        occurred_at=note.found_ms,
        corrects=note.event_id,
        machine=Machine.model_construct(suspected=True, reasons=reasons),
    )
