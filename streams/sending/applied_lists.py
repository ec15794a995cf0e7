"""The lists of a definition file, on their way into the log as `list` records.

What was published is kept in the compacted topic `lists`; the difference to it is written to the log. An entry is
written twice around its record: first as not settled, then, when the log has acknowledged the record, as settled.
An apply that is cut short so leaves a trace of every record that may be missing, and the next apply writes those
again under the same event id, and with a time that loses to all that came to the log since. Where the file wants the
same as before, that changes nothing that did arrive, and cannot undo what was decided by hand in between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import msgspec

from schemas.errors import InputError, UnavailableError
from schemas.instants import format_instant
from schemas.lists import EntryKey, ListEntry, decode_entry, decode_key, encode_entry, entry_key
from schemas.records import ListMembership, encode_record
from streams.ports import LogWriter
from streams.sending.log_clocks import ApplyTimes, Moment
from streams.sending.ports import CompactedLog

PROGRESS_RECORDS = 1_000
_EVENT_ID_BYTES = 16
Journal: TypeAlias = Mapping[EntryKey, ListEntry]
OnProgress: TypeAlias = Callable[[int], None]


class Change(NamedTuple):
    """A contact that is put on a list or taken off."""

    list: str
    contact_id: str
    member: bool
    run: str
    moment: Moment
    traced: bool  # an earlier apply left this very change behind, not settled

    def record(self) -> ListMembership:
        """Its record: the same, event id and all, however often an apply that is cut short is run again."""
        identity = msgspec.json.encode([self.run, self.list, self.contact_id, self.member])
        return ListMembership.model_construct(
            type="list",
            event_id=f"apply-{hashlib.blake2b(identity, digest_size=_EVENT_ID_BYTES).hexdigest()}",
            contact_id=self.contact_id,
            occurred_at=self.moment.occurred_at_ms,
            list=self.list,
            member=self.member,
            if_known=not self.member,  # who was erased meanwhile is on no list already, and is not to be made anew
        )

    def entry(self, log: str, *, settled: bool) -> ListEntry:
        """Its entry in the journal."""
        return ListEntry.model_construct(
            list=self.list,
            contact_id=self.contact_id,
            member=self.member,
            settled=settled,
            run=self.run,
            occurred_at=self.moment.occurred_at_ms if settled else self.moment.again_ms,
            log=log,
        )


@dataclass(slots=True)
class ListTally:
    """What happens to one list."""

    put_on: int = 0
    taken_off: int = 0
    unchanged: int = 0
    declared: bool = True  # False: the file has no such list any more


@dataclass(slots=True)
class ListPlan:
    """What an apply has to do about lists."""

    log: str
    end: int  # of the journal, as it was read
    tallies: dict[str, ListTally]
    changes: list[Change] = field(default_factory=list)
    stale: list[EntryKey] = field(default_factory=list)  # entries on another log, which says nothing of this one


def read_journal(journal: CompactedLog) -> tuple[dict[EntryKey, ListEntry], int]:
    """What was published, and an end of the journal at or before which it was read.

    Raises `InputError` for what is no entry, `UnavailableError`.
    """
    end = journal.end()
    try:
        return {decode_key(key): decode_entry(raw) for key, raw in journal.read().items()}, end
    except ValueError as error:
        raise _foreign(error) from None


def _foreign(error: ValueError) -> InputError:
    return InputError(f"lists: the topic holds what `segue apply` did not write there: {error}")


def plan_lists(
    wanted: Mapping[str, Sequence[str]], journal: Journal, end: int, *, log: str, run: str, times: ApplyTimes
) -> ListPlan:
    """The difference between the lists of a file and what was published to the log with the id `log`.

    `run` names this apply; `times` says when its records occur. Raises `InputError` where that is before what the log
    holds already, to which they might lose.
    """
    plan = ListPlan(log, end, {name: ListTally() for name in wanted})

    def change(key: EntryKey, member: bool, entry: ListEntry | None) -> Change:
        moment = times.of(key[1])
        if entry is None or entry.log != log or entry.settled or entry.member != member or not entry.run:
            return Change(*key, member, run, moment, traced=False)
        again = moment._replace(occurred_at_ms=entry.occurred_at, again_ms=entry.occurred_at)
        return Change(*key, member, entry.run, again, traced=True)

    for name, ids in wanted.items():
        for contact_id in ids:
            entry = journal.get((name, contact_id))
            if entry is not None and entry.log == log and entry.member and entry.settled:
                plan.tallies[name].unchanged += 1
            else:
                plan.tallies[name].put_on += 1
                plan.changes.append(change((name, contact_id), True, entry))
    on_file = {name: frozenset(ids) for name, ids in wanted.items()}
    for key, entry in sorted(journal.items()):
        name, contact_id = key
        if contact_id in on_file.get(name, ()):
            continue
        if entry.log != log:
            plan.stale.append(key)
            continue
        plan.tallies.setdefault(name, ListTally(declared=False)).taken_off += 1
        plan.changes.append(change(key, False, entry))
    _check_time(plan, times)
    return plan


def _check_time(plan: ListPlan, times: ApplyTimes) -> None:
    """What an earlier apply left is written as it was; what is new must not come before what the log holds."""
    if times.at_ms is None:
        return
    latest_ms = max((times.clocks.at_ms(one.contact_id) for one in plan.changes if not one.traced), default=0)
    if times.at_ms < latest_ms:
        raise InputError(
            f"--at: {format_instant(times.at_ms)}: expected {format_instant(latest_ms)} or later, the latest time in "
            "the log, since changes of lists would lose to what the log says already; give that time"
        )


def publish_lists(plan: ListPlan, writer: LogWriter, journal: CompactedLog, on_progress: OnProgress) -> None:
    """Write what is planned: traces, then records, then settled entries, each acknowledged before the next.

    `on_progress` is called with the steps made, three for each change. Raises what the writers raise, and
    `UnavailableError` when another apply was at work: then all that was planned is left as not settled, and the next
    apply writes it again.
    """
    progress = _Progress(on_progress)
    traces = [change for change in plan.changes if not change.traced]
    for key in plan.stale:
        journal.put(entry_key(*key), None)
    for change in progress.over(traces):
        _put(journal, change, change.entry(plan.log, settled=False))
    journal.flush()
    end = plan.end + len(plan.stale) + len(traces)
    _check_alone(journal, end, plan)
    for change in progress.over(plan.changes):
        value = encode_record(change.record())
        writer.append(value, contact_id=change.contact_id, timestamp_ms=change.moment.timestamp_ms)
    writer.flush()
    for change in progress.over(plan.changes):
        _put(journal, change, change.entry(plan.log, settled=True) if change.member else None)
    journal.flush()
    _check_alone(journal, end + len(plan.changes), plan)


def _put(journal: CompactedLog, change: Change, entry: ListEntry | None) -> None:
    journal.put(entry_key(change.list, change.contact_id), None if entry is None else encode_entry(entry))


def _check_alone(journal: CompactedLog, expected_end: int, plan: ListPlan) -> None:
    """Every append moves the end: if it is elsewhere, somebody else wrote in between.

    What they wrote to the log may be newer than what this apply wrote. So its traces lose their run: the next apply
    shall decide anew, not complete this one.
    """
    if journal.end() == expected_end:
        return
    for change in plan.changes:
        _put(journal, change, change._replace(run="").entry(plan.log, settled=False))
    journal.flush()
    raise UnavailableError(
        "lists: another `segue apply` or `segue erase` wrote at the same time; run this apply again, and it "
        "completes what is open"
    )


class _Progress:
    """Counts steps over several passes."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._steps = 0

    def over(self, changes: Sequence[Change]) -> Iterator[Change]:
        for change in changes:
            yield change
            self._steps += 1
            if self._steps % PROGRESS_RECORDS == 0:
                self._on_progress(self._steps)


def lists_of(journal: CompactedLog, contact_id: str) -> list[str]:
    """The lists that a contact is on by the definition file, in order. Raises as `read_journal`."""
    try:
        return sorted(name for name, other in map(decode_key, journal.read()) if other == contact_id)
    except ValueError as error:
        raise _foreign(error) from None


def forget_contact(journal: CompactedLog, contact_id: str) -> None:
    """Remove all entries of a contact that is to be erased.

    It comes before the `erase` record, so that a failure leaves nothing half done that sending it again would not
    complete.
    """
    for name in lists_of(journal, contact_id):
        journal.put(entry_key(name, contact_id), None)
    journal.flush()
