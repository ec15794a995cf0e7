"""The directory of a spool: whose it is, and what happens to a segment when the disk fails."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from schemas.errors import InputError
from streams.spool.segments import SegmentFiles
from tests.spool.disks import FailingDisk


def _content(files: SegmentFiles) -> list[bytes]:
    return [files.read(segment, 0, segment.synced).content for segment in files.found]


def test_a_process_finds_what_another_left_oldest_first_and_writes_behind_it(tmp_path: Path) -> None:
    files = SegmentFiles(tmp_path / "spool", segment_bytes=4)
    for content in (b"one", b"two", b"three", b"four"):
        files.append(content)
    files.close()
    files = SegmentFiles(tmp_path / "spool", segment_bytes=4)
    assert _content(files) == [b"onetwo", b"three", b"four"]
    later, end = files.append(b"five")
    assert end == 4
    assert later.path.name > files.found[-1].path.name
    files.close()


def test_a_spool_is_its_owners_alone(tmp_path: Path) -> None:
    files = SegmentFiles(tmp_path / "spool", 100)
    segment, _ = files.append(b"what people did")
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    assert stat.S_IMODE(segment.path.stat().st_mode) == 0o600
    files.close()


def test_two_collectors_cannot_have_one_directory(tmp_path: Path) -> None:
    first = SegmentFiles(tmp_path, 100)
    with pytest.raises(InputError, match=r"SEGUE_COLLECTOR_SPOOL_DIR: .*another collector has it"):
        SegmentFiles(tmp_path, 100)
    first.close()
    SegmentFiles(tmp_path, 100).close()


def test_a_directory_that_cannot_be_written_to_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"SEGUE_COLLECTOR_SPOOL_DIR: .*expected a directory that may be written to"):
        SegmentFiles(tmp_path / "file" / "spool", 100)


def test_files_of_others_in_the_directory_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("keep")
    files = SegmentFiles(tmp_path, 100)
    assert files.found == []
    files.close()
    assert (tmp_path / "notes.txt").read_text() == "keep"


def test_a_segment_whose_fsync_failed_is_never_written_to_again_and_keeps_what_was_synced(tmp_path: Path) -> None:
    disk = FailingDisk()
    files = SegmentFiles(tmp_path, 100, disk)
    first, end = files.append(b"safe")
    disk.sync_error = errno.EIO
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        files.append(b"unsafe")
    disk.sync_error = 0
    second, _ = files.append(b"behind")
    assert second is not first
    assert (first.synced, end, first.path.read_bytes()) == (4, 4, b"safe")
    files.close()
    files = SegmentFiles(tmp_path, 100)
    assert _content(files) == [b"safe", b"behind"]
    files.close()


def test_a_full_disk_leaves_no_half_of_what_did_not_fit(tmp_path: Path) -> None:
    disk = FailingDisk()
    files = SegmentFiles(tmp_path, 100, disk)
    disk.room = 6
    files.append(b"fits")
    for _ in range(2):
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            files.append(b"too much")
    assert [path.read_bytes() for path in sorted(tmp_path.glob("*.spool"))] == [b"fits"]
    disk.room = None
    files.append(b"fits again")
    assert [path.read_bytes() for path in sorted(tmp_path.glob("*.spool"))] == [b"fits", b"fits again"]
    files.close()


def test_a_segment_that_has_grown_past_what_was_read_is_not_removed(tmp_path: Path) -> None:
    files = SegmentFiles(tmp_path, 100)
    segment, end = files.append(b"one")
    files.append(b"two")
    assert not files.remove(segment, end)
    assert files.remove(segment, end + 3)
    assert list(tmp_path.glob("*.spool")) == []
    newer, _ = files.append(b"three")
    assert newer is not segment
    files.close()
