"""Windows, timers, late and repeated records, erasure: one short story each."""

from __future__ import annotations

from typing import Any

import pytest

from streams.segmentation import Core, Fold, compile_definitions
from tests.segmentation.timeline import DAY, HOUR, MINUTE, SECOND, START, Timeline, definitions, segment

OPENED = {"performed": {"event": "email_open", "within": "1h"}}


def test_an_event_leaves_its_window_at_exactly_its_end() -> None:
    story = Timeline(segment(OPENED))
    story.track(0, "email_open")
    story.until(2 * HOUR)
    assert story.moves() == [("in", 0), ("out", HOUR)]


def test_a_window_renewed_in_its_last_millisecond_is_not_left() -> None:
    story = Timeline(segment(OPENED))
    story.track(0, "email_open")
    story.track(HOUR - 1, "email_open")
    story.until(2 * HOUR)
    assert story.moves() == [("in", 0), ("out", 2 * HOUR - 1)]


def test_a_timer_steps_before_the_record_of_the_same_millisecond() -> None:
    story = Timeline(segment(OPENED))
    story.track(0, "email_open")
    story.track(HOUR, "email_open")
    assert story.moves() == [("in", 0), ("out", HOUR), ("in", HOUR)]
    assert [move.cause.kind for move in story.transitions] == ["event", "timer", "event"]


def test_silence_is_noticed_at_its_exact_instant() -> None:
    silent = {
        "all": [{"performed": {"event": "email_click"}}, {"not_performed": {"event": "email_click", "within": "15d"}}]
    }
    story = Timeline(segment(silent))
    story.track(7, "email_click")
    story.until(20 * DAY)
    assert story.moves() == [("in", 15 * DAY + 7)]
    assert story.transitions[0].detected_at == START + 20 * DAY


def test_a_contact_unknown_so_far_is_in_no_segment_until_its_first_record() -> None:
    story = Timeline(segment({"not_performed": {"event": "purchase"}}))
    story.until(HOUR)
    assert story.transitions == []
    story.record(2 * HOUR, "identify", traits={})
    assert story.moves() == [("in", 2 * HOUR)]


@pytest.mark.parametrize(
    ("comparison", "moves"),
    [
        ({"at_least": 2}, [("in", 10 * MINUTE), ("out", HOUR + 20 * MINUTE - 10 * MINUTE)]),
        ({"at_most": 1}, [("in", 0), ("out", 10 * MINUTE), ("in", 70 * MINUTE)]),
        ({"exactly": 1}, [("in", 0), ("out", 10 * MINUTE), ("in", 70 * MINUTE), ("out", 80 * MINUTE)]),
        ({"exactly": 0}, [("in", 80 * MINUTE)]),
        ({"between": [2, 2]}, [("in", 10 * MINUTE), ("out", 20 * MINUTE), ("in", 60 * MINUTE), ("out", 70 * MINUTE)]),
        ({}, [("in", 0), ("out", 80 * MINUTE)]),
    ],
)
def test_counts_in_a_window_flip_as_events_come_and_go(
    comparison: dict[str, object], moves: list[tuple[str, int]]
) -> None:
    story = Timeline(segment({"performed": {"event": "email_open", "within": "1h", **comparison}}))
    for minute in (0, 10, 20):
        story.track(minute * MINUTE, "email_open")
    story.until(3 * HOUR)
    assert story.moves() == moves


def test_a_late_record_counts_at_its_event_time() -> None:
    story = Timeline(segment(OPENED))
    story.track(0, "page_view", seen=50 * MINUTE)
    story.track(0, "email_open", seen=50 * MINUTE)
    story.until(2 * HOUR)
    assert story.moves() == [("in", 50 * MINUTE), ("out", HOUR)]
    assert story.tally.late == 2


def test_a_late_record_before_the_window_changes_nothing() -> None:
    story = Timeline(segment(OPENED))
    story.track(0, "email_open", seen=HOUR)
    story.until(2 * HOUR)
    assert story.moves() == []


def test_a_record_from_the_future_counts_from_now() -> None:
    story = Timeline(segment(OPENED))
    story.track(5 * DAY, "email_open", seen=0)
    story.until(2 * HOUR)
    assert story.moves() == [("in", 0), ("out", HOUR)]
    assert story.tally.future == 1


