"""Sections 1 and 2 of the semantics, worked out by hand: windows, steps, late records, duplicates, erasure."""

from __future__ import annotations

import pytest

from tests.oracle.driving import assert_same, run_core, run_oracle
from tests.oracle.history import MAX_IDS
from tests.oracle.lines import (
    DAY,
    HOUR,
    MINUTE,
    START_MS,
    check,
    consented,
    did,
    erase,
    on_list,
    segments,
    text_of,
    tick,
    told,
    traits,
)
from tests.oracle.notation import duration_ms, instant_ms

OPENED_IN_AN_HOUR = {"performed": {"event": "email_open", "within": "1h"}}
OPENED_EVER = {"performed": {"event": "email_open"}}
OPENED_TWICE = {"performed": {"event": "email_open", "at_least": 2}}


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-03-01T00:00:00.000Z", START_MS),
        ("2026-03-01t01:30:00.1239999+01:30", START_MS + 123),
        ("2026-02-28T23:00:00.5-01:00", START_MS + 500),
    ],
)
def test_the_oracle_reads_times(text: str, instant: int) -> None:
    assert instant_ms(text) == instant


def test_the_oracle_reads_durations() -> None:
    assert [duration_ms(text) for text in ("3s", "2m", "1h", "1d", "2w")] == [3000, 120_000, HOUR, DAY, 14 * DAY]


def test_an_event_leaves_its_window_at_exactly_its_width() -> None:
    file = segments(active=OPENED_IN_AN_HOUR)
    bodies = [did("email_open", 0), tick(HOUR - 1)]
    check(file, bodies, [(0, "+active", HOUR)])
    check(file, [*bodies, tick(HOUR)], [(0, "+active", HOUR), (HOUR, "-active", None)])


def test_a_timer_fires_at_its_instant_however_late_the_clock_moves() -> None:
    file = segments(active=OPENED_IN_AN_HOUR)
    check(file, [did("email_open", 0)], [(0, "+active", HOUR), (HOUR, "-active", None)], until=30 * DAY)
    oracle, _ = run_oracle(file, [did("email_open", 0), tick(3 * HOUR)])
    assert [change.detected_at - START_MS for change in oracle.changes] == [0, 3 * HOUR]


def test_a_timer_due_in_the_millisecond_of_a_record_steps_before_it() -> None:
    check(
        segments(active=OPENED_IN_AN_HOUR),
        [did("email_open", 0), did("email_open", HOUR)],
        [(0, "+active", HOUR), (HOUR, "-active", None), (HOUR, "+active", 2 * HOUR)],
    )


def test_each_of_several_records_in_one_millisecond_is_a_step() -> None:
    check(
        segments(once={"performed": {"event": "email_open", "exactly": 1}}),
        [did("email_open", 0), did("email_open", 0)],
        [(0, "+once", None), (0, "-once", None)],
    )


def test_a_late_record_counts_at_its_event_time() -> None:
    check(
        segments(active=OPENED_IN_AN_HOUR),
        [traits({}, 0), did("email_open", -HOUR + 1, received=0), did("email_open", -HOUR, received=MINUTE)],
        [(0, "+active", 1), (1, "-active", None)],
    )


def test_a_record_from_the_future_counts_at_the_clock() -> None:
    check(
        segments(active=OPENED_IN_AN_HOUR),
        [did("email_open", DAY, received=0), tick(HOUR)],
        [(0, "+active", HOUR), (HOUR, "-active", None)],
    )


def test_the_clock_never_runs_backwards() -> None:
    check(
        segments(active=OPENED_IN_AN_HOUR, any={"not": {"performed": {"event": "purchase"}}}),
        [tick(MINUTE), did("email_open", 0, received=0)],
        [(MINUTE, "+active", HOUR), (MINUTE, "+any", None)],
    )


def test_another_contact_moves_the_clock() -> None:
    check(
        segments(active=OPENED_IN_AN_HOUR),
        [did("email_open", 0, contact="é"), did("page_view", 2 * HOUR, contact="z")],
        [(0, "+active", HOUR), (HOUR, "-active", None)],
    )


