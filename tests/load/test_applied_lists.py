"""The lists of a definition file into the log: the difference to before, and nothing lost by an apply cut short."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TypeAlias, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InputError, UnavailableError
from schemas.lists import entry_key
from streams.ports import TimestampType
from streams.sending.applied_lists import ListTally, lists_of
from tests.load.list_world import Lists, World

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
