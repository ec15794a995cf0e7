"""Records that do not count: they leave the log's way unchanged, and everything after them is still applied."""

from __future__ import annotations

import json
from typing import Any

from confluent_kafka import Producer

from schemas.errors import EXIT_BAD_INPUT
from schemas.topics import (
    DEAD_LETTER_DETAIL,
    DEAD_LETTER_OFFSET,
    DEAD_LETTER_PARTITION,
    DEAD_LETTER_REASON,
    DEAD_LETTER_TIMESTAMP,
    DEAD_LETTER_TOPIC,
    partition_of,
)
from tests.live import history
from tests.live.workers import PARTITIONS, Place, published

CONTACT = "contact-1"
HOME = partition_of(CONTACT, PARTITIONS)
AWAY = (HOME + 1) % PARTITIONS


def _track(number: int, **changes: Any) -> bytes:
    record = {
        "type": "track",
        "event_id": f"e{number}",
        "contact_id": CONTACT,
        "event": "email_open",
        "occurred_at": "2026-03-01T10:00:00Z",
    }
    return json.dumps(record | changes).encode()


BAD: list[tuple[str, bytes | None, bytes | None, int]] = [
    ("undecodable", CONTACT.encode(), b"\xff\xfe\x00 not JSON", HOME),
    ("undecodable", CONTACT.encode(), None, HOME),
    ("undecodable", CONTACT.encode(), _track(1)[:-1] + b',"properties":{"value":NaN}}', HOME),
    ("undecodable", CONTACT.encode(), b'"' + b"x" * 1_048_400, HOME),  # about as large as the topic admits
    ("too_deep", CONTACT.encode(), b"[" * 10_000 + b"]" * 10_000, HOME),
    ("invalid", CONTACT.encode(), b"[1, 2]", HOME),
    ("unknown_type", CONTACT.encode(), _track(2, type="shrug"), HOME),
    ("invalid", CONTACT.encode(), _track(3, contact_id=""), HOME),
    ("invalid", CONTACT.encode(), _track(4, contact_id=None), HOME),
    ("invalid", CONTACT.encode(), _track(5, occurred_at="2026-03-01T10:00:00"), HOME),
    ("invalid", CONTACT.encode(), _track(6, occurred_at="0001-01-01T00:00:00Z"), HOME),
    ("invalid", CONTACT.encode(), _track(7, occurred_at="3000-01-01T00:00:00Z"), HOME),
    ("foreign_key", b"someone-else", _track(8), HOME),
    ("foreign_key", None, _track(9), HOME),
    ("foreign_partition", CONTACT.encode(), _track(10), AWAY),
]


def _produce(place: Place, records: list[tuple[bytes | None, bytes | None, int]]) -> None:
    producer = Producer({"bootstrap.servers": place.servers, "message.max.bytes": 2_000_000})
    stamp_ms = history.START_MS
    for key, value, partition in records:
        stamp_ms += 1
        producer.produce(place.names.tracking, value, key=key, partition=partition, timestamp=stamp_ms)
    assert producer.flush(30) == 0


def test_bad_records_are_dead_letters_with_reason_and_origin_and_all_after_them_is_applied(place: Place) -> None:
    place.prepare("create")
    good = (CONTACT.encode(), _track(99, event="page_view"), HOME)
    records = [(key, value, partition) for _, key, value, partition in BAD]
    _produce(place, [*records, good, (CONTACT.encode(), _track(100), HOME)])
    worker = place.worker()
    place.wait_until_folded()
    letters = place.dead_letters()
    assert len(letters) == len(BAD)
    found: dict[int, list[Any]] = {HOME: [], AWAY: []}
    for letter in letters:
        found[letter.partition()].append(letter)
    for partition in (HOME, AWAY):
        wanted = [bad for bad in BAD if bad[3] == partition]
        for number, (letter, (reason, key, value, _)) in enumerate(zip(found[partition], wanted, strict=True)):
            headers = {name: text.decode() for name, text in letter.headers()}
            assert (letter.key(), letter.value()) == (key, value), "bytes unchanged"
            assert headers[DEAD_LETTER_REASON] == reason, headers
            assert headers[DEAD_LETTER_DETAIL]
            assert headers[DEAD_LETTER_TOPIC] == place.names.tracking
            assert headers[DEAD_LETTER_PARTITION] == str(partition)
            assert headers[DEAD_LETTER_OFFSET] == str(number + 1)  # after the definitions
            assert int(headers[DEAD_LETTER_TIMESTAMP]) > history.START_MS

    entered = {one["segment"] for one in published(place.output()) if one["type"] == "segment.entered"}
    assert "openers" in entered, "the last record was applied"
    assert worker.terminate() == 0

    # Another owner folds nothing of it again, and publishes no dead letter again.
    place.forget_state()
    worker = place.worker()
    place.wait_until_folded()
    assert worker.terminate() == 0
    assert len(place.dead_letters()) == len(BAD)


def test_too_many_dead_letters_stop_the_worker_and_it_says_how_to_get_past_them(place: Place) -> None:
    place.prepare("create")
    _produce(place, [(CONTACT.encode(), b"garbage", HOME)] * 60)
    worker = place.worker()
    assert worker.wait(30) == EXIT_BAD_INPUT
    assert "SEGUE_DEAD_LETTER_RATIO_MAX" in worker.stderr.splitlines()[-1]
    worker = place.worker(SEGUE_DEAD_LETTER_RATIO_MAX="1")
    place.wait_until_folded()
    assert len(place.dead_letters()) == 60
    assert worker.terminate() == 0