def test_timers_of_several_contacts_fire_in_order_of_instant_and_id() -> None:
    bodies = [
        did("email_open", 1, contact="a"),
        did("email_open", 1, contact="\U0001f600"),
        did("email_open", 1, contact="\uffee"),
        did("email_open", 0, received=1, contact="z"),
        tick(HOUR + 1),
    ]
    oracle, _ = run_oracle(segments(active=OPENED_IN_AN_HOUR), bodies)
    assert [change.contact_id for change in oracle.changes[4:]] == ["z", "a", "\uffee", "\U0001f600"]
    assert_same(segments(active=OPENED_IN_AN_HOUR), bodies)


def test_a_duplicate_within_the_horizon_changes_nothing_and_is_not_renewed() -> None:
    file = {**segments(twice=OPENED_TWICE), "deduplicate": "1h"}
    first = did("email_open", 0, event_id="x")
    again = did("email_open", HOUR, event_id="x")
    late = did("email_open", HOUR + 1, event_id="x")
    check(file, [first, again], [])
    check(file, [first, again, late], [(HOUR + 1, "+twice", None)])
    check(file, [first, did("email_open", 1, event_id="x", contact="c2")], [])


def test_a_duplicate_is_known_by_its_id_alone() -> None:
    file = segments(known={"trait": {"name": "plan", "exists": True}})
    check(file, [did("email_open", 0, event_id="x"), traits({"plan": "pro"}, 1, event_id="x")], [])


def test_an_id_that_was_applied_anew_is_remembered_from_then_on() -> None:
    file = {**segments(thrice={"performed": {"event": "email_open", "at_least": 3}}), "deduplicate": "1h"}
    times = [0, HOUR + 1, 2 * HOUR + 1, 2 * HOUR + 2]
    check(file, [did("email_open", at, event_id="x") for at in times], [(2 * HOUR + 2, "+thrice", None)])


def test_no_more_ids_are_remembered_than_the_bound() -> None:
    file = segments(twice=OPENED_TWICE)
    first = did("email_open", 0, event_id="x")
    fillers = [consented("news", 0, granted=True) for _ in range(MAX_IDS)]
    again = did("email_open", 1, event_id="x")
    _, kept = run_core(file, [first, *fillers[1:], again])
    _, gone = run_core(file, [first, *fillers, again])
    assert (kept[-1], gone[-1]) == ("duplicate", "applied")


def test_the_oracle_remembers_ids_up_to_the_bound() -> None:
    oracle, _ = run_oracle(segments(twice=OPENED_TWICE), [did("email_open", 0, event_id="x")])
    history = oracle.contacts["c1"].history
    history.ids += [(f"f{number}", START_MS) for number in range(MAX_IDS - 1)]
    assert history.is_duplicate("x", START_MS, 0)
    oracle.take(did("page_view", 0), 2)
    assert not history.is_duplicate("x", START_MS, 0)


def test_the_last_write_by_event_time_wins_and_the_later_record_at_equal_times() -> None:
    file = segments(pro={"trait": {"name": "plan", "eq": "pro"}})
    check(
        file,
        [
            traits({"plan": "pro"}, 10, received=10),
            traits({"plan": "free"}, 9, received=11),
            traits({"plan": None}, 10, received=12),
            traits({"plan": "pro"}, 9, received=13),
            traits({"plan": "pro"}, 10, received=14),
        ],
        [(10, "+pro", None), (12, "-pro", None), (14, "+pro", None)],
    )


def test_a_removed_trait_is_remembered_with_the_time_of_its_removal() -> None:
    file = segments(pro={"trait": {"name": "plan", "exists": True}})
    check(file, [traits({"plan": None}, 10), traits({"plan": "pro"}, 9, received=11)], [])


