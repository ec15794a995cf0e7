"""The tally sees gaps, repetitions and disorder, and the verdict fails for each of them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import httpx
import pytest
from pydantic import SecretStr

from schemas.metrics import METRICS
from schemas.topics import DEAD_LETTER_REASON
from streams.demo.guests import GUEST, Guests
from streams.demo.moves import Moved
from streams.demo.observer import Seen
from streams.demo.receiver import Delivery
from streams.demo.scrape import WANTED, Metrics
from streams.demo.show import Show
from streams.demo.stack import NAMES
from streams.demo.tally import Tally
from streams.demo.traffic import Traffic
from streams.demo.verdict import judge, judge_ending
from streams.demo.why import Phrases
from streams.links import LinkSigner
from tests.demo.records import START_MS, definitions_value, logged, published, track_value, transition
from tests.demo.test_shop import definitions


def new_tally() -> Tally:
    return Tally(NAMES, definitions()["segments"], lambda: 0.0)


def delivery(contact_id: str, segment: str, sequence: int) -> Delivery:
    return Delivery(transition(contact_id, segment, sequence), START_MS + 50)


def test_members_are_counted_and_deliveries_are_awaited() -> None:
    tally = new_tally()
    tally.see(
        [
            published(transition("c1", "buyers", 1), 1),
            published(transition("c2", "buyers", 1), 1, partition=1),
            published(transition("c1", "buyers", 2, "timer"), 2),
        ]
    )
    buyers = tally.segments["buyers"]
    assert (buyers.members, buyers.entered, buyers.exited) == (1, 2, 1)
    assert tally.causes == {("segment.entered", "event"): 2, ("segment.exited", "timer"): 1}
    tally.deliver(delivery("c1", "buyers", 1))
    assert tally.webhooks.undelivered == {"c2-buyers-1", "c1-buyers-2"}
    assert (tally.webhooks.delivered, tally.faults) == (1, [])


def test_a_webhook_may_come_before_its_transition_was_read_from_kafka() -> None:
    tally = new_tally()
    tally.deliver(delivery("c1", "buyers", 1))
    tally.see([published(transition("c1", "buyers", 1), 1)])
    assert not tally.webhooks.undelivered


def test_a_webhook_may_come_twice_but_counts_once() -> None:
    tally = new_tally()
    tally.see([published(transition("c1", "buyers", 1), 1)])
    tally.deliver(delivery("c1", "buyers", 1))
    tally.deliver(delivery("c1", "buyers", 1))
    assert (tally.webhooks.delivered, tally.webhooks.repeated, tally.faults) == (1, 1, [])


def gap_in_a_partition(tally: Tally) -> None:
    tally.see([published(transition("c3", "buyers", 1), 9)])


def repetition_in_a_partition(tally: Tally) -> None:
    tally.see([published(transition("c3", "buyers", 1), 1)])


def gap_of_a_contact(tally: Tally) -> None:
    tally.see([published(transition("c3", "buyers", 2), 3)])


def webhooks_out_of_order(tally: Tally) -> None:
    tally.see([published(transition("c3", "buyers", 1), 3), published(transition("c3", "buyers", 2), 4)])
    tally.deliver(delivery("c3", "buyers", 2))
    tally.deliver(delivery("c3", "buyers", 1))


def bad_signature(tally: Tally) -> None:
    tally.deliver(Delivery(None, START_MS, "no signature fits"))


def dead_letter(tally: Tally) -> None:
    tally.see([Seen("tracking.dead_letter", 0, 0, START_MS, b"x", {DEAD_LETTER_REASON: b"invalid"}, START_MS)])


def other_transition(tally: Tally) -> None:
    tally.recomputation.difference = "partition 0, buyers: …"


def more_in_the_log_than_was_accepted(tally: Tally) -> None:
    tally.records["track"] += 1


def good_show() -> Show:
    """One in which every stage saw what it must."""
    tally = new_tally()
    moves = [("buyers", 1, "event"), ("cart_abandoners", 1, "timer"), ("cart_abandoners", 2, "timer")]
    for seq, (segment, sequence, cause) in enumerate(moves, 1):
        moved = transition("c1", segment, sequence, "timer" if cause == "timer" else "event")
        tally.see([published(moved, seq)])
        tally.deliver(Delivery(moved, START_MS))
    tally.recomputation.equal = tally.transitions
    tally.see([logged(definitions_value(), 0, START_MS)])
    tally.see([logged(track_value("c1", "purchase", START_MS, f"e{number}"), number, START_MS) for number in range(4)])
    tally.recomputation = new_tally().recomputation
    tally.recomputation.equal = tally.transitions
    traffic = Traffic(httpx.AsyncClient(), "key", LinkSigner({"demo": SecretStr("s" * 16)}), Random(1), 1)
    traffic.accepted.update(identify=1, track=1, open=1, click=1)
    worker = Metrics('segue_records_total{type="track"} 4\nsegue_records_total{type="definitions"} 1\n')
    return Show(tally, traffic, Phrases(definitions()), 1, None, (), worker=worker)


def test_a_show_in_which_every_stage_saw_what_it_must_passes() -> None:
    stages = judge(good_show(), missing=0)
    assert {stage.name: stage.text for stage in stages if not stage.passed} == {}


@pytest.mark.parametrize(
    ("spoil", "stage"),
    [
        (gap_in_a_partition, "transitions"),
        (repetition_in_a_partition, "transitions"),
        (gap_of_a_contact, "transitions"),
        (webhooks_out_of_order, "transitions"),
        (bad_signature, "signatures"),
        (dead_letter, "dead letters"),
        (other_transition, "recomputed from the log"),
        (more_in_the_log_than_was_accepted, "log"),
    ],
)
def test_each_fault_fails_its_stage(spoil: Callable[[Tally], None], stage: str) -> None:
    show = good_show()
    spoil(show.tally)
    failed = [one.name for one in judge(show, missing=0) if not one.passed]
    assert stage in failed


@pytest.mark.parametrize(
    ("name", "text", "stage"),
    [
        ("worker", 'segue_records_total{type="track"} 4\n', "worker"),
        ("consumer", "segue_consumer_gaps_total 1\n", "transitions"),
        ("consumer", "segue_webhook_dead_letters 1\n", "dead letters"),
    ],
)
def test_what_the_programs_say_of_themselves_counts(name: str, text: str, stage: str) -> None:
    show = good_show()
    setattr(show, name, Metrics(text))
    assert stage in [one.name for one in judge(show, missing=0) if not one.passed]


@pytest.mark.parametrize("way", ["identify", "track", "open", "click"])
def test_a_way_in_that_nobody_came_by_fails(way: str) -> None:
    show = good_show()
    show.traffic.accepted["batch"] = show.traffic.accepted.pop(way)
    assert [one.name for one in judge(show, missing=0) if not one.passed] == ["collector"]


@pytest.mark.parametrize(
    ("cause", "stage"),
    [
        (("segment.entered", "event"), "entered by event"),
        (("segment.entered", "timer"), "entered by time alone"),
        (("segment.exited", "timer"), "left by time alone"),
    ],
)
def test_a_kind_of_move_that_was_not_seen_fails(cause: tuple[str, str], stage: str) -> None:
    show = good_show()
    del show.tally.causes[cause]
    assert [one.name for one in judge(show, missing=0) if not one.passed] == [stage]


def test_what_is_taken_back_of_machines_is_told_beside_the_events_that_were_accepted() -> None:
    show = good_show()
    show.tally.records["correction"] = 3
    show.worker = Metrics('segue_records_total{type="track"} 4\nsegue_records_total{type="correction"} 3\n'
                          'segue_records_total{type="definitions"} 1\n')  # fmt: skip
    stages = {stage.name: stage for stage in judge(show, missing=0)}
    assert (stages["log"].passed, stages["worker"].passed) == (True, True)
    assert "4 events of 4 that were accepted, 0 ticks, 3 clicks of machines taken back" in stages["log"].text


def test_a_missing_webhook_fails() -> None:
    assert [one.name for one in judge(good_show(), missing=1) if not one.passed] == ["webhooks"]


def test_a_call_that_was_repeated_may_lie_in_the_log_twice() -> None:
    show = good_show()
    show.traffic.retries = 1
    more_in_the_log_than_was_accepted(show.tally)
    assert "log" not in [one.name for one in judge(show, missing=0) if not one.passed]


def test_a_program_that_did_not_end_in_order_is_named() -> None:
    assert judge_ending({"kafka": 0, "worker": 0}).passed
    stage = judge_ending({"kafka": 0, "worker": -9})
    assert (stage.passed, stage.text) == (False, "worker with -9")


def test_the_metrics_that_are_looked_at_exist() -> None:
    assert set(WANTED) <= {metric.name for metric in METRICS}


def test_only_the_moves_of_the_person_at_the_browser_are_theirs() -> None:
    guests = Guests()
    moves = [("browsing_now", 1), ("buyers", 1), ("browsing_now", 2)]
    for segment, sequence in moves:
        guests.move(Moved(transition(GUEST, segment, sequence), 5))
        guests.move(Moved(transition("ada-1", segment, sequence), 5))
    assert [(moved.transition.segment, moved.transition.sequence) for moved in guests.moves] == moves
    assert (guests.segments, guests.moved) == (["buyers"], 3)


@pytest.mark.parametrize(
    ("contact_id", "guest"),
    [(GUEST, True), ("anon:" + "0f" * 16, True), ("ada-1", False), ("anon:guest-7", False), ("you-1", False)],
)
def test_a_record_from_a_browser_is_none_that_the_traffic_should_have_sent(contact_id: str, guest: bool) -> None:
    show = good_show()
    tally = new_tally()
    tally.see([logged(definitions_value(), 0, START_MS)])
    tally.see([logged(track_value(contact_id, "purchase", START_MS, "e1"), 1, START_MS)])
    assert (tally.guests.records, tally.contact_records) == ((1, 0) if guest else (0, 1))
    show.tally.guests.records = tally.guests.records
    show.tally.records["track"] += 1
    (log,) = [stage for stage in judge(show, missing=0) if stage.name == "log"]
    assert (log.passed, "1 from a browser" in log.text) == (guest, guest)
