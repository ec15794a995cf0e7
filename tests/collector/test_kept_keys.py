"""Keys that were kept: what a collector that starts while Kafka is away begins with, and what it keeps itself."""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas.errors import InputError
from schemas.write_keys import encode_key_entry
from streams.collector.app import Spool
from streams.collector.guarding.kept_keys import REFRESH_S, KeptKeys
from streams.collector.guarding.key_watch import KeyWatch
from streams.collector.guarding.keyring import Keyring
from streams.spool.key_copy import KeyCopy, read_key_copy, write_key_copy
from streams.spool.segments import SegmentFiles
from streams.spool.spool import DiskSpool
from streams.write_keys import Issued, issue, revoke
from tests.collector.doubles import NOW_MS, Door, MemoryIntake, MemoryKeys, MemoryTopics, StillClock, open_door
from tests.spool.disks import FailingDisk
from tests.support.waiting import wait_until, wait_until_async

BEFORE_MS = NOW_MS - 3_600_000
EARLIER = "2026-11-21T09:00:00.000Z"


def _keep(directory: Path, *keys: Issued, topic: str = "keys") -> None:
    """What a collector that ran an hour ago has left."""
    directory.mkdir(exist_ok=True)
    values = {issued.entry.id.encode(): encode_key_entry(issued.entry) for issued in keys}
    write_key_copy(directory, KeyCopy(topic, 7, BEFORE_MS, values))


def _issued() -> Issued:
    return issue("app", BEFORE_MS, scopes=["write"])


@contextmanager
def _collector(
    directory: Path, keys: MemoryKeys, *, kafka_away: bool = True, write_keys: dict[str, str] | None = None
) -> Iterator[Door]:
    """A collector with a spool in the directory, and no key in its environment unless one is given."""
    topics, disk = MemoryTopics(), FailingDisk()
    topics.away = keys.away = kafka_away
    spool = DiskSpool(SegmentFiles(directory, 64 * 1024, disk), 256 * 1024, lambda _: None)
    parts = Spool(spool, MemoryIntake(), KeptKeys(directory, "keys", time.monotonic, disk))
    with open_door(False, topics, keys, parts, write_keys=write_keys or {}) as door:
        yield door


def _call(door: Door, issued: Issued) -> int:
    return door.post("/v1/track", {"userId": "c1", "event": "page_view"}, issued.secret).status_code


def test_a_collector_that_starts_while_kafka_is_away_takes_the_keys_that_were_kept_and_is_sure_of_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept, other, keys = _issued(), _issued(), MemoryKeys()
    _keep(tmp_path, kept)
    with _collector(tmp_path, keys) as door:
        wait_until(lambda: _call(door, kept) == 200, 30, "the kept key to be taken")
        assert _call(door, other) == 503, "it may have been made since"
        wait_until(lambda: door.client.get("/readyz").status_code == 200, 30, "it to want calls")
        told = door.client.get("/readyz").json()
        assert told["status"] == "spooling"
        assert f"1 keys as of {EARLIER} (offset 7), by the copy in the spool's directory" in told["reason"]
        assert door.metric("segue_collector_keys_timestamp_seconds") == BEFORE_MS / 1000
        assert f"keys are taken from before: 1 keys as of {EARLIER}" in caplog.text
        keys.put(revoke(kept.entry, NOW_MS))
        door.topics.away = keys.away = False
        wait_until(lambda: _call(door, kept) == 401, 30, "the key to be refused, since it was revoked")
        assert _call(door, other) == 401
        assert door.client.get("/readyz").json() == {"status": "ready"}
        assert door.metric("segue_collector_keys_timestamp_seconds") == NOW_MS / 1000
        wait_until(lambda: (_read(tmp_path).as_of_ms, len(_read(tmp_path).values)) == (NOW_MS, 1), 30, "it to be kept")
    assert _is_kept_as_revoked(tmp_path, kept)


def test_a_collector_that_starts_while_kafka_is_away_is_ready_with_the_keys_of_its_environment(tmp_path: Path) -> None:
    with _collector(tmp_path, MemoryKeys(), write_keys={"website": "a-secret-write-key"}) as door:
        wait_until(lambda: door.client.get("/readyz").status_code == 200, 30, "it to want calls")
        event = {"userId": "c1", "event": "page_view"}
        assert door.post("/v1/track", event, "a-secret-write-key").status_code == 200
        assert _call(door, _issued()) == 503, "it may be one of the topic"


def test_keys_that_are_taken_from_before_do_not_call_a_collector_spooling_that_writes_to_kafka(tmp_path: Path) -> None:
    kept, keys = _issued(), MemoryKeys()
    _keep(tmp_path, kept)
    with _collector(tmp_path, keys) as door:
        door.topics.away = False
        wait_until(lambda: door.client.get("/readyz").json()["status"] == "ready", 30, "the log to be looked at")
        assert "by the copy" in door.client.get("/readyz").json()["reason"]