def test_an_erased_contact_leaves_every_segment_and_begins_anew() -> None:
    file = segments(active=OPENED_IN_AN_HOUR, ever=OPENED_EVER)
    bodies = [did("email_open", 0), erase(MINUTE), tick(2 * HOUR), did("email_open", 2 * HOUR)]
    oracle, _ = run_oracle(file, bodies)
    assert [(c.segment, c.sequence, c.cause["kind"], c.valid_until) for c in oracle.changes[2:]] == [
        ("active", 2, "erasure", None),
        ("ever", 2, "erasure", None),
        ("active", 1, "event", START_MS + 3 * HOUR),
        ("ever", 1, "event", None),
    ]
    assert_same(file, bodies)


def test_an_erasure_keeps_older_records_away_for_the_horizon() -> None:
    file = {**segments(ever=OPENED_EVER), "deduplicate": "1h"}
    gone = [did("email_open", 0), erase(10, received=20)]
    _, results = run_oracle(file, [*gone, did("email_open", 10, received=HOUR + 20), erase(10, received=HOUR + 20)])
    assert results == ["applied", "applied late", "erased", "erased"]
    check(file, [*gone, did("email_open", 10, received=HOUR + 20)], [(0, "+ever", None), (20, "-ever", None)])
    check(
        file,
        [*gone, did("email_open", 11, received=20)],
        [(0, "+ever", None), (20, "-ever", None), (20, "+ever", None)],
    )
    check(
        file,
        [*gone, did("email_open", 10, received=HOUR + 21)],
        [(0, "+ever", None), (20, "-ever", None), (HOUR + 21, "+ever", None)],
    )


def test_an_erasure_takes_what_is_newer_by_event_time_too() -> None:
    check(
        segments(ever=OPENED_EVER),
        [did("email_open", 100), erase(50, received=101), tick(200)],
        [(100, "+ever", None), (101, "-ever", None)],
    )


def test_an_erasure_of_an_unknown_contact_only_keeps_older_records_away() -> None:
    check(
        segments(ever=OPENED_EVER),
        [erase(50), did("email_open", 50, received=60), did("email_open", 51, received=60)],
        [(60, "+ever", None)],
    )


def test_ids_are_forgotten_with_the_contact() -> None:
    bodies = [did("email_open", 0, event_id="x"), erase(1), did("email_open", 2, event_id="x")]
    check(segments(ever=OPENED_EVER), bodies, [(0, "+ever", None), (1, "-ever", None), (2, "+ever", None)])


def test_a_contact_exists_from_its_first_record_of_any_kind() -> None:
    file = segments(silent={"not_performed": {"event": "email_open"}})
    for first in (traits({}, 5), consented("news", 5, granted=False), on_list("vip", 5), did("page_view", 5)):
        check(file, [first], [(5, "+silent", None)])
    check(file, [tick(5)], [])


def test_who_does_not_exist_is_not_made_by_what_is_for_known_contacts_only() -> None:
    file = {**segments(unlisted={"not": {"listed": "vip"}}, known={"known_for": "1h"}), "lists": {"vip": []}}
    off = on_list("vip", HOUR, member=False, if_known=True)
    check(file, [off, tick(3 * HOUR)], [])
    check(file, [on_list("vip", 0), erase(1), off, tick(3 * HOUR)], [])
    # It leaves nothing, so an earlier decision that comes later is the only one there is.
    check(file, [off, on_list("vip", 2, received=HOUR), tick(2 * HOUR)], [(2 * HOUR, "+known", None)])
    # Whoever there is a record of is taken off as by any other, and so is whom the file has on it.
    check(file, [on_list("vip", 0), off], [(HOUR, "+known", None), (HOUR, "+unlisted", None)])
    check({**file, "lists": {"vip": ["c1"]}}, [off], [(HOUR, "+unlisted", None)])


