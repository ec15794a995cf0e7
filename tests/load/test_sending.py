"""Single records: checked before they are sent, placed by what the broker acknowledges, counted where it fails."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import InputError, UnavailableError
from schemas.instants import parse_instant
from schemas.records import decode_record
from schemas.topics import partition_of, position_name
from streams.segmentation import compile_definitions
from streams.sending.ports import Acknowledgement
from streams.sending.sending import Acknowledgements, Outgoing, compose, send
from streams.sending.unasked import unasked
from tests.load.doubles import MemoryLog

ERASE: dict[str, Any] = {
    "type": "erase",
    "event_id": "e1",
    "contact_id": "c1",
    "occurred_at": "2026-11-21T10:00:00.000Z",
}
LISTED = ERASE | {"type": "list", "list": "vip", "member": True}


def _members(count: int) -> list[Outgoing]:
    return [compose(LISTED | {"event_id": f"e{number}", "contact_id": f"c{number}"}) for number in range(count)]


def test_a_record_is_what_the_worker_will_read() -> None:
    record, value = compose(LISTED)
    assert decode_record(value) == record
    assert (record.type, record.contact_id) == ("list", "c1")


@pytest.mark.parametrize(
    ("changed", "because"),
    [
        ({"contact_id": ""}, "contact_id: expected text that is not empty, found ''"),
        ({"contact_id": "x" * 257}, "contact_id: expected at most 256 characters, found 'xxx"),
        ({"contact_id": "\udcff"}, "expected text in UTF-8, found"),
        ({"event_id": ""}, "event_id: .*found ''"),
        ({"list": ""}, "list: .*found ''"),
        ({"member": "yes"}, "member: expected true or false, found 'yes'"),
        ({"occurred_at": "noon"}, "occurred_at: expected an RFC 3339 time .*found 'noon'"),
        ({"contact_id": "", "list": ""}, "contact_id: .*; list: "),
    ],
)
def test_an_invalid_record_is_refused_with_path_value_and_what_was_expected(
    changed: dict[str, Any], because: str
) -> None:
    with pytest.raises(InputError, match=because) as refused:
        compose(LISTED | changed)
    assert len(str(refused.value)) < 300


def test_what_no_topic_takes_is_refused() -> None:
    deep: Any = 1
    for _ in range(80):
        deep = [deep]
    identify = ERASE | {"type": "identify"}
    with pytest.raises(InputError, match="expected at most 64 levels of nesting"):
        compose(identify | {"traits": {"deep": deep}})
    with pytest.raises(InputError, match="expected at most 1000000 bytes as a record"):
        compose(identify | {"traits": {"long": "x" * 1_000_000}})


def test_with_no_stamp_given_each_record_is_stamped_with_when_it_occurred() -> None:
    log = MemoryLog(partitions=3, on_acknowledged=(acknowledged := Acknowledgements()))
    (sent,) = send(_members(1), log, acknowledged, 3, None, lambda _done: None)
    assert sent.timestamp_ms == parse_instant("2026-11-21T10:00:00.000Z")


def test_every_record_is_told_where_it_lies() -> None:
    log = MemoryLog(partitions=3, on_acknowledged=(acknowledged := Acknowledgements()))
    sent = send(_members(20), log, acknowledged, 3, 5_000, lambda _done: None)
    for one in sent:
        assert one.offset is not None
        assert one.position == position_name(partition_of(one.record.contact_id, 3), one.offset)
        written = log.log[one.partition][one.offset]
        assert (written.key, written.timestamp_ms) == (one.record.contact_id, 5_000)
    assert len({one.position for one in sent}) == 20
    assert log.flushes == 1


def test_a_position_that_the_broker_does_not_tell_is_not_guessed() -> None:
    acknowledged = Acknowledgements()
    acknowledged(Acknowledgement(0, None, 7))
    (sent,) = acknowledged.place([compose(ERASE)], 1)
    assert (sent.offset, sent.position) == (None, None)


@pytest.mark.parametrize("failure", [UnavailableError("Kafka is away"), InputError("too large")])
def test_a_broker_that_fails_midway_leaves_a_count_of_what_is_there_for_sure(
    failure: UnavailableError | InputError,
) -> None:
    acknowledged = Acknowledgements()
    log = MemoryLog(partitions=3, on_acknowledged=acknowledged, failure=failure, fails_after=1_200)
    progress: list[int] = []
    with pytest.raises(type(failure), match=f"{failure}; 1,200 of 5,000 records are in the log for sure"):
        send(_members(5_000), log, acknowledged, 3, 0, progress.append)
    assert progress == [1_000]


DEFINITIONS = compile_definitions(
    {
        "version": 1,
        "lists": {"vip": ["c1"]},
        "segments": {
            "a": {"when": {"all": [{"listed": "vip"}, {"trait": {"name": "address.city", "eq": "Paris"}}]}},
            "b": {
                "when": {
                    "any": [{"performed": {"event": "purchase"}}, {"consent": {"purpose": "news", "is": "granted"}}]
                }
            },
        },
    }
)


@pytest.mark.parametrize(
    ("fields", "sentences"),
    [
        (LISTED, []),
        (LISTED | {"list": "vpi"}, ["no list 'vpi'; did you mean 'vip'?"]),
        (ERASE, []),
        (ERASE | {"type": "track", "event": "purchase"}, []),
        (ERASE | {"type": "track", "event": "purchased"}, ["no event 'purchased'; did you mean 'purchase'?"]),
        (ERASE | {"type": "identify", "traits": {"address": {}}}, []),
        (
            ERASE | {"type": "identify", "traits": {"adress": 1, "zzz": 2}},
            ["'adress'; did you mean 'address'?", "'zzz'"],
        ),
        (
            ERASE | {"type": "consent", "purpose": "sms", "granted": True, "document": "d", "method": "m"},
            ["the active definitions ask for no consent purpose 'sms'"],
        ),
    ],
)
def test_what_the_definitions_do_not_ask_for_is_said_with_the_nearest_name(
    fields: dict[str, Any], sentences: list[str]
) -> None:
    found = unasked(compose(fields).record, DEFINITIONS)
    assert len(found) == len(sentences)
    for each, expected in zip(found, sentences, strict=True):
        assert each.endswith(expected)
