"""What a look at a spool's directory from outside tells, while a collector has it and afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import InputError
from streams.ports import Entry
from streams.spool.frames import encode
from streams.spool.segments import SegmentFiles
from streams.spool.survey import filesystem_of, survey

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:5 / /dev rw - devtmpfs udev rw
31 22 0:6 / /mnt/with\\040space rw - xfs /dev/sdb rw
32 22 0:7 / /mnt rw - nfs server:/ rw
33 22 0:8 / /mnt/over rw - tmpfs tmpfs rw
34 22 0:9 / /mnt/over rw - btrfs /dev/sdc rw
"""


def test_a_spool_is_told_as_it_is_and_whether_somebody_has_it(tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    assert survey(directory, 1_000) is None
    files = SegmentFiles(directory, segment_bytes=1)
    first = encode([Entry("c1", b"one")], 1_700)
    files.append(first)
    files.append(encode([Entry("c1", b"two")], 1_800))
    (directory / f"{7:020}.damaged").write_bytes(b"x" * 11)
    (directory / "refused").write_bytes(b"x" * 5)
    (directory / "notes.txt").write_bytes(b"of somebody else")
    found = survey(directory, 1_000)
    assert found is not None
    assert (found.segments, found.bytes, found.bytes_max, found.oldest_ms) == (2, 2 * len(first), 1_000, 1_700)
    assert (found.damaged, found.damaged_bytes, found.refused_bytes) == (1, 11, 5)
    assert (found.writable, found.owned) == (True, True)
    assert found.free_bytes > 0
    files.close()
    after = survey(directory, 1_000)
    assert after is not None
    assert after.owned is False


def test_a_look_takes_nothing_from_a_collector_that_starts(tmp_path: Path) -> None:
    SegmentFiles(tmp_path, 100).close()
    before = sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.iterdir())
    survey(tmp_path, 1_000)
    assert sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.iterdir()) == before
    SegmentFiles(tmp_path, 100).close()


def test_a_file_that_goes_away_amid_the_look_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "refused").write_bytes(b"x" * 5)
    # Like one whose name was read before it went: it has a name, and cannot be looked at.
    (tmp_path / f"{1:020}.spool").symlink_to(tmp_path / "sent")
    found = survey(tmp_path, 1_000)
    assert found is not None
    assert (found.segments, found.refused_bytes) == (0, 5)


def test_an_oldest_file_without_a_whole_frame_says_nothing_of_its_age(tmp_path: Path) -> None:
    (tmp_path / f"{1:020}.spool").write_bytes(b"\0" * 100)
    found = survey(tmp_path, 1_000)
    assert found is not None
    assert (found.segments, found.oldest_ms) == (1, 0)


def test_a_file_in_place_of_the_directory_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"SEGUE_COLLECTOR_SPOOL_DIR: .*file: expected a directory"):
        survey(tmp_path / "file", 1_000)


@pytest.mark.parametrize(
    ("directory", "expected"),
    [
        ("/var/lib/spool", "ext4"),
        ("/dev/shm/spool", "devtmpfs"),
        ("/mnt/with space/spool", "xfs"),
        ("/mnt/without/spool", "nfs"),
        ("/mnt/over", "btrfs"),
    ],
)
def test_the_file_system_is_that_of_the_innermost_and_latest_mount(
    tmp_path: Path, directory: str, expected: str
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert filesystem_of(Path(directory), mounts) == expected


def test_no_file_system_is_told_where_the_system_has_no_table_of_mounts(tmp_path: Path) -> None:
    assert filesystem_of(tmp_path, tmp_path / "none") is None
