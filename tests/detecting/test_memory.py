"""What is remembered of events, for how long, and what is written of them."""

from __future__ import annotations

import pytest

from schemas.record_models import Correction
from schemas.records import Suspicion, decode_record, encode_record
from streams.detecting.memory import CONTACT_EVENTS_MAX
from tests.detecting.mails import START, WINDOW_MS, Story, clicked, corrected, delivered, erased, opened, trapped

BURST = (clicked("a", 0), clicked("b", 1), clicked("c", 2))
BOTH = {name: ["burst", "after_delivery"] for name in "abc"}


def test_a_finding_is_a_valid_correction_of_the_event_at_the_time_at_which_it_was_found() -> None:
    (finding, *_) = Story().take(*BURST, at=5_000).due()
    written = decode_record(encode_record(finding.correction))
    assert isinstance(written, Correction)
    assert (written.contact_id, written.corrects) == ("c1", "a")
    assert (written.machine.suspected, written.machine.reasons) == (True, ["burst"])
    assert written.occurred_at == START + 5_000
    assert written.event_id.startswith("detected-")


def test_a_finding_is_due_once() -> None:
    story = Story().take(*BURST)
    assert len(story.due()) == 3
    assert story.due() == []


def test_a_finding_has_one_id_whoever_makes_it_and_another_with_other_reasons() -> None:
    one, other = Story().take(*BURST).due(), Story().take(*reversed(BURST), at=9_000).due()
    ids = {finding.correction.corrects: finding.correction.event_id for finding in one}
    assert {finding.correction.corrects: finding.correction.event_id for finding in other} == ids
    assert len(set(ids.values())) == 3
    with_more = Story().take(*BURST, delivered("d", 0)).due()
    assert ids.items().isdisjoint({f.correction.corrects: f.correction.event_id for f in with_more}.items())


def test_the_order_in_which_reasons_are_found_does_not_show() -> None:
    one = Story().take(delivered("d", 0), *BURST)
    other = Story().take(*BURST, delivered("d", 0))
    assert one.marks() == other.marks() == BOTH


def test_the_reasons_that_an_event_had_are_kept() -> None:
    marked = clicked("c", 2, machine=Suspicion(suspected=True, reasons=["robot"]))
    assert Story().take(*BURST[:2], marked).marks()["c"] == ["robot", "burst"]


def test_the_reasons_of_an_event_that_is_not_suspected_are_no_reasons() -> None:
    unmarked = clicked("c", 2, machine=Suspicion(suspected=False, reasons=["burst"]))
    assert Story().take(*BURST[:2], unmarked).marks()["c"] == ["burst"]


def test_what_the_log_says_already_is_not_said_again() -> None:
    marked = Suspicion(suspected=True, reasons=["burst"])
    assert set(Story().take(*BURST[:2], clicked("c", 2, machine=marked)).marks()) == {"a", "b"}
    assert set(Story().take(*BURST, corrected("b", "burst")).marks()) == {"a", "c"}
    first = Story().take(*BURST).due()
    again = Story().take(*BURST, *(finding.correction for finding in first))
    assert again.marks() == {}
    assert again.take(delivered("d", 0)).marks() == BOTH


def test_who_clears_an_event_has_the_last_word() -> None:
    story = Story().take(*BURST, corrected("a"))
    assert set(story.marks()) == {"b", "c"}
    assert "a" not in story.take(corrected("a", "burst"), delivered("d", 0)).marks()


def test_a_correction_may_say_that_a_link_was_a_trap_or_that_it_was_none() -> None:
    story = Story().take(opened("o", 0), clicked("t", 1))
    assert story.take(corrected("t", "honeypot")).marks() == {"o": ["near_honeypot"]}
    assert Story().take(trapped("t", 0), corrected("t"), opened("o", 1)).marks() == {}


def test_imports_of_history_are_left_alone() -> None:
    assert Story().take(*BURST[:2], clicked("c", 2, backfill=True)).marks() == {}
    assert Story().take(*BURST, at=WINDOW_MS).marks() != {}
    assert Story().take(*BURST, at=WINDOW_MS + 3).marks() == {}


def test_an_event_that_comes_twice_is_one() -> None:
    again = clicked("b", 1, link="elsewhere")
    assert Story().take(*BURST[:2], again).marks() == {}


@pytest.mark.parametrize(("later", "found"), [(WINDOW_MS, {"o"}), (WINDOW_MS + 1, set())])
def test_an_event_is_remembered_up_to_the_last_millisecond_of_the_window(later: int, found: set[str]) -> None:
    story = Story().take(opened("o", 0))
    # Of a time at which it is late itself, but no history.
    assert set(story.take(delivered("d", 1_900), at=later).marks()) == found
    assert story.memory.held == 1 + len(found)


def test_a_clock_does_not_go_back() -> None:
    story = Story().take(opened("o", 0))
    story.memory.take(0, opened("x", WINDOW_MS + 1, contact="c2"), START + WINDOW_MS + 1)
    story.memory.take(0, opened("y", 0, contact="c2"), START)
    assert story.memory.held == 1, "y is history by the clock, and o is past its time"


def test_who_is_erased_is_forgotten() -> None:
    story = Story().take(*BURST)
    assert story.take(erased(), clicked("d", 3), clicked("e", 4)).marks() == {}
    story.take(opened("later", WINDOW_MS + 10, contact="c2"))
    assert story.memory.held == 1


def test_of_a_contact_the_newest_events_are_remembered() -> None:
    story = Story().take(*(opened(f"o{number}", 0) for number in range(CONTACT_EVENTS_MAX + 1)))
    assert set(story.take(delivered("d", 0)).marks()) == {f"o{number}" for number in range(2, CONTACT_EVENTS_MAX + 1)}
    assert story.memory.given_up == {"contact_full": 2}


def test_of_all_contacts_so_many_events_are_remembered_and_the_others_counted() -> None:
    story = Story(events_max=10).take(*(opened(f"o{number}", 0, contact=f"c{number}") for number in range(12)))
    assert story.memory.held == 10
    assert story.memory.given_up == {"memory_full": 2}
    sent = [delivered(f"d{number}", 0, contact=f"c{number}") for number in (1, 11)]
    assert set(story.take(*sent).marks()) == {"o11"}


def test_a_finding_about_what_there_is_no_room_for_is_not_written() -> None:
    story = Story(events_max=3).take(*BURST, opened("o", 0, contact="c2"))
    assert set(story.marks()) == {"b", "c"}


def test_partitions_are_apart_and_one_that_is_lost_is_forgotten() -> None:
    story = Story().take(*BURST[:2])
    story.memory.take(1, BURST[2], START)
    assert story.memory.due(1) == []
    story.memory.forget(0)
    story.memory.forget(2)
    assert story.memory.held == 1
    assert story.take(BURST[2]).marks() == {}
