"""Records and timelines in few words, for tests that are worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from tests.oracle.driving import Body, assert_same, run_oracle
from tests.oracle.language import File
from tests.oracle.notation import duration_ms

START = datetime(2026, 3, 1, tzinfo=UTC)
START_MS = 1_772_323_200_000
"""2026-03-01T00:00:00Z: instants in these tests count from here."""

SECOND, MINUTE, HOUR, DAY = (duration_ms(text) for text in ("1s", "1m", "1h", "1d"))
_numbers = count(1)

Told = tuple[int, str, str]
"""When, `+` or `-` and the segment, and until when if nothing else comes, `never` where there is no such instant."""


def text_of(at_ms: int) -> str:
    """RFC 3339 of an instant that counts from the start."""
    return (START + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _body(record_type: str, at: int, received: int | None, contact: str, more: dict[str, Any]) -> Body:
    body = {
        "type": record_type,
        "event_id": f"e{next(_numbers)}",
        "contact_id": contact,
        "occurred_at": text_of(at),
        **more,
    }
    if received is not None:
        body["received_at"] = text_of(received)
    return body


def did(event: str, at: int, *, received: int | None = None, contact: str = "c1", **more: Any) -> Body:
    """A track record."""
    return _body("track", at, received, contact, {"event": event, **more})


def traits(values: dict[str, Any], at: int, *, received: int | None = None, contact: str = "c1", **more: Any) -> Body:
    """An identify record."""
    return _body("identify", at, received, contact, {"traits": values, **more})


def consented(purpose: str, at: int, *, granted: bool, received: int | None = None, **more: Any) -> Body:
    """A consent record of c1."""
    decision = {"purpose": purpose, "granted": granted, "document": "form-1", "method": "web_form"}
    return _body("consent", at, received, "c1", {**decision, **more})


def on_list(name: str, at: int, *, member: bool = True, received: int | None = None, **more: Any) -> Body:
    """A list record of c1."""
    return _body("list", at, received, "c1", {"list": name, "member": member, **more})


def erase(at: int, *, received: int | None = None, contact: str = "c1", **more: Any) -> Body:
    """An erase record."""
    return _body("erase", at, received, contact, more)


def tick(at: int) -> Body:
    """A record that only moves the clock."""
    return {"type": "tick", "received_at": text_of(at)}


def segments(**conditions: Any) -> File:
    """A file of segments that have only a `when`."""
    return {"version": 1, "segments": {name: {"when": condition} for name, condition in conditions.items()}}


def scored(score: dict[str, Any], **conditions: Any) -> File:
    """The same with a score named `s`."""
    return {**segments(**conditions), "scores": {"s": score}}


def told(file: File, bodies: list[Body], until: int | None = None) -> list[Told]:
    """What the oracle makes of the records, in few words."""
    oracle, _ = run_oracle(file, bodies, None if until is None else START_MS + until)
    return [
        (
            change.effective_at - START_MS,
            ("+" if change.type == "segment.entered" else "-") + change.segment,
            "never" if change.valid_until is None else str(change.valid_until - START_MS),
        )
        for change in oracle.changes
    ]


def check(
    file: File, bodies: list[Body], expected: Sequence[tuple[int, str, int | None]], until: int | None = None
) -> None:
    """The oracle has it as worked out by hand, and so has the core."""
    check_oracle(file, bodies, expected, until)
    assert_same(file, bodies, None if until is None else START_MS + until)


def check_oracle(
    file: File, bodies: list[Body], expected: Sequence[tuple[int, str, int | None]], until: int | None = None
) -> None:
    """The oracle has it as worked out by hand."""
    wanted = [(at, what, "never" if valid is None else str(valid)) for at, what, valid in expected]
    assert told(file, bodies, until) == wanted
