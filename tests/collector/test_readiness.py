"""When the collector is ready, and when it writes."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from streams.links import Link
from streams.ports import LogIdentity
from tests.collector.doubles import SIGNER, Door, MemoryTopics, definitions_message, open_door
from tests.support.waiting import wait_until


def _empty(topics: MemoryTopics) -> None:
    topics.first[1] = None


def _foreign(topics: MemoryTopics) -> None:
    topics.first[0] = msgspec.structs.replace(definitions_message(), value=b'{"type":"tick"}')


def _undecodable(topics: MemoryTopics) -> None:
    topics.first[0] = msgspec.structs.replace(definitions_message(), value=b"\xff")


def _missing(topics: MemoryTopics) -> None:
    del topics.counts["transitions"]


def _uneven(topics: MemoryTopics) -> None:
    topics.counts["tracking.dead_letter"] = 3


def _away(topics: MemoryTopics) -> None:
    topics.away = True


def _reason(door: Door) -> str:
    answer = door.client.get("/readyz")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    reason: str = answer.json()["reason"]
    return reason


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (_empty, "the log of partition 1 has no definitions yet: run `segue apply`"),
        (_foreign, "the log of partition 0 begins with another record than definitions"),
        (_undecodable, "the log of partition 0 begins with another record than definitions"),
        (_missing, "no topic transitions: create it with `segue topics create`"),
        (_uneven, "topics must have equally many partitions"),
        (_away, "Kafka does not answer"),
    ],
)
def test_nothing_is_written_until_the_log_has_begun(spoil: Callable[[MemoryTopics], None], expected: str) -> None:
    topics = MemoryTopics()
    spoil(topics)
    with open_door(wait_for_ready=False, topics=topics) as door:
        wait_until(lambda: expected in _reason(door), 10, f"the reason {expected!r}")
        answer = door.track()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        link = SIGNER.make("click", Link("c1", "welcome", "https://shop.example/"))
        assert door.client.get(f"/c/{link}").status_code == 302
        assert door.intake.entries == []
        assert door.metric("segue_collector_rejected_total", reason="not_ready") == 2
        assert door.metric("segue_collector_lost_total", route="click") == 1
        assert door.client.get("/healthz").status_code == 200


def test_it_becomes_ready_once_definitions_are_applied() -> None:
    topics = MemoryTopics()
    _empty(topics)
    with open_door(wait_for_ready=False, topics=topics) as door:
        wait_until(lambda: "no definitions" in _reason(door), 10)
        topics.first[1] = definitions_message()
        wait_until(lambda: door.client.get("/readyz").status_code == 200, 10)
        assert door.track().status_code == 200


def test_a_log_whose_start_was_deleted_had_begun(door: Door) -> None:
    door.topics.first[0] = msgspec.structs.replace(definitions_message(), value=b"{}", offset=7)
    assert door.client.get("/readyz").status_code == 200


def test_while_kafka_is_away_it_is_not_ready_and_goes_on_trying_to_write(door: Door) -> None:
    door.topics.away = True
    wait_until(lambda: door.client.get("/readyz").status_code == 503, 10)
    assert door.track().status_code == 200


def test_a_topic_that_was_made_anew_must_begin_anew(door: Door) -> None:
    door.topics.first = {0: None, 1: None}
    door.topics.identity = LogIdentity("cluster", "topic-2")
    wait_until(lambda: door.client.get("/readyz").status_code == 503, 10)
    assert door.track().status_code == 503
    assert door.intake.entries == []


def test_a_topic_that_was_deleted_is_not_written_to_even_where_topics_have_no_ids(door: Door) -> None:
    counts, door.topics.counts = door.topics.counts, {}
    wait_until(lambda: door.client.get("/readyz").status_code == 503, 10)
    door.topics.first = {0: None, 1: None}
    door.topics.counts = counts
    wait_until(lambda: "no definitions" in _reason(door), 10)
    assert door.track().status_code == 503


def test_a_bug_in_looking_at_the_topics_is_not_passed_over(door: Door) -> None:
    door.topics.bug = ZeroDivisionError("a bug")
    wait_until(lambda: door.bugs == [door.topics.bug], 10, "the bug to be told")
