"""What lies in Redis is read again by later versions: its layout has a number, and that must be raised with it."""

from __future__ import annotations

import hashlib

from streams.adapters.redis.keys import STATE_FORMAT
from tests.segmentation.test_shared_state import EVERY_KIND, SCORES
from tests.segmentation.timeline import Timeline, definitions

LAYOUTS = {3: "39c008b7471b8562", 4: "39c008b7471b8562", 5: "39c008b7471b8562"}
"""By number of the format: a hash of what is stored of one contact, under definitions with every kind of condition.

Format 4 is as 3 for whoever was never in a segment that is no more, and 5 is as 4 for whoever has nothing that can be
corrected: so state of formats 3 and 4 is read as it is.
"""


def test_a_change_of_what_is_stored_comes_with_a_new_number_of_the_format() -> None:
    more = [
        {"trait": {"name": "plan", "eq": "pro"}},
        {"consent": {"purpose": "mail", "is": "granted"}},
        {"listed": "vip"},
        {"known_for": "1d"},
        {"score": {"name": "decaying", "gte": 3}},
    ]
    scores = {**SCORES, "decaying": {"half_life": "7d", "points": [{"event": "x", "points": 5}]}}
    segments = {f"s{number}": {"when": when} for number, when in enumerate([*EVERY_KIND, *more])}
    story = Timeline(definitions(segments, scores=scores, lists={"vip": []}))
    story.record(0, "identify", traits={"plan": "pro"})
    story.record(1, "consent", purpose="mail", granted=True, document="d", method="m")
    story.record(2, "list", list="vip", member=True)
    for number in range(12):
        story.track(3 + number, "xxy"[number % 3], properties={"a": number % 4})
    stored = story.core.encode(story.contact())
    assert stored is not None
    # Where this fails, state of the same definitions is laid out otherwise than by released versions: raise
    # STATE_FORMAT, so that it is folded again and never misread, and note the new hash here.
    assert hashlib.sha256(stored).hexdigest()[:16] == LAYOUTS[STATE_FORMAT]
