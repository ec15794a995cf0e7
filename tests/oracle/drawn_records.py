"""Random records whose times lie on the boundaries of the durations that a file uses, give or take a millisecond."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeVar

from hypothesis import strategies as st

from tests.oracle.drawn_conditions import EVENTS, LISTS, PURPOSES
from tests.oracle.drawn_files import CONTACTS, files
from tests.oracle.driving import Body
from tests.oracle.language import File
from tests.oracle.notation import duration_ms
from tests.oracle.writer import Taste

START_MS = 1_772_323_200_000
T = TypeVar("T")

_VALUES: tuple[Any, ...] = (
    None,
    "pro",
    "prp",
    "10",
    "",
    10,
    10.0,
    9.999,
    20,
    0,
    1,
    True,
    False,
    [],
    [10, "pro"],
    [5, 25],
    {"years": 10},
    {"years": [9, 10]},
    {"years": None},
)
_PROPERTIES: tuple[dict[str, Any], ...] = (
    {},
    {"value": 10},
    {"value": 10.0, "label": "ab"},
    {"value": -3.5, "label": ["a", "ab"]},
    {"value": "10"},
    {"value": 20.1, "items": [{"sku": "a", "price": 3}, {"sku": "b", "price": 9}]},
    {"value": 0.1, "label": "x1"},
    {"value": True, "items": {"sku": "b", "price": 5}},
    {"value": None, "label": []},
    {"value": 0.2, "items": []},
    {"value": 2e15},
    {"value": 1e15, "nested": [[1, [2.5]], [None]]},
    {"value": [10, "10"], "nested": 2},
    {"value": 0.1234567895, "nested": [{"deeper": 1}, 3]},
    {"value": -0.0, "items": [{"price": 5}, {"price": 7.5, "sku": ["a", "b"]}]},
    {"value": 1_000_000_000_000_001, "label": "ab\n"},
    {"value": {}, "label": "ä"},
)
_CONTEXTS: tuple[dict[str, Any], ...] = (
    {},
    {"page": {"path": "/cart"}, "basket": 20},
    {"page": {"path": "/"}, "basket": [1, 2]},
    {"page": None, "basket": "20"},
    {"page": {"path": ["/a", "/b"]}},
)
_DATES: tuple[Any, ...] = (
    "1984-02-29",
    "1990-03-11",
    "2025-03-08T23:30:00-05:00",
    "2026-12-31",
    "2027-03-01",
    "soon",
    20260301,
    None,
    "0001-01-01",
    "9999-12-31",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999-12:00",
    ["2026-03-05", "soon", "1990-03-11"],
)
_TOLD_APART = 1009
_KINDS = (
    *("track",) * 6, "identify", "again", "tick", "track", "correction", "erase", "consent", "list", "identify",
    "again", "correction", "correction",
)  # fmt: skip
_ZONES = (UTC, UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=11)))


@dataclass(frozen=True)
class Case:
    """A definition file, records for it, and where the clock is moved in the end."""

    file: File
    bodies: list[Body]
    until: int | None


def text_of(instant: int, style: int = 0) -> str:
    """RFC 3339 of an instant, in one of several spellings of the same millisecond."""
    moment = datetime.fromtimestamp(instant // 1000, UTC).astimezone(_ZONES[style % len(_ZONES)])
    text = moment.isoformat(timespec="seconds").replace("+00:00", "Z")
    fraction = f".{instant % 1000:03d}" + ("999" if style % 3 == 2 else "")
    if style % 5 == 4:
        fraction = fraction.rstrip("0").rstrip(".")
    text = text[:19] + fraction + text[19:]
    return text.lower() if style == 9 else text


def _one(options: Sequence[T], number: int, salt: int) -> T:
    """One of the options; with another salt another one, of which this one tells nothing."""
    return options[number * (2 * salt + 1) * 7 % _TOLD_APART % len(options)]


def drawn_track(number: int, _near: str = "") -> Body:
    """What a track record says, apart from whom it is about and when."""
    body: Body = {"type": "track", "event": _one(EVENTS, number, 0)}
    if _one(range(4), number, 1):
        body["properties"] = _one(_PROPERTIES, number, 2)
    if _one(range(4), number, 3) == 3:
        body["context"] = _one(_CONTEXTS, number, 4)
    if _one(range(3), number, 5) == 2:
        body["machine"] = {"suspected": number % 2 == 0, "reasons": ["prefetch_proxy"]}
    return body


def _identify(number: int, near: str) -> Body:
    name = _one(("plan", "age", "renews", "born"), number, 0)
    values = {"renews": (near, near, near, near[:10], *_DATES), "born": _DATES}.get(name, _VALUES)
    traits = {name: _one(values, number, 1)}
    if _one(range(4), number, 2) == 3:
        traits["größe"] = _one(_VALUES, number, 3)
    return {"type": "identify", "traits": traits}


def _consent(number: int, _near: str) -> Body:
    purpose = _one(PURPOSES, number, 0)
    return {"type": "consent", "purpose": purpose, "granted": number % 2 == 0, "document": "form-1", "method": "form"}


def _list(number: int, _near: str) -> Body:
    body: Body = {"type": "list", "list": _one(LISTS, number, 0), "member": number % 2 == 0}
    if_known = _one((True, True, None, True, False), number, 4)
    return body if if_known is None else body | {"if_known": if_known}


def _correction(number: int, _near: str) -> Body:
    machine: Body = {"suspected": number % 3 != 2}
    return {"type": "correction", "machine": machine | ({"reasons": ["burst"]} if number % 2 else {})}


_BODIES: dict[str, Callable[[int, str], Body]] = {
    "correction": _correction,
    "track": drawn_track,
    "identify": _identify,
    "consent": _consent,
    "list": _list,
    "erase": lambda _number, _near: {"type": "erase"},
    "tick": lambda _number, _near: {"type": "tick"},
}


def _advances(widths: list[int]) -> list[int]:
    """How far the clock may move between two records."""
    near = [width + shift for width in widths for shift in (0, 0, 0, -1, 1)]
    return [0, 0, 0, 1, *near, *(width // 2 for width in widths), *(width // 3 for width in widths)]


def _shifts(widths: list[int]) -> list[int]:
    """How far the time that a record tells may lie from the clock."""
    near = [width + shift for width in widths for shift in (0, -1, 1)]
    return [0] * (2 * len(near)) + [-1, 1, *(-each for each in near), *(width // 2 for width in widths)]


_MORE = st.tuples(st.sampled_from(_KINDS), *[st.integers(0, 999)] * 2, st.integers(0, 89), st.integers(0, 11))


def _body(drawn: tuple[str, int, int, int, int], clock: int, shifts: list[int], earlier: list[Body]) -> Body:
    """A record at a clock; `again` delivers an earlier one once more, or another under its id."""
    kind, shift, number, contact, style = drawn
    told = [body for body in earlier if body["type"] != "tick"]
    again = told[number % len(told)] if kind == "again" and told else None
    if again is not None and number % 3:
        return {**again, "received_at": text_of(clock, style)}
    near = text_of(clock - shifts[number % len(shifts)], style)
    body = _BODIES["track" if kind == "again" else kind](number, near)
    if kind == "tick":
        return {**body, "received_at": text_of(clock, style)}
    if _one(range(7), number, 6) == 6:
        body["backfill"] = True
    if _one(range(7), number, 7) == 6:
        body |= {"source": "web", "of_no_interest": {"event_id": 5}}
    body["event_id"] = again["event_id"] if again is not None else f"e{len(earlier)}"
    body["contact_id"] = CONTACTS[max(0, contact % 9 - 6)]
    if body["type"] == "correction":
        body |= _corrected(number, told, len(earlier))
    body["occurred_at"] = text_of(clock + shifts[shift % len(shifts)], style)
    if body["occurred_at"] != text_of(clock, style) or number % 2:
        body["received_at"] = text_of(clock, number % 12)
    receipt = _one(_RECEIPTS, number, 8)
    if receipt is not None:
        body["received_at"] = receipt(clock, shifts[shift % len(shifts)])
    return body


def _corrected(number: int, told: list[Body], place: int) -> Body:
    """Which record it corrects: mostly one of the newest events, seldom another one, or one that is still to come."""
    events = [body for body in told if body["type"] == "track"]
    if not told or _one(range(9), number, 1) == 8:
        return {"corrects": f"e{place + 1 + number % 3}"}
    body = _one((events or told)[-4:], number, 2) if _one(range(7), number, 3) else _one(told, number, 4)
    return {"corrects": body["event_id"], "contact_id": body["contact_id"]}


_RECEIPTS: tuple[Callable[[int, int], str | None] | None, ...] = (
    *(None,) * 21,
    lambda _clock, _width: None,
    lambda clock, width: text_of(clock - abs(width)),
)
"""Seldom nothing is said of it, though the time told may lie ahead, or it came in earlier than records before it."""


def widths_of(file: File) -> list[int]:
    """All durations that a file uses, in milliseconds."""
    texts = {file.get("deduplicate", "48h"), *re.findall(r'"(\d+[smhdw])"', json.dumps(file))}
    return sorted(duration_ms(text) for text in texts)


@st.composite
def cases(draw: st.DrawFn, taste: Taste, max_records: int = 14) -> Case:
    """A file and records for it."""
    file = draw(files(taste))
    widths = widths_of(file)
    advances, shifts = _advances(widths), _shifts(widths)
    clock = START_MS
    bodies: list[Body] = []
    fewest = draw(st.sampled_from((1, max_records // 2, max_records - 2)))
    drawn_records = st.tuples(st.integers(0, len(advances) - 1), _MORE)
    for advance, drawn in draw(st.lists(drawn_records, min_size=fewest, max_size=max_records)):
        clock += advances[advance]
        bodies.append(_body(drawn, clock, shifts, bodies))
    ends = [None, clock, *(clock + width for width in widths), clock + 400 * 86_400_000]
    return Case(file, bodies, ends[draw(st.integers(0, len(ends) - 1))])
