"""The lists of a definition file into the log: the difference to before, and nothing lost by an apply cut short."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InputError, UnavailableError
from schemas.instants import format_instant
from schemas.lists import entry_key
from schemas.records import ListMembership, decode_record
from streams.sending.applied_lists import ListTally, forget_contact, lists_of, plan_lists, publish_lists, read_journal
from streams.sending.sending import compose
from tests.load.doubles import MemoryLog, MemoryTable

Lists = Mapping[str, Sequence[str]]
LOG = "log-1"


class World:
    """A log, its journal, and what a worker would make of the log."""

    def __init__(self) -> None:
        self.log = MemoryLog(partitions=3)
        self.journal = MemoryTable()
        self.runs = itertools.count(1)
        self.now_ms = 1_000

    def apply(self, lists: Lists, log_id: str = LOG) -> dict[str, ListTally]:
        """One `segue apply`."""
        self.now_ms += 1
        entries, end = read_journal(self.journal)
        plan = plan_lists(lists, entries, end, log=log_id, run=f"run-{next(self.runs)}", now_ms=self.now_ms)
        publish_lists(plan, self.log, self.journal, 0, lambda _done: None)
        return plan.tallies

    def by_hand(self, name: str, contact_id: str, member: bool) -> None:
        """One `segue list add` or `remove`."""
        self.now_ms += 1
        fields = {"type": "list", "event_id": f"hand-{self.now_ms}", "contact_id": contact_id}
        said = {"occurred_at": format_instant(self.now_ms), "list": name, "member": member}
        self.log.append(compose(fields | said).value, contact_id=contact_id)

    def records(self) -> list[ListMembership]:
        """What lies in the log, partition by partition."""
        decoded = [decode_record(written.value) for written in self.log.records]
        assert all(isinstance(record, ListMembership) for record in decoded)
        return [record for record in decoded if isinstance(record, ListMembership)]

    def members(self) -> dict[str, set[str]]:
        """The members of each list: the last by event time counts, a second record of an id not at all."""
        latest: dict[tuple[str, str], tuple[int, bool]] = {}
        seen = set()
        for record in self.records():
            key = (record.list, record.contact_id)
            if (record.contact_id, record.event_id) in seen or record.occurred_at < latest.get(key, (0, False))[0]:
                continue
            seen.add((record.contact_id, record.event_id))
            latest[key] = (record.occurred_at, record.member)
        found: dict[str, set[str]] = {}
        for (name, contact_id), (_, member) in latest.items():
            found.setdefault(name, set()).update([contact_id] if member else [])
        return {name: ids for name, ids in found.items() if ids}


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
    assert {written.key for written in world.log.records} == {"a", "b"}


def test_the_same_file_again_writes_nothing() -> None:
    world = World()
    world.apply({"vip": ["a", "b"]})
    appends = world.journal.appends
    assert world.apply({"vip": ["b", "a"]}) == {"vip": ListTally(unchanged=2)}
    assert (len(world.log.records), world.journal.appends) == (2, appends)


def test_only_the_difference_is_written_also_for_a_list_that_is_gone() -> None:
    world = World()
    world.apply({"vip": ["a", "b", "c"], "old": ["a"]})
    tallies = world.apply({"vip": ["b", "c", "d"]})
    assert tallies == {"vip": ListTally(1, 1, 2), "old": ListTally(0, 1, 0, declared=False)}
    assert world.members() == {"vip": {"b", "c", "d"}}
    assert len(world.log.records) == 4 + 3
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
    world.now_ms -= 500
    world.apply({"vip": []})
    assert world.members() == {}


def test_entries_of_a_log_that_was_deleted_say_nothing_of_the_new_one() -> None:
    world = World()
    world.apply({"vip": ["a", "b"], "old": ["c"]})
    world.log = MemoryLog(partitions=3)
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
    forget_contact(world.journal, "a")
    assert lists_of(world.journal, "a") == []
    assert set(world.journal.values) == {entry_key("vip", "b")}
    assert world.apply({"vip": ["b"]}) == {"vip": ListTally(unchanged=1)}, "nothing is written about who was erased"


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
_DISTURBED = st.one_of(st.none(), st.tuples(st.integers(0, 2), _LISTS))


@given(applies=st.lists(st.tuples(_LISTS, _FAULTS, _DISTURBED), max_size=6), last=_LISTS)
def test_whatever_was_cut_short_or_disturbed_before_a_whole_apply_leaves_everyone_on_exactly_the_lists_of_its_file(
    applies: list[tuple[Lists, tuple[int | None, int | None], tuple[int, Lists] | None]], last: Lists
) -> None:
    world = World()
    for lists, faults, disturbed in applies:
        _break(world, *faults)
        if disturbed is not None:
            flush, others = disturbed
            world.journal.on_flush = [_nothing] * flush + [partial(_apply_quietly, world, others)]
        _apply_quietly(world, lists)
        world.journal.on_flush = []
    _break(world, None, None)
    world.apply(last)
    assert world.members() == {name: set(ids) for name, ids in last.items() if ids}
    written = len(world.log.records)
    world.apply(last)
    assert len(world.log.records) == written


def _nothing() -> None:
    """What others do most of the time."""


def _apply_quietly(world: World, lists: Lists) -> None:
    with suppress(UnavailableError):
        world.apply(lists)
