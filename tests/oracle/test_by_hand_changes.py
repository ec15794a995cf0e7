"""Changes of definitions in the middle of a log, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle.changing import assert_changes_alike, simulated, standings
from tests.oracle.drawn_changes import definitions_record
from tests.oracle.drawn_records import Case
from tests.oracle.driving import Body
from tests.oracle.language import File
from tests.oracle.lines import DAY, HOUR, MINUTE, SECOND, START_MS, did, erase, scored, segments, tick

Moved = tuple[int, str, str, int, str]
"""When, the contact, `+` or `-` and the segment, its sequence, the kind of cause."""


def opened(within: str = "", **more: Any) -> dict[str, Any]:
    return {"performed": {"event": "email_open", **({"within": within} if within else {}), **more}}


def becomes(file: File, at: int, *, silent: bool = False) -> Body:
    """The record with which other definitions hold."""
    return definitions_record(file, START_MS + at, silent=silent)


def moves(file: File, bodies: list[Body], until: int | None = None) -> list[Moved]:
    """What oracle and simulator both make of it, in few words."""
    oracle = assert_changes_alike(Case(file, bodies, None if until is None else START_MS + until))
    return [
        (
            change.effective_at - START_MS,
            change.contact_id,
            ("+" if change.type == "segment.entered" else "-") + change.segment,
            change.sequence,
            change.cause["kind"],
        )
        for change in oracle.changes
    ]


def since(file: File, bodies: list[Body], contact: str = "c1") -> dict[str, tuple[int, int]]:
    """By segment: transitions so far, and since when."""
    simulator, _ = simulated(Case(file, bodies, None))
    return {name: (each, at - START_MS) for name, (each, at) in standings(simulator)[contact].items()}


HOURLY = segments(active=opened("1h"))
TWO_HOURLY = segments(active=opened("2h"))
DAILY = segments(active=opened("1d"))


def test_who_is_in_before_and_after_is_told_nothing_and_stays_since_it_came() -> None:
    bodies = [did("email_open", 0), becomes(DAILY, 30 * MINUTE)]
    assert moves(HOURLY, bodies, until=2 * DAY) == [
        (0, "c1", "+active", 1, "event"),
        (DAY, "c1", "-active", 2, "timer"),
    ]
    again = [did("email_open", 0), did("email_open", 2 * HOUR), becomes(DAILY, 2 * HOUR)]
    assert since(HOURLY, again) == {"active": (3, 2 * HOUR)}, "though the history under the new ones has it in since 0"


def test_timers_that_are_due_at_the_change_fire_under_the_definitions_before() -> None:
    bodies = [did("email_open", 0), becomes(TWO_HOURLY, HOUR)]
    assert moves(HOURLY, bodies) == [
        (0, "c1", "+active", 1, "event"),
        (HOUR, "c1", "-active", 2, "timer"),
        (HOUR, "c1", "+active", 3, "definition"),
    ]
    assert moves(HOURLY, [did("email_open", 0), becomes(TWO_HOURLY, HOUR - 1)]) == [(0, "c1", "+active", 1, "event")]


def test_who_comes_in_by_the_change_is_in_since_its_history_says_so_and_until_the_new_definitions_say() -> None:
    bodies = [did("email_open", 0), did("purchase", HOUR, contact="c2"), becomes(DAILY, 3 * HOUR)]
    assert moves(HOURLY, bodies)[2:] == [(3 * HOUR, "c1", "+active", 3, "definition")]
    assert since(HOURLY, bodies) == {"active": (3, 0)}
    oracle = assert_changes_alike(Case(HOURLY, bodies, None))
    last = oracle.changes[-1]
    assert (last.effective_at, last.detected_at, last.valid_until) == (
        START_MS + 3 * HOUR,
        START_MS + 3 * HOUR,
        START_MS + DAY,
    )


def test_who_goes_out_by_the_change_is_out_since_then() -> None:
    bodies = [did("email_open", 0), becomes(HOURLY, 3 * HOUR)]
    assert moves(DAILY, bodies) == [(0, "c1", "+active", 1, "event"), (3 * HOUR, "c1", "-active", 2, "definition")]
    assert since(DAILY, bodies) == {"active": (2, 3 * HOUR)}


def test_what_the_definitions_before_had_forgotten_counts() -> None:
    bodies = [
        did("email_open", 0),
        did("purchase", 0),
        did("email_open", 5 * DAY),
        becomes(segments(active=opened("10d", at_least=2), bought={"performed": {"event": "purchase"}}), 9 * DAY),
    ]
    assert moves(segments(active=opened("1h", at_least=2)), bodies, until=11 * DAY) == [
        (9 * DAY, "c1", "+active", 1, "definition"),
        (9 * DAY, "c1", "+bought", 1, "definition"),
        (10 * DAY, "c1", "-active", 2, "timer"),
    ]


def test_a_contact_first_leaves_segments_that_are_no_more_then_come_the_others_contacts_by_their_ids_in_utf_8() -> None:
    before = segments(b={"in_segment": "gone"}, a=opened(), gone=opened(), kept=opened())
    after = segments(new={"in_segment": "last"}, kept={"not": opened()}, last=opened())
    contacts = ["\U0001f600", "\uffee", "c1"]
    bodies = [did("email_open", 0, contact=contact) for contact in contacts]
    found = moves(before, [*bodies, becomes(after, HOUR)])[12:]
    assert found == [
        (HOUR, contact, what, int(what[0] == "-") + 1, "definition")
        for contact in ("c1", "\uffee", "\U0001f600")
        for what in ("-gone", "-b", "-a", "+last", "+new", "-kept")
    ]


def test_who_leaves_a_segment_that_is_no_more_is_told_by_its_last_definition_and_without_scores() -> None:
    score = {"half_life": "1d", "points": [{"event": "email_open", "points": 8}]}
    before = scored(score, hot={"score": {"name": "s", "gt": 1}}, warm={"score": {"name": "s", "gt": 1}})
    before["segments"]["hot"]["tags"] = ["old"]
    after = scored(score, warm={"score": {"name": "s", "gt": 7}})
    _, (entered, *_, gone, left) = simulated(Case(before, [did("email_open", 0), becomes(after, DAY)], None))
    assert (gone.segment, gone.definition, gone.tags) == ("hot", entered.definition, ["old"])
    assert (gone.scores, gone.valid_until) == ({}, None)
    assert (left.segment, left.sequence, left.scores) == ("warm", 2, {"s": 4.0})
    assert left.definition != gone.definition


def test_the_sequence_belongs_to_the_name_also_of_a_segment_that_comes_back() -> None:
    other = segments(other={"not": opened()})
    bodies = [
        did("email_open", 0),
        becomes(other, HOUR),
        tick(2 * HOUR),
        becomes(segments(active=opened("1d")), 3 * HOUR),
    ]
    assert moves(segments(active=opened()), bodies, until=2 * DAY) == [
        (0, "c1", "+active", 1, "event"),
        (HOUR, "c1", "-active", 2, "definition"),
        (3 * HOUR, "c1", "+active", 3, "definition"),
        (DAY, "c1", "-active", 4, "timer"),
    ]
    assert since(segments(active=opened()), bodies[:2]) == {"active": (2, HOUR)}


def test_a_segment_with_the_name_of_another_goes_on_with_its_sequence() -> None:
    before = segments(first=opened(), second={"performed": {"event": "purchase"}})
    after = segments(second=opened(), first={"performed": {"event": "purchase"}})
    assert moves(before, [did("email_open", 0), becomes(after, HOUR), did("purchase", HOUR)]) == [
        (0, "c1", "+first", 1, "event"),
        (HOUR, "c1", "+second", 1, "definition"),
        (HOUR, "c1", "-first", 2, "definition"),
        (HOUR, "c1", "+first", 3, "event"),
    ]


def test_silent_changes_say_backfill() -> None:
    bodies = [did("email_open", 0), becomes(segments(other=opened()), HOUR, silent=True)]
    assert moves(segments(active=opened()), bodies)[1:] == [
        (HOUR, "c1", "-active", 2, "backfill"),
        (HOUR, "c1", "+other", 1, "backfill"),
    ]
    _, found = simulated(Case(segments(active=opened()), bodies, None))
    assert [(each.cause.position, each.cause.event_id) for each in found[1:]] == [("tracking-0@1", None)] * 2


def test_the_same_text_again_only_moves_the_clock() -> None:
    bodies = [did("email_open", 0), becomes(HOURLY, 30 * MINUTE), becomes(HOURLY, 2 * HOUR)]
    assert moves(HOURLY, bodies) == [(0, "c1", "+active", 1, "event"), (HOUR, "c1", "-active", 2, "timer")]
    simulator, _ = simulated(Case(HOURLY, bodies, None))
    assert (simulator.tally.ticks, simulator.tally.changes) == (2, 0)


def test_labels_change_no_membership_and_stand_in_what_comes_after() -> None:
    labelled = segments(active=opened("1h"))
    labelled["segments"]["active"] |= {"tags": ["new"], "description": "Opened lately.", "meta": {"owner": "crm"}}
    bodies = [did("email_open", 0), becomes(labelled, 30 * MINUTE)]
    case = Case(HOURLY, bodies, START_MS + HOUR)
    assert_changes_alike(case)
    _, (entered, left) = simulated(case)
    assert (entered.tags, left.tags, left.sequence) == ([], ["new"], 2)
    assert left.definition == entered.definition


def test_a_change_before_the_first_contact_is_as_if_its_definitions_had_been_the_first() -> None:
    bodies = [becomes(DAILY, 0), did("email_open", 0)]
    assert moves(HOURLY, bodies, until=2 * DAY) == [
        (0, "c1", "+active", 1, "event"),
        (DAY, "c1", "-active", 2, "timer"),
    ]


def test_two_changes_in_a_row_are_two_steps_at_one_instant() -> None:
    other = segments(other=opened())
    bodies = [did("email_open", 0), becomes(other, HOUR), becomes(segments(active=opened()), HOUR)]
    assert moves(segments(active=opened()), bodies)[1:] == [
        (HOUR, "c1", "-active", 2, "definition"),
        (HOUR, "c1", "+other", 1, "definition"),
        (HOUR, "c1", "-other", 2, "definition"),
        (HOUR, "c1", "+active", 3, "definition"),
    ]


def test_who_would_be_in_still_under_a_new_exit_is_in() -> None:
    sticky: File = {
        "version": 1,
        "segments": {"active": {"when": opened("1h"), "exit_when": {"performed": {"event": "unsubscribe"}}}},
    }
    bodies = [did("email_open", 0), becomes(sticky, DAY), becomes(HOURLY, 2 * DAY)]
    assert moves(HOURLY, bodies)[1:] == [
        (HOUR, "c1", "-active", 2, "timer"),
        (DAY, "c1", "+active", 3, "definition"),
        (2 * DAY, "c1", "-active", 4, "definition"),
    ]
    assert since(HOURLY, bodies[:2]) == {"active": (3, 0)}


TWICE = segments(twice=opened(at_least=2))


@pytest.mark.parametrize(("horizon", "sequences"), [("1h", [1]), ("2h", [])])
def test_records_that_the_new_horizon_takes_for_no_duplicates_count(horizon: str, sequences: list[int]) -> None:
    again = did("email_open", 0, event_id="same"), did("email_open", 2 * HOUR, event_id="same")
    found = moves({**TWICE, "deduplicate": "1d"}, [*again, becomes({**TWICE, "deduplicate": horizon}, 3 * HOUR)])
    assert [sequence for *_, sequence, _ in found] == sequences


def test_who_is_erased_under_the_new_horizon_leaves_all_and_begins_anew() -> None:
    short, long = ({**segments(active=opened(), kept=opened()), "deduplicate": each} for each in ("1s", "1d"))
    # The second record comes in an hour after the erasure and tells of a time before it.
    bodies = [did("email_open", 0), erase(MINUTE), did("email_open", 0, received=HOUR), becomes(long, 2 * HOUR)]
    assert moves(short, [*bodies, did("email_open", 3 * HOUR)])[2:] == [
        (MINUTE, "c1", "-active", 2, "erasure"),
        (MINUTE, "c1", "-kept", 2, "erasure"),
        (HOUR, "c1", "+active", 1, "event"),
        (HOUR, "c1", "+kept", 1, "event"),
        (2 * HOUR, "c1", "-active", 2, "definition"),
        (2 * HOUR, "c1", "-kept", 2, "definition"),
        (3 * HOUR, "c1", "+active", 1, "event"),
        (3 * HOUR, "c1", "+kept", 1, "event"),
    ]
    late = did("email_open", 0, received=3 * HOUR)
    assert len(moves(short, [*bodies, late])) == 8, "it is dropped: what is left of the erasure is there again"


def test_who_exists_only_under_the_new_horizon_comes_in_with_sequence_1() -> None:
    short, long = ({**segments(active=opened()), "deduplicate": each} for each in ("1s", "1d"))
    bodies = [did("email_open", 0), erase(MINUTE), did("email_open", 0, received=HOUR), becomes(short, 2 * HOUR)]
    assert moves(long, bodies) == [
        (0, "c1", "+active", 1, "event"),
        (MINUTE, "c1", "-active", 2, "erasure"),
        (2 * HOUR, "c1", "+active", 1, "definition"),
    ]
    assert since(long, bodies) == {"active": (1, HOUR)}


def test_an_erasure_under_both_begins_the_sequences_anew_and_nothing_of_before_comes_back() -> None:
    bodies = [
        did("email_open", 0),
        erase(SECOND),
        did("email_open", MINUTE),
        becomes(segments(active=opened("2d")), HOUR),
    ]
    assert [each[2:4] for each in moves(segments(active=opened("1d")), bodies)] == [
        ("+active", 1),
        ("-active", 2),
        ("+active", 1),
    ]


def test_contacts_on_a_list_of_the_first_file_are_on_it_all_the_time() -> None:
    listed = segments(vip={"listed": "vip"})
    first = {**segments(active=opened()), "lists": {"vip": ["c1"], "other": []}}
    bodies = [
        did("email_open", 0),
        did("email_open", 0, contact="c2"),
        becomes({**listed, "lists": {"vip": []}}, HOUR),
        did("email_open", HOUR, contact="c3"),
    ]
    assert moves(first, bodies)[2:] == [
        (HOUR, "c1", "-active", 2, "definition"),
        (HOUR, "c1", "+vip", 1, "definition"),
        (HOUR, "c2", "-active", 2, "definition"),
    ]
