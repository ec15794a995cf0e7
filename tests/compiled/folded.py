"""Prints which core runs and a digest of all that it makes of drawn records: `python -m tests.compiled.folded`."""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections.abc import Iterator
from typing import Any

from schemas.instants import format_instant
from schemas.records import ContactRecord, Tick, decode_record
from schemas.transitions import encode_transition
from streams.segmentation import Core, Fold, compile_definitions, core
from tests.segmentation.test_shared_state import EVERY_KIND, SCORES
from tests.segmentation.timeline import START

HOUR_MS = 3_600_000
RECORDS = 6_000
CONTACTS = 40

MORE = [
    {"trait": {"name": "plan", "eq": "pro"}},
    {"consent": {"purpose": "mail", "is": "granted"}},
    {"listed": "vip"},
    {"known_for": "1d"},
    {"score": {"name": "fading", "gte": 3}},
    {"not": {"in_segment": "s0"}},
]
FADING = {
    "half_life": "1d",
    "points": [
        {"event": "x", "points": 5, "per": "a"},
        {"event": "y", "points": -2, "expires_after": "3h"},
        {"while": {"in_segment": "s0"}, "points": 1},
    ],
}


def records(seed: int) -> Iterator[tuple[int, ContactRecord]]:
    """Records of a few contacts, some late, some twice, with the clock at which each is read."""
    dice, clock_ms = random.Random(seed), START
    for number in range(RECORDS):
        clock_ms += dice.choice((0, 1, 60_000, HOUR_MS))
        body: dict[str, Any] = {
            "event_id": f"e{number - dice.randrange(2)}",
            "contact_id": f"c{dice.randrange(CONTACTS)}",
            "occurred_at": format_instant(clock_ms - dice.choice((0, 0, 1, 5 * 60_000, 30 * HOUR_MS))),
        }
        kind = dice.randrange(30)
        if kind == 0:
            body |= {"type": "identify", "traits": {"plan": dice.choice(("pro", "free", None)), "n": 10**30}}
        elif kind == 1:
            body |= {
                "type": "consent",
                "purpose": "mail",
                "granted": dice.random() < 0.5,
                "document": "d",
                "method": "m",
            }
        elif kind == 2:
            body |= {"type": "list", "list": "vip", "member": dice.random() < 0.5}
        elif kind == 3 and dice.random() < 0.3:
            body |= {"type": "erase"}
        elif kind in {4, 5}:
            mark = {"suspected": dice.random() < 0.7}
            body |= {"type": "correction", "corrects": f"e{number - dice.randrange(4)}", "machine": mark}
        else:
            body |= {"type": "track", "event": dice.choice("xxyz"), "properties": {"a": dice.choice((0, 1, 2.5, "b"))}}
        record = decode_record(json.dumps(body).encode())
        assert not isinstance(record, Tick)
        yield clock_ms, record  # type: ignore[misc]  # of the types drawn above


def digest(seed: int) -> str:
    """Of every transition, and of every contact as it is stored in the end; contacts are stored on the way too."""
    segments = {f"s{number}": {"when": when} for number, when in enumerate([*EVERY_KIND, *MORE])}
    file = {
        "version": 1,
        "correct": {"within": "3h", "events": ["x", "y"]},
        "scores": {**SCORES, "fading": FADING},
        "lists": {"vip": []},
        "segments": segments,
    }
    fold, seen, dice = Fold(Core(compile_definitions(file))), hashlib.sha256(), random.Random(seed + 1)
    for offset, (clock_ms, record) in enumerate(records(seed)):
        fold.fire(clock_ms, offset)
        fold.apply(record, offset, clock_ms)
        for key in sorted(fold.changed):
            raw = fold.core.encode(fold.contacts[key])
            seen.update(raw or b"-")
            if raw is not None and dice.random() < 0.1:
                fold.contacts[key] = fold.core.decode(key, raw)
        fold.changed.clear()
        for transition in fold.emitted:
            seen.update(encode_transition(transition))
        fold.emitted.clear()
    return seen.hexdigest()


if __name__ == "__main__":
    found = {"core": core.__file__, "digests": [digest(seed) for seed in range(3)]}
    sys.stdout.write(json.dumps(found) + "\n")
