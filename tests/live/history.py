"""A made-up history of many contacts, with everything in it that makes time and identity hard."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from schemas.instants import format_instant, parse_instant

START_MS = parse_instant("2026-03-01T00:00:00Z")
DEFINITIONS_AT = "2026-02-28T00:00:00Z"
UNTIL = "2026-05-01T00:00:00Z"
"""An instant after the last event, by which most windows have run out."""

DEFINITIONS = """
version: 1
deduplicate: 48h
scores:
  engagement:
    half_life: 3d
    points:
      - {event: email_open, points: 5}
      - {event: email_click, points: 12.5}
      - {event: purchase, points: 30}
      - {event: unsubscribe, points: -25}
    tiers: {cold: null, warm: 15, hot: 45}
segments:
  openers: {tags: [mail], when: {performed: {event: email_open, within: 12h}}}
  regulars: {when: {performed: {event: page_view, within: 5d, at_least: 3}}}
  quiet: {when: {not_performed: {event: page_view, within: 2d}}}
  hot: {when: {score: {name: engagement, gte: 40}}, exit_when: {score: {name: engagement, lt: 20}}}
  warm: {when: {tier: {name: engagement, is: warm}}}
  abandoners:
    when:
      all:
        - performed: {event: cart_add, within: 3d}
        - not_performed: {event: cart_add, within: 1h}
        - not_performed: {event: purchase, within: 3d}
  paying: {when: {trait: {name: plan, in: [pro, team]}}}
  paying_and_hot: {when: {all: [{in_segment: paying}, {in_segment: hot}]}}
"""

_EVENTS = ("page_view", "page_view", "email_open", "email_click", "cart_add", "purchase", "unsubscribe")
_HOUR_MS = 3_600_000


def write(path: Path, records: int, contacts: int, seed: int) -> None:
    """Write `records` lines about `contacts` contacts: most a minute or so apart, some late, some from the
    future, some twice, some by machines, with traits that change and contacts that are erased."""
    chance = random.Random(seed)
    now_ms = START_MS
    lines: list[str] = []
    for number in range(records):
        now_ms += chance.choice((0, 1, 500, 60_000, 180_000))
        if lines and chance.random() < 0.03:
            lines.append(chance.choice(lines[-200:]))  # delivered again
            continue
        lines.append(json.dumps(_record(chance, number, f"contact-{chance.randrange(contacts)}", now_ms)))
    path.write_text("\n".join(lines) + "\n")


def _record(chance: random.Random, number: int, contact_id: str, now_ms: int) -> dict[str, Any]:
    shift = chance.random()
    occurred_ms = now_ms
    if shift < 0.05:
        occurred_ms -= chance.randrange(72 * _HOUR_MS)
    elif shift < 0.07:
        occurred_ms += chance.randrange(_HOUR_MS)
    record: dict[str, Any] = {
        "event_id": f"e{number}",
        "contact_id": contact_id,
        "occurred_at": format_instant(occurred_ms),
        "received_at": format_instant(now_ms),
    }
    kind = chance.random()
    if kind < 0.08:
        return record | {"type": "identify", "traits": {"plan": chance.choice(("free", "pro", "team", None))}}
    if kind < 0.09:
        return record | {"type": "erase"}
    record |= {"type": "track", "event": chance.choice(_EVENTS), "properties": {"value": chance.randrange(100)}}
    if chance.random() < 0.05:
        record["machine"] = {"suspected": True, "reasons": ["prefetch_proxy"]}
    return record
