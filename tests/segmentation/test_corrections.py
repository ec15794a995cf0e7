"""What is held of an event may be corrected: from then on all is as if it had been so from the start."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from schemas.transitions import cause_body
from streams.explaining.contact_view import view
from streams.segmentation import DefinitionsError, compile_definitions, corrections
from streams.segmentation.cost import cost_of
from streams.segmentation.stored import StoredContact, decode_stored, encode_stored
from tests.segmentation.timeline import DAY, HOUR, MINUTE, SECOND, START, Timeline, segment

CLICKED = segment({"performed": {"event": "email_click", "within": "1d"}})
MACHINE = {"suspected": True, "reasons": ["burst"]}
NONE_AFTER_ALL = {"suspected": False}


def clicked(**more: object) -> Timeline:
    """A contact that clicked at once; its event is e1."""
    story = Timeline({**CLICKED, **more})
    story.track(0, "email_click")
    return story


def correct(story: Timeline, at: int, corrects: str = "e1", machine: object = MACHINE, **more: Any) -> None:
    story.record(at, "correction", corrects=corrects, machine=machine, **more)


def outcomes(story: Timeline) -> dict[str, int]:
    return {name: count for name, count in story.tally.outcomes.items() if count}


def test_a_click_that_turns_out_to_be_a_machines_counts_no_longer() -> None:
    story = clicked()
    correct(story, MINUTE)
    assert story.moves() == [("in", 0), ("out", MINUTE)]
    cause = cause_body(story.transitions[-1].cause)
    assert cause == {"kind": "correction", "position": "tracking-0@1", "event_id": "e2"}
    assert story.transitions[-1].valid_until is None


def test_a_mark_can_be_taken_back() -> None:
    story = Timeline(CLICKED)
    story.track(0, "email_click", machine=MACHINE)
    correct(story, MINUTE, machine=NONE_AFTER_ALL)
    assert story.moves() == [("in", MINUTE)]
    story.until(2 * DAY)
    assert story.moves() == [("in", MINUTE), ("out", DAY)], "it counts as of when it happened"


def test_the_last_correction_wins() -> None:
    story = clicked()
    correct(story, 1 * SECOND)
    correct(story, 2 * SECOND, machine=NONE_AFTER_ALL)
    correct(story, 3 * SECOND)
    assert story.moves() == [("in", 0), ("out", SECOND), ("in", 2 * SECOND), ("out", 3 * SECOND)]


def test_a_correction_delivered_twice_changes_nothing() -> None:
    story = clicked()
    correct(story, 1 * SECOND, event_id="x")
    correct(story, 2 * SECOND, machine=NONE_AFTER_ALL)
    correct(story, 3 * SECOND, event_id="x")
    assert outcomes(story) == {"applied": 3, "duplicate": 1}
    assert story.moves()[-1] == ("in", 2 * SECOND)


@pytest.mark.parametrize(("at", "became"), [(15 * MINUTE, "applied"), (15 * MINUTE + 1, "too_late")])
def test_an_event_can_be_corrected_up_to_the_last_millisecond_of_its_time(at: int, became: str) -> None:
    story = clicked()
    correct(story, at)
    assert story.tally.outcomes[became] == 1 + (became == "applied")
    assert len(story.moves()) == 1 + (became == "applied")


def test_a_file_says_how_long_and_which_events() -> None:
    story = clicked(correct={"within": "1h", "events": ["email_click"]})
    correct(story, HOUR)
    assert len(story.moves()) == 2
    story = clicked(correct={"events": []})
    correct(story, 1)
    assert outcomes(story) == {"applied": 1, "uncorrectable": 1}
    assert story.contact().recent is None


def test_a_correction_that_comes_before_its_event_waits_for_it() -> None:
    story = Timeline(CLICKED)
    story.track(0, "page_view")
    correct(story, 1, corrects="e3")
    story.track(15 * MINUTE, "email_click")
    assert story.moves() == []
    assert story.contact().recent is not None
    story.track(15 * MINUTE + 1, "email_click")
    assert story.moves() == [("in", 15 * MINUTE + 1)]


def test_a_correction_waits_no_longer_than_an_event_can_be_corrected() -> None:
    story = Timeline(CLICKED)
    story.track(0, "page_view")
    correct(story, 1, corrects="e3")
    story.track(15 * MINUTE + 2, "email_click")
    assert story.moves() == [("in", 15 * MINUTE + 2)]


def test_a_correction_makes_no_contact() -> None:
    story = Timeline(segment({"performed": {"event": "email_click", "exactly": 0}}))
    correct(story, 0)
    assert outcomes(story) == {"unknown": 1}
    assert (story.moves(), story.tally.contacts) == ([], 0)


def test_an_erasure_takes_what_could_be_corrected() -> None:
    story = clicked()
    story.record(1 * SECOND, "erase")
    correct(story, 2 * SECOND)
    assert outcomes(story) == {"applied": 2, "unknown": 1}
    assert story.simulator.contact("c1") is None


def test_what_fell_out_of_a_list_of_newest_times_comes_back() -> None:
    story = Timeline(segment({"performed": {"event": "email_click", "since": {"event": "email_open"}}}))
    story.track(0, "email_open")
    story.track(1, "email_click")
    story.track(2, "email_open")  # the newest one: the click lies before it
    correct(story, 3, corrects="e3")
    assert story.moves() == [("in", 1), ("out", 2), ("in", 3)]


def test_only_the_newest_events_can_be_corrected_and_others_are_counted() -> None:
    with patch.object(corrections, "MAX_RECENT", 2):
        story = clicked()
        story.track(1, "page_view")
        correct(story, 2)
        assert story.moves()[-1] == ("out", 2)
        story.track(3, "page_view")
        correct(story, 4, machine=NONE_AFTER_ALL)
    assert outcomes(story) == {"applied": 4, "uncorrectable": 1}
    assert story.core.corrections.given_up == 1
    assert story.moves()[-1] == ("out", 2)


def test_what_is_kept_for_corrections_goes_by_itself_when_their_time_is_over() -> None:
    story = clicked()
    assert story.contact().recent is not None
    assert story.contact().next_due == START + 15 * MINUTE + 5 * SECOND
    story.until(15 * MINUTE + 5 * SECOND)
    assert story.contact().recent is None
    raw = story.core.encode(story.contact())
    assert raw is not None
    stored = decode_stored(raw)
    assert encode_stored(stored) == encode_stored(StoredContact(*[getattr(stored, each) for each in _PLAIN])) == raw


_PLAIN = StoredContact.__struct_fields__


def test_events_that_cannot_be_corrected_keep_nothing_for_it() -> None:
    story = Timeline(segment({"performed": {"event": "purchase"}}))
    story.track(0, "purchase")
    story.track(1, "email_click")  # nothing looks at it
    contact = story.contact()
    assert (contact.recent, contact.next_due) == (None, None)


def test_of_an_event_only_what_conditions_look_at_is_kept() -> None:
    paid = {"event": "email_click", "where": [{"property": "offer.price", "gte": 10}]}
    story = Timeline(segment({"performed": paid}))
    story.track(0, "email_click", properties={"offer": {"price": 5}, "text": "x" * 9000}, context={"page": "/"})
    raw = story.core.encode(story.contact())
    assert raw is not None
    assert len(raw) < 250


def test_what_conditions_look_at_is_there_when_events_are_folded_again() -> None:
    looked_at = [{"property": "context.page", "eq": "/"}, {"property": "offer.price", "gte": 10}]
    story = Timeline(segment({"performed": {"event": "email_click", "where": looked_at}}))
    story.track(0, "email_click", properties={"offer": {"price": 1 << 70}}, context={"page": "/"}, machine=MACHINE)
    story.store_and_load()
    correct(story, 1, machine=NONE_AFTER_ALL)
    assert story.moves() == [("in", 1)]


def test_a_contact_shows_what_of_it_can_be_corrected() -> None:
    story = clicked()
    (shown,) = view(story.core, story.contact(), START)["correctable"]
    assert shown == {
        "event": "email_click",
        "occurred_at": "2026-01-01T00:00:00.000Z",
        "machine": False,
        "until": "2026-01-01T00:15:00.000Z",
    }
    assert view(story.core, story.contact(), START + HOUR)["correctable"] == []


def test_nothing_can_be_corrected_for_longer_than_ids_are_known() -> None:
    with pytest.raises(DefinitionsError, match=r"correct\.within: expected at most what `deduplicate` says, 1h"):
        compile_definitions({**CLICKED, "deduplicate": "1h", "correct": {"within": "2h"}})
    assert compile_definitions({**CLICKED, "deduplicate": "1m"}).correctable.within_ms == MINUTE


def test_the_cost_of_definitions_names_what_is_kept_for_corrections() -> None:
    words = [word for kept in cost_of(compile_definitions(CLICKED)).base for word in kept.words]
    assert any(word.startswith("for 15m: up to 200 events") for word in words)
