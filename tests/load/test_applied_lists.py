"""The lists of a definition file into the log: the difference to before, and nothing lost by an apply cut short."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeAlias, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InputError, UnavailableError
from schemas.instants import format_instant
from schemas.lists import entry_key
from schemas.records import Erase, ListMembership, decode_record, encode_record
from streams.ports import TimestampType
from streams.sending.applied_lists import ListTally, forget_contact, lists_of, plan_lists, publish_lists, read_journal
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


AWAY = UnavailableError("Kafka is away")


def _break(world: World, log_appends: int | None, journal_appends: int | None) -> None:
    """Let Kafka go away after so many appends more; None mends it."""
    world.log.failure = None if log_appends is None else AWAY
    world.log.fails_after = None if log_appends is None else world.log.appended + log_appends
    world.journal.fails_after = None if journal_appends is None else world.journal.appends + journal_appends


def test_a_first_apply_puts_every_contact_on_its_lists_and_says_how_many() -> None:
    world = World()
    tallies = world.apply({"vip": ["a", "b"], "press": ["b"], "nobody": []})
    assert tallies == {"vip": ListTally(2), "press": ListTally(1), "nobody": ListTally()}
    assert world.members() == {"vip": {"a", "b"}, "press": {"b"}}
    assert {written.key for written in world.log.records} == {None, "a", "b"}


def test_the_same_file_again_writes_nothing() -> None:
    world = World()
    world.apply({"vip": ["a", "b"]})
    appends = world.journal.appends
    assert world.apply({"vip": ["b", "a"]}) == {"vip": ListTally(unchanged=2)}
    assert (len(world.records()), world.journal.appends) == (2, appends)


def test_only_the_difference_is_written_also_for_a_list_that_is_gone() -> None:
    world = World()
    world.apply({"vip": ["a", "b", "c"], "old": ["a"]})
    tallies = world.apply({"vip": ["b", "c", "d"]})
    assert tallies == {"vip": ListTally(1, 1, 2), "old": ListTally(0, 1, 0, declared=False)}
    assert world.members() == {"vip": {"b", "c", "d"}}
    assert len(world.records()) == 4 + 3
    assert world.apply({"vip": ["b", "c", "d"]}) == {"vip": ListTally(unchanged=3)}, (
        "the list that is gone is forgotten"
    )


def test_what_was_decided_by_hand_stays_until_the_file_changes_for_that_contact() -> None:
    world = World()
    world.apply({"vip": ["a", "b"]})
    world.by_hand("vip", "a", False)
    world.by_hand("vip", "c", True)
    world.apply({"vip": ["a", "b"]})
    assert world.members() == {"vip": {"b", "c"}}
    world.apply({"vip": ["b"]})
    world.apply({"vip": ["a", "b"]})
    assert world.members() == {"vip": {"a", "b", "c"}}


@pytest.mark.parametrize("journal_appends", range(6))
def test_an_apply_that_dies_around_its_journal_is_completed_by_the_next(journal_appends: int) -> None:
    world = World()
    _break(world, None, journal_appends)
    with pytest.raises(UnavailableError):
        world.apply({"vip": ["a", "b", "c"]})
    _break(world, None, None)
    world.apply({"vip": ["a", "b", "c"]})
    assert world.members() == {"vip": {"a", "b", "c"}}
    identities = {record.event_id for record in world.records()}
    assert len(identities) == 3, "what is written twice has its id twice, so that it counts once"


def test_an_apply_that_dies_between_two_records_does_not_leave_one_on_a_list_that_the_next_file_takes_it_off() -> None:
    world = World()
    _break(world, 2, None)
    with pytest.raises(UnavailableError):
        world.apply({"vip": ["a", "b", "c"]})
    _break(world, None, None)
    assert len(world.members()["vip"]) == 2
    world.apply({"vip": []})
    assert world.members() == {}
    assert world.apply({"vip": []}) == {"vip": ListTally()}


def test_an_apply_that_died_as_it_took_contacts_off_does_not_hide_that_the_next_file_has_them() -> None:
    world = World()
    world.apply({"vip": ["a", "b"]})
    _break(world, None, 2)
    with pytest.raises(UnavailableError):
        world.apply({"vip": []})
    assert world.members() == {}
    _break(world, None, None)
    world.apply({"vip": ["a", "b"]})
    assert world.members() == {"vip": {"a", "b"}}


def test_completing_an_apply_does_not_undo_what_was_decided_by_hand_since() -> None:
    world = World()
    _break(world, None, 2)
    with pytest.raises(UnavailableError):
        world.apply({"vip": ["a", "b"]})
    _break(world, None, None)
    world.by_hand("vip", "a", False)
    world.apply({"vip": ["a", "b"]})
    assert world.members() == {"vip": {"b"}}


def test_a_change_wins_over_the_entry_that_it_replaces_also_when_the_clock_was_set_back() -> None:
    world = World()
    world.apply({"vip": ["a"]})
    world.skew_ms = -500
    world.apply({"vip": []})
    assert world.members() == {}


@pytest.mark.parametrize("skew_ms", [-5_000, 5_000])
def test_an_apply_wins_over_all_that_the_log_holds_whatever_clock_it_goes_by(skew_ms: int) -> None:
    world = World()
    world.by_hand("vip", "gone", True)
    world.apply({"vip": ["a", "gone"]})
    world.erase("b")
    world.by_hand("vip", "c", False)
    world.by_hand("vip", "d", False, at=world.broker_ms + 60_000)
    world.skew_ms = skew_ms
    world.apply({"vip": ["a", "b", "c", "d"]})
    assert world.members() == {"vip": {"a", "b", "c", "d"}}
    world.by_hand("vip", "a", False)
    assert world.members() == {"vip": {"b", "c", "d"}}, "and so does what is said by hand after it"


@pytest.mark.parametrize("skews", [(-5_000, -5_000), (5_000, -5_000), (5_000, 0), (0, -5_000)])
def test_completing_an_apply_of_another_clock_does_not_undo_what_was_decided_by_hand_since(
    skews: tuple[int, int],
) -> None:
    world = World()
    world.erase("b")
    world.skew_ms = skews[0]
    _break(world, 0, None)
    with pytest.raises(UnavailableError):
        world.apply({"vip": ["a", "b"]})
    _break(world, None, None)
    world.skew_ms = skews[1]
    world.by_hand("vip", "a", True)
    world.by_hand("vip", "a", False)
    world.apply({"vip": ["a", "b"]})
    assert world.members() == {"vip": {"b"}}


def test_a_stated_time_before_the_log_is_refused_only_where_something_new_is_to_be_said() -> None:
    world = World("create")
    world.apply({"vip": ["a", "b"]}, at=2_000_000)
    world.by_hand("vip", "a", False, at=3_000_000)
    appends = (world.log.appended, world.journal.appends)
    with pytest.raises(
        InputError, match=r"--at: 1970-01-01T00:41:39\.999Z: expected 1970-01-01T00:50:00\.000Z or later"
    ):
        world.apply({"vip": []}, at=2_499_999)
    assert world.apply({"vip": ["b", "a"]}, at=2_499_999) == {"vip": ListTally(unchanged=2)}
    assert (world.log.appended, world.journal.appends) == appends
    world.apply({"vip": ["b"]}, at=3_000_000)
    world.apply({"vip": ["a", "b"]}, at=3_000_000)
    assert world.members() == {"vip": {"a", "b"}}
    assert {written.timestamp_ms for written in world.log.records} == {1_000_000, 2_000_000, 3_000_000}


def test_an_apply_that_was_cut_short_is_completed_at_its_own_time_also_when_the_log_went_on() -> None:
    world = World("create")
    _break(world, 1, None)
    with pytest.raises(UnavailableError):
        world.apply({"vip": ["a", "b"]}, at=2_000_000)
    _break(world, None, None)
    world.by_hand("vip", "b", False, at=3_000_000)
    world.apply({"vip": ["a", "b"]}, at=2_000_000)
    assert world.members() == {"vip": {"a"}}


def test_where_workers_tick_and_senders_stamp_an_apply_moves_the_clock_past_an_erasure_of_a_faster_clock() -> None:
    world = World("create")
    world.skew_ms = 5_000
    world.erase("a")
    world.skew_ms = 0
    world.apply({"vip": ["a"]})
    assert world.members() == {"vip": {"a"}}


def test_an_erase_of_a_slower_clock_takes_a_contact_off_that_came_back() -> None:
    world = World()
    world.erase("a")
    world.apply({"vip": ["a"]})
    world.skew_ms = -60_000
    world.erase("a")
    assert world.members() == {}
    assert world.apply({}) == {}


def test_entries_of_a_log_that_was_deleted_say_nothing_of_the_new_one() -> None:
    world = World()
    world.apply({"vip": ["a", "b"], "old": ["c"]})
    world.new_log()
    assert world.apply({"vip": ["b"]}, log_id="log-2") == {"vip": ListTally(put_on=1)}
    assert world.members() == {"vip": {"b"}}
    assert set(world.journal.values) == {entry_key("vip", "b")}


def test_two_applies_at_the_same_time_notice_and_the_next_one_makes_it_right() -> None:
    world = World()
    world.apply({"vip": ["a"]})
    # The first flush is that of the traces, the second that of the settled entries.
    for flush in (0, 1):
        world.journal.on_flush = [_nothing] * flush + [partial(_apply_quietly, world, {"vip": ["c"]})]
        with pytest.raises(UnavailableError, match="at the same time; run this apply again"):
            world.apply({"vip": ["a", "b"]})
        world.apply({"vip": ["a", "b"]})
        assert world.members() == {"vip": {"a", "b"}}
        world.apply({"vip": ["a"]})


def test_an_erased_contact_leaves_no_entry_and_others_keep_theirs() -> None:
    world = World()
    world.apply({"vip": ["a", "b"], "press": ["a"]})
    assert lists_of(world.journal, "a") == ["press", "vip"]
    world.erase("a")
    assert lists_of(world.journal, "a") == []
    assert set(world.journal.values) == {entry_key("vip", "b")}
    assert world.apply({"vip": ["b"]}) == {"vip": ListTally(unchanged=1)}, "nothing is written about who was erased"


def test_what_an_apply_says_of_a_contact_that_the_collector_erased_makes_it_not_anew() -> None:
    world = World()
    world.apply({"vip": ["a", "b"]})
    world.erase_by_the_collector("a")
    assert world.apply({"vip": ["b"]}) == {"vip": ListTally(taken_off=1, unchanged=1)}
    assert world.known() == {"b"}
    assert set(world.journal.values) == {entry_key("vip", "b")}


@pytest.mark.parametrize(
    ("key", "value"), [(b"vip", b"{}"), (b'["vip","a"]', b"{}"), (b'["vip","a"]', b"\xff"), (b'["vip"]', b"1")]
)
def test_what_is_no_entry_is_refused(key: bytes, value: bytes) -> None:
    world = World()
    world.journal.put(key, value)
    with pytest.raises(InputError, match="what `segue apply` did not write"):
        world.apply({})


_LISTS = st.dictionaries(st.sampled_from(["vip", "press"]), st.lists(st.sampled_from("abcd"), unique=True))
_FAULTS = st.one_of(
    st.tuples(st.integers(0, 6), st.none()), st.tuples(st.none(), st.integers(0, 12)), st.just((None, None))
)
_SKEW = st.sampled_from([-60_000, -20, 0, 20, 60_000])
_DISTURBED = st.one_of(st.none(), st.tuples(st.integers(0, 2), _LISTS, _SKEW))
Disturbed: TypeAlias = tuple[int, Lists, int] | None
_ERASED = st.lists(st.sampled_from("abcd"), max_size=2)
_APPLIES = st.lists(st.tuples(_SKEW, _LISTS, _FAULTS, _DISTURBED, _ERASED), max_size=6)


@given(timestamps=st.sampled_from(get_args(TimestampType)), applies=_APPLIES, last_skew_ms=_SKEW, last=_LISTS)
def test_whatever_was_cut_short_or_disturbed_before_a_whole_apply_leaves_everyone_on_exactly_the_lists_of_its_file(
    timestamps: TimestampType,
    applies: list[tuple[int, Lists, tuple[int | None, int | None], Disturbed, list[str]]],
    last_skew_ms: int,
    last: Lists,
) -> None:
    world = World(timestamps)
    for skew_ms, lists, faults, disturbed, erased in applies:
        _break(world, *faults)
        if disturbed is not None:
            flush, others, others_skew_ms = disturbed
            other = partial(_apply_quietly, world, others, others_skew_ms)
            world.journal.on_flush = [_nothing] * flush + [other]
        _apply_quietly(world, lists, skew_ms)
        world.journal.on_flush = []
        _break(world, None, None)
        for contact_id in erased:
            world.erase(contact_id)
    world.skew_ms = last_skew_ms
    _break(world, None, None)
    world.apply(last)
    assert world.members() == {name: set(ids) for name, ids in last.items() if ids}
    written = len(world.log.records)
    world.apply(last)
    assert len(world.log.records) == written


def _nothing() -> None:
    """What others do most of the time."""


def _apply_quietly(world: World, lists: Lists, skew_ms: int = 0) -> None:
    world.skew_ms = skew_ms
    with suppress(UnavailableError):
        world.apply(lists)