def test_a_repeated_event_id_counts_once_up_to_the_horizon_and_again_after_it() -> None:
    story = Timeline(segment({"performed": {"event": "email_open", "at_least": 2}}, deduplicate="1h"))
    story.track(0, "email_open", event_id="same")
    story.track(HOUR, "email_open", event_id="same")
    assert story.tally.outcomes["duplicate"] == 1
    story.track(HOUR + 1, "email_open", event_id="same")
    assert story.moves() == [("in", HOUR + 1)]


def test_a_duplicate_does_not_renew_its_id() -> None:
    story = Timeline(segment({"performed": {"event": "email_open", "at_least": 2}}, deduplicate="1h"))
    for minute in (0, 40, 61):
        story.track(minute * MINUTE, "email_open", event_id="same")
    assert story.moves() == [("in", 61 * MINUTE)]


def test_the_same_event_id_of_another_contact_is_another_event() -> None:
    story = Timeline(segment(OPENED))
    story.track(0, "email_open", "c1", event_id="same")
    story.track(0, "email_open", "c2", event_id="same")
    assert story.moves(contact="c2") == [("in", 0)]


def test_a_suspected_machine_counts_only_where_it_is_asked_for() -> None:
    both = definitions(
        {
            "people": {"when": {"performed": {"event": "email_open"}}},
            "all": {"when": {"performed": {"event": "email_open", "include_machine": True}}},
        }
    )
    story = Timeline(both)
    story.track(0, "email_open", machine={"suspected": True, "reasons": ["prefetch_proxy"]})
    assert story.moves("people") == []
    assert story.moves("all") == [("in", 0)]


def test_the_last_write_by_event_time_wins_for_a_trait() -> None:
    story = Timeline(segment({"trait": {"name": "plan", "eq": "pro"}}))
    story.record(10, "identify", traits={"plan": "pro"})
    story.record(5, "identify", traits={"plan": "free"}, seen=20)
    assert story.moves() == [("in", 10)]
    story.record(10, "identify", traits={"plan": None}, seen=30)
    story.record(9, "identify", traits={"plan": "pro"}, seen=40)
    assert story.moves() == [("in", 10), ("out", 30)]


def test_hysteresis_holds_a_member_between_its_bounds() -> None:
    scores = {"heat": {"half_life": "1h", "points": [{"event": "email_open", "points": 40}]}}
    when = {"score": {"name": "heat", "gte": 70}}
    story = Timeline(segment(when, exit_when={"score": {"name": "heat", "lt": 40}}, scores=scores))
    story.track(0, "email_open")
    story.track(0, "email_open")
    story.until(2 * HOUR)
    # 80 falls to 40 in one half-life; the reading is 40.000 until less than 39.9995 is left.
    entered, left = story.moves()
    assert entered == ("in", 0)
    assert left[0] == "out"
    assert HOUR < left[1] < HOUR + 100
    assert story.transitions[0].valid_until == START + left[1]
    assert story.transitions[1].scores == {"heat": 39.999}


def test_a_segment_moves_with_the_segment_that_it_follows_in_the_same_step() -> None:
    story = Timeline(
        definitions(
            {
                "follower": {"when": {"in_segment": "leader"}},
                "leader": {"when": OPENED},
                "others": {"when": {"not": {"in_segment": "leader"}}},
            }
        )
    )
    story.track(0, "email_open")
    story.until(2 * HOUR)
    names = [
        (move.segment, move.type.removeprefix("segment."), move.effective_at - START) for move in story.transitions
    ]
    assert names == [
        ("leader", "entered", 0),
        ("follower", "entered", 0),
        ("leader", "exited", HOUR),
        ("follower", "exited", HOUR),
        ("others", "entered", HOUR),
    ]


def test_erasure_leaves_every_segment_and_drops_what_is_older_within_the_horizon() -> None:
    story = Timeline(segment({"performed": {"event": "email_open"}}, deduplicate="1h"))
    story.track(0, "email_open")
    story.record(10 * MINUTE, "erase", event_id="forget")
    exit_move = story.transitions[-1]
    assert (exit_move.cause.kind, exit_move.scores, exit_move.valid_until) == ("erasure", {}, None)
    story.track(10 * MINUTE, "email_open", seen=11 * MINUTE)
    story.record(10 * MINUTE, "erase", event_id="forget", seen=12 * MINUTE)
    assert story.tally.outcomes["erased"] == 2
    story.track(10 * MINUTE + 1, "email_open", seen=13 * MINUTE)
    assert [move.sequence for move in story.transitions] == [1, 2, 1]
    assert len({move.transition_id for move in story.transitions}) == 3


