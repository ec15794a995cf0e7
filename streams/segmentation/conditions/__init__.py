"""Leaf conditions by name. A new condition is one module here and one line in `LEAVES`."""

from __future__ import annotations

from streams.segmentation.conditions.aggregate import AGGREGATE
from streams.segmentation.conditions.anniversary import ANNIVERSARY
from streams.segmentation.conditions.performed import NOT_PERFORMED, PERFORMED
from streams.segmentation.conditions.ratio import RATIO
from streams.segmentation.conditions.reading import SCORE, TIER
from streams.segmentation.conditions.sequence import SEQUENCE
from streams.segmentation.conditions.standing import CONSENT, KNOWN_FOR, LISTED
from streams.segmentation.conditions.trait import TRAIT
from streams.segmentation.units import LeafKind

LEAVES: dict[str, LeafKind] = {
    "performed": PERFORMED,
    "not_performed": NOT_PERFORMED,
    "aggregate": AGGREGATE,
    "ratio": RATIO,
    "sequence": SEQUENCE,
    "trait": TRAIT,
    "anniversary": ANNIVERSARY,
    "score": SCORE,
    "tier": TIER,
    "consent": CONSENT,
    "known_for": KNOWN_FOR,
    "listed": LISTED,
}
