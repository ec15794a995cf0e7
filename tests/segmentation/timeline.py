"""Stories in tests: records at instants, and the transitions that came of them."""

from __future__ import annotations

import json
from typing import Any

from schemas.instants import format_instant, parse_instant
from schemas.transitions import Transition
from streams.segmentation import Contact, Core, compile_definitions
from streams.simulation.simulator import BadLine, Simulator

START = parse_instant("2026-01-01T00:00:00Z")
SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def definitions(segments: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The data of a definition file."""
    return {"version": 1, "segments": segments, **more}


def segment(when: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Definitions of one segment, named `s`."""
    exit_when = {"exit_when": more.pop("exit_when")} if "exit_when" in more else {}
    return definitions({"s": {"when": when, **exit_when}}, **more)


class Timeline:
    """Feeds a simulator; instants are milliseconds after `START`."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.simulator = Simulator(compile_definitions(data))
        self._ids = 0
        self.transitions: list[Transition] = []
        self.bad: list[BadLine] = []

    @property
    def core(self) -> Core:
        return self.simulator.core

    def contact(self, contact: str = "c1") -> Contact:
        """A contact that is known."""
        found = self.simulator.contact(contact)
        assert found is not None
        return found

    def store_and_load(self) -> None:
        """Go on with what was stored of all contacts."""
        contacts = self.simulator.contacts
        for key in list(contacts):
            raw = self.core.encode(contacts[key])
            assert raw is not None
            contacts[key] = self.core.decode(key, raw)

    @property
    def tally(self) -> Any:
        return self.simulator.tally

    def record(self, at: int, kind: str, contact: str = "c1", seen: int | None = None, **fields: Any) -> None:
        """A record that occurred at `at`; the clock stands at `seen` then, if that is given."""
        self._ids += 1
        body: dict[str, Any] = {
            "type": kind,
            "event_id": f"e{self._ids}",
            "contact_id": contact,
            "occurred_at": format_instant(START + at),
            **fields,
        }
        if seen is not None:
            body["received_at"] = format_instant(START + seen)
        self._take(self.simulator.feed([json.dumps(body).encode()]))

    def track(self, at: int, event: str, contact: str = "c1", seen: int | None = None, **fields: Any) -> None:
        """An event of a contact."""
        self.record(at, "track", contact, seen, event=event, **fields)

    def until(self, at: int) -> None:
        """Let time pass."""
        self._take(self.simulator.until(START + at))

    def _take(self, results: Any) -> None:
        for result in results:
            (self.bad if isinstance(result, BadLine) else self.transitions).append(result)

    def moves(self, name: str = "s", contact: str = "c1") -> list[tuple[str, int]]:
        """Entries and exits of a segment, each with its instant."""
        return [
            ("in" if move.type == "segment.entered" else "out", move.effective_at - START)
            for move in self.transitions
            if move.segment == name and move.contact_id == contact
        ]