def test_what_moves_to_a_contact_that_was_erased_makes_it_anew_only_where_it_may_make_one() -> None:
    file = {**segments(unlisted={"not": {"listed": "vip"}}), "lists": {"vip": []}}
    link = {"type": "link", "event_id": "l", "contact_id": "anon:a", "to": "c1"}
    link |= {"occurred_at": text_of(8), "received_at": text_of(13)}
    before = [erase(10), did("page_view", 5, received=11, contact="anon:a")]
    device = [(11, "+unlisted", None), (13, "-unlisted", None)]
    for if_known, anew in ((True, []), (False, [(13, "+unlisted", None)])):
        moved = on_list("vip", 12, member=False, if_known=if_known, contact_id="anon:a")
        check(file, [*before, moved, link], [*device, *anew])


def test_an_erasure_also_forgets_since_when_a_device_was_known_that_was_linked_before_it() -> None:
    link = {"type": "link", "event_id": "l", "contact_id": "anon:a", "to": "c1"}
    for linked_at, known_at in ((HOUR, 2 * HOUR + 10), (HOUR + 1, HOUR + 10)):
        bodies = [
            did("page_view", 0, contact="anon:a"),
            erase(HOUR),
            did("page_view", HOUR + 5, contact="anon:a"),
            link | {"occurred_at": text_of(linked_at), "received_at": text_of(HOUR + 10)},
            tick(3 * HOUR),
        ]
        device = [(HOUR, "+known", None), (HOUR + 10, "-known", None)]
        check(segments(known={"known_for": "1h"}), bodies, [*device, (known_at, "+known", None)])


def test_an_id_tells_apart_the_lives_of_a_contact_by_the_record_that_began_them() -> None:
    opened = did("email_open", 5, event_id="x")
    gone, gone_again = erase(0, received=5), erase(1, received=5)
    other_lives = [did("page_view", 5), opened, gone, did("page_view", 5), opened, gone_again]
    check(segments(ever=OPENED_EVER), other_lives, [(5, sign + "ever", None) for sign in "+-+-"])
    driven, _ = run_core(segments(ever=OPENED_EVER), other_lives)
    assert len({transition.transition_id for transition in driven.transitions}) == 4
    one_beginning = [opened, gone, opened, gone_again]
    driven, _ = run_core(segments(ever=OPENED_EVER), one_beginning)
    assert len({transition.transition_id for transition in driven.transitions}) == 2


def test_causes_name_the_record() -> None:
    file = segments(silent={"not_performed": {"event": "email_open", "within": "1h"}})
    bodies = [
        did("email_open", 0, event_id="a"),
        tick(HOUR),
        did("email_open", HOUR, event_id="b", backfill=True),
        erase(2 * HOUR, event_id="c"),
        consented("news", 3 * HOUR, granted=True, event_id="d"),
        erase(3 * HOUR, event_id="e", backfill=True),
    ]
    oracle, _ = run_oracle(file, bodies)
    assert [change.cause for change in oracle.changes] == [
        {"kind": "timer", "position": "tracking-0@2"},
        {"kind": "backfill", "position": "tracking-0@3", "event_id": "b"},
        {"kind": "timer", "position": "tracking-0@4"},
        {"kind": "erasure", "position": "tracking-0@4", "event_id": "c"},
        {"kind": "consent", "position": "tracking-0@5", "event_id": "d"},
        {"kind": "backfill", "position": "tracking-0@6", "event_id": "e"},
    ]
    assert_same(file, bodies)


def test_suspected_machines_count_only_where_they_are_included() -> None:
    file = segments(people=OPENED_EVER, all={"performed": {"event": "email_open", "include_machine": True}})
    suspected = {"suspected": True, "reasons": ["prefetch_proxy"]}
    check(file, [did("email_open", 0, machine=suspected)], [(0, "+all", None)])
    check(file, [did("email_open", 0, machine={"suspected": False})], [(0, "+people", None), (0, "+all", None)])


def test_what_is_told_of_a_run_shows_instants_from_the_start() -> None:
    assert told(segments(ever=OPENED_EVER), [did("email_open", 7)]) == [(7, "+ever", "never")]
