"""The spool on an event loop: durable before it answers, bounded, in order, and forgotten only when told to."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from streams.ports import Entry
from streams.spool.segments import SegmentFiles
from streams.spool.spool import DiskSpool, SpoolFailedError, SpoolFullError
from tests.spool.disks import FailingDisk
from tests.support.waiting import wait_until_async

MIB = 1024**2


class _Place:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.disk = FailingDisk()
        self.damaged = 0

    def open(self, *, bytes_max: int = MIB, segment_bytes: int = 4_096) -> DiskSpool:
        return DiskSpool(SegmentFiles(self.directory, segment_bytes, self.disk), bytes_max, self._note)

    def segments(self) -> list[Path]:
        return sorted(self.directory.glob("*.spool"))

    def _note(self, stretches: int) -> None:
        self.damaged += stretches


def _run(directory: Path, story: Callable[[_Place], Coroutine[None, None, None]]) -> None:
    asyncio.run(asyncio.wait_for(story(_Place(directory)), 30))


def _entries(*numbers: int) -> list[Entry]:
    return [Entry(f"c{number % 3}", b'{"n":%d}' % number) for number in numbers]


async def _values(spool: DiskSpool, limit: int = 1_000) -> list[int]:
    return [int(frame.entry.value[5:-1]) for frame in await spool.oldest(limit)]


def test_records_come_back_in_order_until_they_are_acknowledged(tmp_path: Path) -> None:
    async def story(place: _Place) -> None:
        spool = place.open()
        assert spool.empty
        await spool.append(_entries(1, 2), 10)
        await spool.append(_entries(3), 20)
        assert (spool.empty, spool.records, spool.oldest_ms) == (False, 3, 10)
        assert await _values(spool, 2) == [1, 2]
        assert await _values(spool) == [1, 2, 3]
        await spool.acknowledge(2)
        assert await _values(spool) == [3]
        assert (spool.records, spool.oldest_ms) == (1, 20)
        await spool.acknowledge(1)
        assert (spool.empty, spool.records, spool.oldest_ms, spool.bytes) == (True, 0, 0, 0)
        assert place.segments() == []
        await spool.close()

    _run(tmp_path, story)


def test_what_a_process_left_is_given_back_by_the_next_one_in_front_of_what_comes_in(tmp_path: Path) -> None:
    async def story(place: _Place) -> None:
        spool = place.open(segment_bytes=100)
        for number in range(10):
            await spool.append(_entries(number), 1_000 + number)
        assert len(place.segments()) > 2
        await spool.close()
        again = place.open()
        assert (again.empty, again.records, again.oldest_ms) == (False, 10, 1_000)
        await again.append(_entries(10), 2_000)
        assert await _gathered(again) == list(range(11))
        assert again.empty
        await again.close()

    _run(tmp_path, story)


async def _gathered(spool: DiskSpool) -> list[int]:
    """All there is, acknowledged one by one."""
    found = []
    while values := await _values(spool, 1):
        found += values
        await spool.acknowledge(1)
    return found


def test_many_callers_share_an_fsync(tmp_path: Path) -> None:
    async def story(place: _Place) -> None:
        spool = place.open()
        place.disk.gate.clear()
        calls = [asyncio.create_task(spool.append(_entries(number), 1)) for number in range(200)]
        await asyncio.sleep(0)
        assert not any(call.done() for call in calls)
        place.disk.gate.set()
        await asyncio.gather(*calls)
        assert place.disk.syncs <= 2, "the first one's, and one for all that came meanwhile"
        assert await _gathered(spool) == list(range(200))
        await spool.close()

    _run(tmp_path, story)


def test_nobody_is_answered_before_the_fsync_and_the_loop_goes_on_meanwhile(tmp_path: Path) -> None:
    async def story(place: _Place) -> None:
        spool = place.open()
        place.disk.gate.clear()
        call = asyncio.create_task(spool.append(_entries(1), 1))
        await wait_until_async(lambda: bool(place.segments()) and place.segments()[0].stat().st_size > 0, 10)
        assert not call.done()
        assert (spool.empty, spool.records) == (False, 0)
        assert await _values(spool) == [], "what may be lost is not sent either"
        place.disk.gate.set()
        await call
        assert await _values(spool) == [1]
        await spool.close()

    _run(tmp_path, story)


def test_the_spool_is_bounded_and_what_is_sent_again_leaves_room(tmp_path: Path) -> None:
    async def story(place: _Place) -> None:
        spool = place.open(bytes_max=10_000, segment_bytes=1_000)
        with pytest.raises(SpoolFullError):
            await spool.append([Entry("c1", b"x" * 6_000)], 1, share=0.5)
        with pytest.raises(SpoolFullError):
            await spool.append([Entry("c1", b"x" * 900)] * 12, 1)
        assert spool.empty
        taken = 0
        with pytest.raises(SpoolFullError):  # noqa: PT012 - the one that does not fit any more
            while True:
                await spool.append([Entry("c1", b"x" * 900)], 1)
                taken += 1
        assert taken == 10
        assert sum(path.stat().st_size for path in place.segments()) <= 10_000
        await spool.oldest(2)
        await spool.acknowledge(2)
        await spool.append([Entry("c1", b"x" * 900)], 1)
        await spool.close()

    _run(tmp_path, story)


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_a_disk_that_fails_refuses_all_that_shared_the_write_and_the_next_ones_go_on(
    tmp_path: Path, error: int
) -> None:
    async def story(place: _Place) -> None:
        spool = place.open(bytes_max=16 * MIB)
        await spool.append(_entries(1), 1)
        place.disk.sync_error = error
        outcomes = await asyncio.gather(
            *[spool.append(_entries(number), 1) for number in range(10, 20)], return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [SpoolFailedError] * 10
        assert not spool.takes
        place.disk.sync_error = 0
        await spool.append(_entries(2), 1)
        assert spool.takes
        assert await _gathered(spool) == [1, 2]
        assert spool.empty
        await spool.close()

    _run(tmp_path, story)


def test_damage_is_passed_over_counted_and_the_rest_kept(tmp_path: Path) -> None:
    async def story(place: _Place) -> None:
        spool = place.open(segment_bytes=200)
        for number in range(8):
            await spool.append(_entries(number), 1)
        await spool.close()
        first = place.segments()[0]
        content = bytearray(first.read_bytes())
        content[10] ^= 1
        first.write_bytes(content)
        last = place.segments()[-1]
        last.write_bytes(last.read_bytes() + b"\xf5\xff")
        again = place.open()
        assert again.records == 7
        assert await _gathered(again) == [1, 2, 3, 4, 5, 6, 7]
        assert place.damaged == 1
        assert again.empty
        await again.close()

    _run(tmp_path, story)


def test_a_segment_that_cannot_be_removed_does_not_stand_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, f"read-only {missing_ok}")

    async def story(place: _Place) -> None:
        spool = place.open()
        await spool.append(_entries(1), 1)
        monkeypatch.setattr(Path, "unlink", fail)
        assert await _gathered(spool) == [1]
        assert spool.empty
        assert spool.bytes > 0, "the disk still has it"
        monkeypatch.undo()
        await spool.append(_entries(2), 1)
        assert await _gathered(spool) == [2]
        await spool.close()

    _run(tmp_path, story)


def test_what_kafka_refuses_is_kept_in_a_file_of_its_own(tmp_path: Path) -> None:
    async def story(place: _Place) -> None:
        spool = place.open()
        await spool.append(_entries(1, 2), 1)
        for frame in await spool.oldest(2):
            await spool.set_aside(frame)
        await spool.acknowledge(2)
        assert spool.empty
        assert (place.directory / "refused").read_bytes().count(b'{"n":') == 2
        await spool.close()

    _run(tmp_path, story)
