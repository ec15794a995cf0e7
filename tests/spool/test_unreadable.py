"""A spool of which the disk does not give all: the rest goes on, and what is missing is counted, told and kept."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from schemas.errors import InputError, UnavailableError
from streams.ports import Entry
from streams.spool.frames import find
from streams.spool.segments import SegmentFiles
from streams.spool.spool import DiskSpool, SpoolFailedError, SpoolFullError
from tests.spool.disks import FailingDisk

MIB = 1024**2
ATTEMPTS = 5
BLOCK = 4_096


class _Place:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.disk = FailingDisk()
        self.damaged = 0

    def open(self, *, bytes_max: int = MIB, segment_bytes: int = 8 * BLOCK) -> DiskSpool:
        return DiskSpool(SegmentFiles(self.directory, segment_bytes, self.disk), bytes_max, self._note)

    def names(self) -> list[str]:
        return sorted(path.name.lstrip("0") for path in self.directory.iterdir() if path.name != "lock")

    def _note(self, stretches: int) -> None:
        self.damaged += stretches


def _run(directory: Path, story: Callable[[_Place], Coroutine[None, None, None]]) -> None:
    asyncio.run(asyncio.wait_for(story(_Place(directory)), 30))


async def _fill(spool: DiskSpool, records: int = 100, first: int = 0) -> None:
    """Records of somewhat more than 1,000 bytes each, one behind the other: 32 of them are a segment."""
    for number in range(first, first + records):
        await spool.append([Entry("c1", b"%03d" % number + b"x" * 1_000)], 1_000 + number)


async def _gathered(spool: DiskSpool, found: list[int] | None = None) -> list[int]:
    """All there is, acknowledged some at a time; added to what was found before."""
    found = [] if found is None else found
    while frames := await spool.oldest(10):
        found += [int(frame.entry.value[:3]) for frame in frames]
        await spool.acknowledge(len(frames))
    return found


async def _failures(spool: DiskSpool, count: int) -> None:
    for _ in range(count):
        with pytest.raises(SpoolFailedError, match=r"cannot read .*\.spool"):
            await spool.oldest(10)


def test_a_read_that_fails_for_a_moment_loses_nothing(tmp_path: Path) -> None:
    async def story(place: _Place) -> None:
        spool = place.open()
        await _fill(spool)
        place.disk.read_error, place.disk.unreadable = errno.EIO, range(BLOCK, 2 * BLOCK)
        await _failures(spool, ATTEMPTS - 1)
        place.disk.read_error = 0
        assert await _gathered(spool) == list(range(100))
        assert (place.damaged, place.names(), spool.bytes) == (0, [], 0)
        await spool.close()

    _run(tmp_path, story)


@pytest.mark.parametrize("error", [errno.EIO, errno.EBADMSG, errno.EUCLEAN])
def test_what_the_disk_never_gives_is_passed_over_and_its_file_is_kept(
    tmp_path: Path, error: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(place: _Place) -> None:
        spool = place.open()
        await _fill(spool)
        place.disk.read_error, place.disk.unreadable = error, range(BLOCK, 2 * BLOCK)
        found, failures = await _insisted(spool)
        assert failures == 4 * (ATTEMPTS - 1)
        # The second block of each file has three whole records, and parts of the two around them.
        assert sorted(set(range(100)) - set(found)) == [*range(3, 8), *range(35, 40), *range(67, 72), 99]
        assert found == sorted(found), "in order"
        assert place.damaged == 4
        assert place.names() == ["1.damaged", "2.damaged", "3.damaged", "4.damaged"]
        assert (spool.records, spool.oldest_ms) == (0, 0)
        await spool.close()

    with caplog.at_level(logging.ERROR):
        _run(tmp_path, story)
    assert "of which the disk does not give 4096" in caplog.text
    assert "the file is kept" in caplog.text


async def _insisted(spool: DiskSpool) -> tuple[list[int], int]:
    """All that is to be had by trying again and again, and how often it failed."""
    found: list[int] = []
    failures = 0
    while not spool.empty:
        try:
            await _gathered(spool, found)
        except SpoolFailedError:
            failures += 1
    return found, failures


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ESTALE, errno.EACCES])
def test_an_error_that_is_not_the_medium_s_is_waited_for_however_long_it_takes(tmp_path: Path, error: int) -> None:
    async def story(place: _Place) -> None:
        spool = place.open()
        await _fill(spool)
        place.disk.read_error, place.disk.unreadable = error, range(MIB)
        await _failures(spool, 3 * ATTEMPTS)
        place.disk.read_error = 0
        assert await _gathered(spool) == list(range(100))
        assert (place.damaged, place.names()) == (0, [])
        await spool.close()

    _run(tmp_path, story)


def test_a_disk_that_is_away_as_a_whole_is_waited_for(tmp_path: Path) -> None:
    async def story(place: _Place) -> None:
        spool = place.open()
        await _fill(spool)
        place.disk.read_error = place.disk.sync_error = errno.EIO
        place.disk.unreadable = range(MIB)
        await _failures(spool, 3 * ATTEMPTS)
        place.disk.read_error = place.disk.sync_error = 0
        assert await _gathered(spool) == list(range(100))
        assert (place.damaged, place.names()) == (0, [])
        await spool.close()

    _run(tmp_path, story)


def test_a_file_that_somebody_removed_or_cut_is_counted_as_damage_and_the_others_go_on(tmp_path: Path) -> None:
    async def story(place: _Place) -> None:
        spool = place.open()
        await _fill(spool)
        first, second, *_ = sorted(tmp_path.glob("*.spool"))
        first.unlink()
        os.truncate(second, second.stat().st_size - 500)
        found, _ = await _insisted(spool)
        assert sorted(set(range(100)) - set(found)) == [*range(32), 63], "a whole file, and the last of another"
        assert (place.damaged, place.names()) == (2, ["2.damaged"])
        assert (spool.records, spool.empty) == (0, True)
        await spool.close()

    _run(tmp_path, story)


def test_the_next_process_counts_what_it_can_read_and_sends_that(tmp_path: Path) -> None:
    async def story(place: _Place) -> None:
        spool = place.open()
        await _fill(spool)
        await spool.close()
        place.disk.read_error, place.disk.unreadable = errno.EIO, range(BLOCK, 2 * BLOCK)
        again = place.open()
        found, _ = await _insisted(again)
        assert len(found) == 84
        await again.close()
        place.disk.read_error = 0
        later = place.open()
        assert (later.empty, later.records) == (True, 0), "what was set aside is not sent by itself"
        assert later.bytes == sum(path.stat().st_size for path in tmp_path.glob("*.damaged")) > 0
        await _fill(later, 1)
        assert place.names() == ["1.damaged", "2.damaged", "3.damaged", "4.damaged", "5.spool"]
        await later.close()

    _run(tmp_path, story)


@pytest.mark.parametrize(
    ("error", "kind"), [(errno.EACCES, InputError), (errno.EMFILE, UnavailableError), (errno.ESTALE, UnavailableError)]
)
def test_a_start_that_cannot_look_through_the_spool_names_the_file(
    tmp_path: Path, error: int, kind: type[Exception]
) -> None:
    async def story(place: _Place) -> None:
        spool = place.open()
        await _fill(spool, 1)
        await spool.close()
        place.disk.read_error, place.disk.unreadable = error, range(MIB)
        with pytest.raises(kind, match=rf"1\.spool: .*{os.strerror(error)}"):
            place.open()

    _run(tmp_path, story)


def test_a_directory_that_is_named_like_a_segment_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / f"{3:020}.spool").mkdir()
    with pytest.raises(InputError, match=r"3\.spool: Is a directory; expected a file of the spool"):
        _Place(tmp_path).open()


def test_a_damaged_file_that_was_mended_is_sent_when_it_is_named_as_before(tmp_path: Path) -> None:
    async def story(place: _Place) -> None:
        spool = place.open(segment_bytes=100 * BLOCK)
        await _fill(spool, 10)
        (path,) = tmp_path.glob("*.spool")
        whole = path.read_bytes()
        path.write_bytes(whole[:5_000] + b"rot" + whole[5_003:])
        assert await _gathered(spool) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
        assert (place.damaged, place.names()) == (1, ["1.damaged"])
        await spool.close()
        (kept,) = tmp_path.glob("*.damaged")
        assert len(find(kept.read_bytes()).frames) == 9
        kept.write_bytes(whole)
        kept.rename(kept.with_suffix(".spool"))
        again = place.open()
        assert await _gathered(again) == list(range(10))
        assert place.names() == []
        await again.close()

    _run(tmp_path, story)


def test_what_is_set_aside_takes_room_so_that_the_directory_stays_within_its_bound(tmp_path: Path) -> None:
    async def story(place: _Place) -> None:
        (tmp_path / f"{9:020}.damaged").write_bytes(b"x" * (MIB - 2_000))
        spool = place.open()
        assert spool.empty
        await _fill(spool, 1)
        with pytest.raises(SpoolFullError):
            await _fill(spool, 1)
        assert place.names() == ["10.spool", "9.damaged"]
        await spool.close()

    _run(tmp_path, story)