def test_a_list_record_that_is_only_for_known_contacts_makes_none_and_brings_back_nobody_who_was_erased() -> None:
    story = Timeline(segment({"not": {"listed": "vip"}}, lists={"vip": []}))
    off: dict[str, Any] = {"list": "vip", "member": False, "if_known": True}
    story.record(0, "list", "stranger", **off)
    story.record(0, "list", list="vip", member=True)
    story.record(1, "erase")
    story.record(2, "list", **off)
    assert (story.transitions, story.tally.contacts) == ([], 0)
    assert (story.tally.outcomes["applied"], story.tally.outcomes["unknown"]) == (2, 2)
    story.record(3, "list", list="vip", member=True)
    story.record(4, "list", **off)
    assert (story.moves(), story.tally.contacts) == ([("in", 4)], 1)


def test_whom_the_file_has_on_a_list_is_known_enough_to_be_taken_off() -> None:
    story = Timeline(segment({"listed": "vip"}, lists={"vip": ["c1"]}))
    story.record(0, "list", list="vip", member=False, if_known=True)
    story.track(1, "page_view")
    assert (story.moves(), story.tally.contacts) == ([], 1)


def test_the_remains_of_an_erasure_are_kept_for_the_horizon_inclusive_and_no_longer() -> None:
    core = Core(compile_definitions(segment(OPENED, deduplicate="1h")))
    for after, left in ((HOUR, True), (HOUR + 1, False)):
        story = Timeline(segment(OPENED, deduplicate="1h"))
        story.record(0, "erase")
        story.until(after)
        (contact,) = story.simulator.contacts.values()
        assert (core.encode(contact) is not None) == left
    assert b"c1" not in (core.encode(contact) or b"")


@pytest.mark.parametrize(("flips", "known"), [(99, True), (100, False)])
def test_valid_until_passes_over_flips_that_change_nothing_up_to_a_hundred(flips: int, known: bool) -> None:
    # Each window that ends flips its own leaf; the segment holds until the longest has ended.
    windows = [{"performed": {"event": "email_open", "within": f"{length}s"}} for length in range(1, flips + 2)]
    story = Timeline(segment({"any": windows}))
    story.track(0, "email_open")
    story.until(HOUR)
    assert story.transitions[0].valid_until == (START + (flips + 1) * SECOND if known else None)
    assert story.moves() == [("in", 0), ("out", (flips + 1) * SECOND)]


def test_the_state_of_a_contact_survives_storage_unchanged() -> None:
    scores = {"heat": {"half_life": "1h", "points": [{"event": "email_open", "points": 7}]}}
    data = segment({"score": {"name": "heat", "gte": 10}}, scores=scores)
    story = Timeline(data)
    for minute in (0, 1, 2):
        story.track(minute * MINUTE, "email_open")
    core = Core(compile_definitions(data))
    (contact,) = story.simulator.contacts.values()
    stored = core.encode(contact)
    assert stored is not None
    again = core.decode(contact.key, stored)
    assert core.encode(again) == stored
    assert (again.bits, again.flips, again.next_due) == (contact.bits, contact.flips, contact.next_due)


def test_outdated_timers_do_not_pile_up() -> None:
    fold = Fold(Core(compile_definitions(segment(OPENED))))
    story = Timeline(segment(OPENED))
    story.simulator.folds[0] = fold
    for second in range(6000):
        story.track(second * 10, "email_open")
    assert len(fold._timers) < 5000


def test_timers_of_one_record_come_out_by_instant_contact_and_segment() -> None:
    hour = {"performed": {"event": "email_open", "within": "1h"}}
    story = Timeline(definitions({"b": {"when": hour}, "a": {"when": {"in_segment": "b"}}}))
    contacts = ["ö", "z", "a", "Z", "c2", "c10"]
    for contact in contacts:
        story.track(0, "email_open", contact)
    story.track(1, "email_open", "0")
    story.until(2 * HOUR)
    exits = [(move.effective_at - START, move.contact_id, move.segment) for move in story.transitions[14:]]
    in_bytes = ["Z", "a", "c10", "c2", "z", "ö"]
    assert exits == [
        *((HOUR, contact, segment) for contact in in_bytes for segment in ("b", "a")),
        (HOUR + 1, "0", "b"),
        (HOUR + 1, "0", "a"),
    ]
