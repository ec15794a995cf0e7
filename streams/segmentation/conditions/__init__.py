"""Leaf conditions by name. A new condition is one module here and one line in `LEAVES`."""

from __future__ import annotations

from streams.segmentation.conditions.performed import NOT_PERFORMED, PERFORMED
from streams.segmentation.conditions.reading import SCORE, TIER
from streams.segmentation.conditions.standing import CONSENT, KNOWN_FOR, LISTED
from streams.segmentation.conditions.trait import TRAIT
from streams.segmentation.units import LeafKind

LEAVES: dict[str, LeafKind] = {
    "performed": PERFORMED,
    "not_performed": NOT_PERFORMED,
    "trait": TRAIT,
    "score": SCORE,
    "tier": TIER,
    "consent": CONSENT,
    "known_for": KNOWN_FOR,
    "listed": LISTED,
}