def test_where_kafka_tells_the_keys_in_time_what_was_kept_is_never_looked_at(tmp_path: Path) -> None:
    class Unwanted(KeptKeys):
        def load(self) -> KeyCopy | None:
            raise AssertionError("Kafka has told the keys")

    async def story() -> None:
        kept = Unwanted(tmp_path, "keys", time.monotonic)
        watch = KeyWatch(MemoryKeys(), Keyring({}), StillClock(), kept, interval_ms=10, needed=True, patience_ms=60_000)
        watching = asyncio.create_task(watch.watch())
        await wait_until_async(lambda: watch.problem is None, 30)
        watch.end()
        await watching

    asyncio.run(asyncio.wait_for(story(), 60))


def test_kafka_s_own_word_is_waited_for_only_so_long(tmp_path: Path) -> None:
    kept, keys = _issued(), MemoryKeys()
    _keep(tmp_path, kept)
    keys.values = {}
    keys.gate.clear()
    with _collector(tmp_path, keys, kafka_away=False) as door:
        wait_until(lambda: _call(door, kept) == 200, 30, "the kept key to be taken")
        keys.gate.set()
        wait_until(lambda: _call(door, kept) == 401, 30, "Kafka's word to hold")


def test_a_kafka_without_the_topic_takes_what_was_kept_away(tmp_path: Path) -> None:
    kept, keys = _issued(), MemoryKeys()
    _keep(tmp_path, kept)
    with _collector(tmp_path, keys) as door:
        wait_until(lambda: _call(door, kept) == 200, 30, "the kept key to be taken")
        keys.values = None
        keys.away = False
        wait_until(lambda: _call(door, kept) == 503, 30, "the key to be unknown")
        assert door.client.get("/readyz").status_code == 503
        assert "segue topics create" in door.client.get("/readyz").json()["reason"]
        assert door.metric("segue_collector_keys_timestamp_seconds") == 0


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("tear", "is damaged, or was not written to its end"),
        ("foreign", "is no copy of keys"),
        ("version", "was written by another version of Segue"),
        ("directory", "cannot be read: Is a directory"),
        ("topic", "it is of the topic other.keys"),
        ("none", "there is no copy of the keys in "),
    ],
)
def test_what_cannot_be_started_from_is_as_none_is_told_and_is_written_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: str, said: str
) -> None:
    kept, keys, path = _issued(), MemoryKeys(), tmp_path / "keys"
    _keep(tmp_path, kept, topic="other.keys" if spoil == "topic" else "keys")
    if spoil == "tear":
        path.write_bytes(path.read_bytes()[:-3])
    elif spoil == "foreign":
        path.write_text("k1: secret\n")
    elif spoil == "version":
        path.write_bytes(path.read_bytes().replace(b"segue keys 1", b"segue keys 2"))
    elif spoil == "directory":
        path.unlink()
        path.mkdir()
    elif spoil == "none":
        path.unlink()
    with _collector(tmp_path, keys) as door:
        wait_until(lambda: said in caplog.text, 30, "it to be told")
        assert _call(door, kept) == 503
        assert door.client.get("/readyz").status_code == 503
        keys.put(kept.entry)
        keys.away = door.topics.away = False
        wait_until(lambda: _call(door, kept) == 200, 30, "the key to be known")
        if spoil == "directory":
            wait_until(lambda: "cannot be written: Is a directory" in caplog.text, 30, "that to be told, too")
        else:
            wait_until(lambda: _read(tmp_path).topic == "keys", 30, "a copy")
    assert door.bugs == []


def test_each_change_is_kept_at_once_and_no_secret_with_it(tmp_path: Path) -> None:
    keys, issued = MemoryKeys(), _issued()
    with _collector(tmp_path, keys, kafka_away=False) as door:
        wait_until(lambda: _read(tmp_path).values == {}, 30, "a copy of no keys")
        keys.put(issued.entry)
        wait_until(lambda: len(_read(tmp_path).values) == 1, 30, "a copy of one")
        keys.put_raw(b"k_aaaaaaaa", b"no key")
        keys.put(revoke(issued.entry, NOW_MS))
        wait_until(lambda: _is_kept_as_revoked(tmp_path, issued), 30, "the revocation")
        assert door.bugs == []
    content = (tmp_path / "keys").read_bytes()
    assert issued.secret.encode() not in content
    assert issued.entry.secrets[0].digest.encode() in content
    assert list(_read(tmp_path).values) == [issued.entry.id.encode()], "what is no key is not kept"


