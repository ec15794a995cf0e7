"""What happened to one contact: every record that was applied, in the order in which it was."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from tests.oracle.notation import instant_ms

RECENT = 200
"""Of so many events of a contact, the newest by arrival, each can be corrected; and so many marks are awaited."""
MAX_IDS = 10_000
"""Event ids remembered a contact; past that the earliest applied goes."""


@dataclass(frozen=True)
class Applied:
    """A record, the clock when it was applied, and its event time: never later than that clock."""

    body: dict[str, Any]
    clock: int
    time: int

    @property
    def machine(self) -> bool:
        """Whether a machine is suspected of it."""
        return bool((self.body.get("machine") or {}).get("suspected"))


@dataclass(frozen=True)
class Erasure:
    """What an erasure leaves."""

    clock: int
    time: int


@dataclass
class History:
    """All records of a contact since it exists."""

    contact_id: str
    put_on: frozenset[str] = frozenset()
    """Lists of the definition file that name the contact: since before every record."""
    applied: list[Applied] = field(default_factory=list)
    ids: list[tuple[str, int]] = field(default_factory=list)
    awaited: list[tuple[str, Any, int]] = field(default_factory=list)
    """Marks that came before their events: the event's id, the mark, the clock."""
    memo: dict[Any, Any] = field(default_factory=dict)
    said: list[dict[str, Any]] = field(default_factory=list)
    """Every record that was applied, as it came, corrections too."""
    created_by: str = ""
    """Event id of the record that made it."""
    known_since: int = 0
    """The clock of its first record, or of that of a contact that turned out to be this one."""

    def add(self, record: Applied) -> None:
        """Apply a record."""
        self.memo.clear()
        self.applied.append(record)
        self.remember(record.body["event_id"], record.clock)

    def remember(self, event_id: str, clock: int) -> None:
        """Know a record by its id."""
        self.ids = [kept for kept in self.ids if kept[0] != event_id] + [(event_id, clock)]
        self.ids = self.ids[-MAX_IDS:]

    def is_duplicate(self, event_id: str, clock: int, horizon_ms: int) -> bool:
        """Whether the id was applied at a clock of at most the horizon ago."""
        return any(seen == event_id and clock - applied <= horizon_ms for seen, applied in self.ids)

    def latest(self, event_id: str, clock: int, horizon_ms: int) -> int | None:
        """The clock at which the id was applied, if that was at most the horizon ago."""
        known = [applied for seen, applied in self.ids if seen == event_id and clock - applied <= horizon_ms]
        return max(known, default=None)

    def correctable(self, event_id: str, since: int, names: set[str]) -> list[int]:
        """Places of the events of these names with that id: among the newest ones, applied at `since` or later."""
        events = [place for place, record in enumerate(self.applied) if record.body["type"] == "track"]
        told = [(place, self.applied[place]) for place in events[-RECENT:]]
        return [
            place
            for place, record in told
            if record.body["event_id"] == event_id and record.body["event"] in names and record.clock >= since
        ]

    def mark(self, places: list[int], machine: Any) -> None:
        """Let events be as if they had come with this mark."""
        self.memo.clear()
        for place in places:
            record = self.applied[place]
            self.applied[place] = replace(record, body={**record.body, "machine": machine})

    def events(self) -> list[Applied]:
        """What the contact did, in the order of arrival."""
        return self._of_type("track")

    def trait(self, name: str) -> Any:
        """The value that was set last by event time; None where there is none or it was removed."""
        return self._latest(
            [(r.time, r.body["traits"][name]) for r in self._of_type("identify") if name in r.body["traits"]]
        )

    def consent(self, purpose: str) -> bool | None:
        """The latest decision by event time, None without one."""
        found: bool | None = self._latest(
            [(r.time, r.body["granted"]) for r in self._of_type("consent") if r.body["purpose"] == purpose]
        )
        return found

    def listed(self, name: str) -> bool:
        """Whether the latest record of that list has the contact on it, or none does and the file has."""
        told = [(r.time, r.body["member"]) for r in self._of_type("list") if r.body["list"] == name]
        return bool(self._latest([(0, name in self.put_on), *told]))

    def _of_type(self, record_type: str) -> list[Applied]:
        if record_type not in self.memo:
            self.memo[record_type] = [record for record in self.applied if record.body["type"] == record_type]
        found: list[Applied] = self.memo[record_type]
        return found

    @staticmethod
    def _latest(timed: list[tuple[int, Any]]) -> Any:
        latest_time, latest = -1, None
        for time, value in timed:
            if time >= latest_time:  # at equal event time the later record wins
                latest_time, latest = time, value
        return latest


def clock_of(body: dict[str, Any]) -> int:
    """What a record says of the time at which it came in."""
    return instant_ms(body["received_at"] if body.get("received_at") is not None else body["occurred_at"])
