"""A log and the topic of lists beside it, in memory, and who is on which list by what was written there."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from schemas.instants import format_instant
from schemas.records import Erase, ListMembership, decode_record, encode_record
from streams.ports import TimestampType
from streams.sending.applied_lists import ListTally, forget_contact, plan_lists, publish_lists, read_journal
from streams.sending.log_clocks import ApplyTimes, read_clocks
from streams.sending.sending import compose
from tests.load.doubles import MemoryLog, MemoryTable, Written, definitions_record

Lists = Mapping[str, Sequence[str]]
LOG = "log-1"


class World:
    """A log that begins with definitions, its journal, and what a worker would make of the log."""

    def __init__(self, timestamps: TimestampType = "append") -> None:
        self.timestamps = timestamps
        self.journal = MemoryTable()
        self.runs = itertools.count(1)
        self.broker_ms = 1_000_000
        self.skew_ms = 0  # by how much the clock of whoever sends is ahead of the broker's
        self.new_log()

    def new_log(self) -> None:
        """Another log, as after the topic was made anew."""
        self.log = MemoryLog(partitions=3, broker_ms=self.broker_ms if self.timestamps == "append" else 0)
        for partition in range(3):
            self.log.append(encode_record(definitions_record()), partition=partition, timestamp_ms=self.broker_ms)

    def _now_ms(self) -> int:
        """A little later than before."""
        self.broker_ms = max(self.broker_ms, self.log.broker_ms) + 10
        self.log.broker_ms = self.broker_ms if self.timestamps == "append" else 0
        return self.broker_ms + self.skew_ms

    def apply(self, lists: Lists, log_id: str = LOG, at: int | None = None) -> dict[str, ListTally]:
        """One `segue apply`."""
        entries, end = read_journal(self.journal)
        times = ApplyTimes(read_clocks(self.log, "tracking"), self._now_ms(), at, self.timestamps)
        plan = plan_lists(lists, entries, end, log=log_id, run=f"run-{next(self.runs)}", times=times)
        publish_lists(plan, self.log, self.journal, lambda _done: None)
        return plan.tallies

    def by_hand(self, name: str, contact_id: str, member: bool, at: int | None = None) -> None:
        """One `segue list add` or `remove`."""
        self._send({"type": "list", "contact_id": contact_id, "list": name, "member": member}, at)

    def erase(self, contact_id: str, at: int | None = None) -> None:
        """One `segue erase`."""
        forget_contact(self.journal, contact_id)
        self.erase_by_the_collector(contact_id, at)

    def erase_by_the_collector(self, contact_id: str, at: int | None = None) -> None:
        """One call to `/v1/erase`, which knows nothing of the journal."""
        self._send({"type": "erase", "contact_id": contact_id}, at)

    def _send(self, fields: Mapping[str, object], at: int | None) -> None:
        contact_id, now_ms = str(fields["contact_id"]), self._now_ms()
        occurred_at = read_clocks(self.log, "tracking").by_hand_ms(contact_id, now_ms) if at is None else at
        said = {"event_id": f"hand-{now_ms}", "occurred_at": format_instant(occurred_at)}
        self.log.append(compose({**said, **fields}).value, contact_id=contact_id, timestamp_ms=occurred_at)

    def records(self) -> list[ListMembership]:
        """The `list` records in the log, partition by partition."""
        decoded = [decode_record(written.value) for written in self.log.records]
        return [record for record in decoded if isinstance(record, ListMembership)]

    def known(self) -> set[str]:
        """Who exists by the log."""
        return {contact_id for written in self.log.log.values() for _, contact_id in _folded(written)}

    def members(self) -> dict[str, set[str]]:
        """Who is on which list by the log."""
        found: dict[str, set[str]] = {}
        for written in self.log.log.values():
            for (name, contact_id), (_, member) in _folded(written).items():
                found.setdefault(name, set()).update([contact_id] if member else [])
        return {name: ids for name, ids in found.items() if ids}


def _folded(partition: Sequence[Written]) -> dict[tuple[str, str], tuple[int, bool]]:
    """The decision on each list and contact, with its event time: the last counts, a second one of an id does not.

    Nothing else is told of anybody here: a contact exists from its first decision on, until it is erased.
    """
    latest: dict[tuple[str, str], tuple[int, bool]] = {}
    erased: dict[str, int] = {}
    seen: set[tuple[str, str]] = set()
    clock_ms = 0
    for written in partition:
        clock_ms = max(clock_ms, written.timestamp_ms)
        record = decode_record(written.value)
        if not isinstance(record, ListMembership | Erase):
            continue
        contact_id, at_ms = record.contact_id, min(record.occurred_at, clock_ms)
        if at_ms <= erased.get(contact_id, -1):
            continue
        if isinstance(record, Erase):
            erased[contact_id] = at_ms
            latest = {key: said for key, said in latest.items() if key[1] != contact_id}
            seen = {one for one in seen if one[0] != contact_id}
        elif record.if_known and not any(key[1] == contact_id for key in latest):
            continue
        elif (contact_id, record.event_id) not in seen:
            seen.add((contact_id, record.event_id))
            key = (record.list, contact_id)
            if at_ms >= latest.get(key, (0, False))[0]:
                latest[key] = (at_ms, record.member)
    return latest