@pytest.mark.parametrize("value", [None, b"no key"], ids=["removed", "unreadable"])
def test_a_key_whose_entry_is_gone_does_not_come_back_by_the_copy(tmp_path: Path, value: bytes | None) -> None:
    keys, issued = MemoryKeys(), _issued()
    keys.put(issued.entry)
    with _collector(tmp_path, keys, kafka_away=False) as door:
        wait_until(lambda: len(_read(tmp_path).values) == 1 and _call(door, issued) == 200, 30, "a copy with the key")
        keys.put_raw(issued.entry.id.encode(), value)
        wait_until(lambda: _read(tmp_path).values == {}, 30, "a copy without it")


def test_a_disk_that_hangs_does_not_keep_a_revoked_key_alive(tmp_path: Path) -> None:
    keys, issued = MemoryKeys(), _issued()
    keys.put(issued.entry)
    disk = FailingDisk()
    disk.gate.clear()
    kept = KeptKeys(tmp_path, "keys", time.monotonic, disk)
    spool = DiskSpool(SegmentFiles(tmp_path, 64 * 1024), 256 * 1024, lambda _: None)
    with open_door(keys=keys, spool=Spool(spool, MemoryIntake(), kept), write_keys={}) as door:
        wait_until(lambda: _call(door, issued) == 200, 30, "the key to be taken")
        keys.put(revoke(issued.entry, NOW_MS))
        wait_until(lambda: _call(door, issued) == 401, 30, "the key to be refused")
        disk.gate.set()
        wait_until(lambda: _is_kept_as_revoked(tmp_path, issued), 30, "the revocation")


def test_a_copy_that_is_still_right_says_so_now_and_then_and_one_that_failed_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    now_s, disk = [1_000.0], FailingDisk()
    kept = KeptKeys(tmp_path, "keys", lambda: now_s[0], disk)
    assert kept.is_due(changed=False)
    kept.keep({}, 1, 10)
    now_s[0] += REFRESH_S - 1
    assert not kept.is_due(changed=False)
    assert kept.is_due(changed=True)
    now_s[0] += 1
    assert kept.is_due(changed=False)
    disk.sync_error = errno.ENOSPC
    for offset in (2, 3):
        kept.keep({}, offset, 20)
        assert not kept.is_due(changed=False)
        now_s[0] += 5
        assert kept.is_due(changed=False)
    assert _read(tmp_path).offset == 1
    assert caplog.text.count("the copy of the keys cannot be written: No space left on device") == 1
    disk.sync_error = 0
    kept.keep({}, 4, 30)
    assert (_read(tmp_path).offset, _read(tmp_path).as_of_ms) == (4, 30)
    assert "the copy of the keys is written again" in caplog.text


def test_what_was_kept_comes_too_late_where_kafka_has_spoken(tmp_path: Path) -> None:
    kept, keyring = _issued(), Keyring({})
    _keep(tmp_path, kept)
    watch = KeyWatch(
        MemoryKeys(), keyring, StillClock(), KeptKeys(tmp_path, "keys", time.monotonic), interval_ms=10, needed=True
    )
    assert watch.look()
    watch.take_kept()
    assert keyring.values == {}
    assert (watch.problem, watch.as_of_ms) == (None, NOW_MS)


def test_how_old_the_keys_are_is_told_by_when_kafka_answered_and_not_by_when_it_was_listened_to(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        clock, keys = StillClock(), MemoryKeys()
        keys.silent = True
        kept = KeptKeys(tmp_path, "keys", time.monotonic)
        watch = KeyWatch(keys, Keyring({}), clock, kept, interval_ms=10, needed=True)
        watching = asyncio.create_task(watch.watch())
        await wait_until_async(lambda: watch.as_of_ms == NOW_MS, 30)
        clock.now += 60_000
        reads = keys.reads
        await wait_until_async(lambda: keys.reads > reads + 2, 30)
        assert watch.as_of_ms == NOW_MS, "nothing has changed"
        keys.put(_issued().entry)
        await wait_until_async(lambda: watch.as_of_ms == NOW_MS + 60_000, 30)
        watch.end()
        await watching

    asyncio.run(asyncio.wait_for(story(), 60))
    assert len(_read(tmp_path).values) == 1


def _is_kept_as_revoked(directory: Path, issued: Issued) -> bool:
    return b'"revoked_at":"' in _read(directory).values.get(issued.entry.id.encode(), b"")


def _read(directory: Path) -> KeyCopy:
    """The copy as it is now; one of no topic where there is none that can be read."""
    try:
        copy = read_key_copy(directory)
    except InputError:
        copy = None
    return copy if copy is not None else KeyCopy("", 0, 0, {b"": b""})
