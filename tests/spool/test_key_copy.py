"""A copy of keys on disk: whole, or none."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from schemas.errors import InputError
from streams.spool import key_copy
from streams.spool.key_copy import KeyCopy, read_key_copy, write_key_copy
from streams.spool.segments import SegmentFiles
from streams.spool.survey import survey
from tests.spool.disks import FailingDisk

COPY = KeyCopy("shop.keys", 42, 1_795_255_200_000, {b"k_aaaaaaaa": b'{"id": "k_aaaaaaaa"}', b"k_bbbbbbbb": b"{\n}"})


def test_a_copy_is_read_as_it_was_written_and_lies_where_only_its_owner_reads_it(tmp_path: Path) -> None:
    assert read_key_copy(tmp_path) is None
    write_key_copy(tmp_path, COPY)
    assert read_key_copy(tmp_path) == COPY
    write_key_copy(tmp_path, COPY._replace(offset=43, values={}))
    assert read_key_copy(tmp_path) == COPY._replace(offset=43, values={})
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_copy_that_is_cut_anywhere_is_none(tmp_path: Path) -> None:
    write_key_copy(tmp_path, COPY)
    whole = (tmp_path / "keys").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "keys").write_bytes(whole[:length])
        with pytest.raises(InputError, match="keys: is "):
            read_key_copy(tmp_path)


def test_a_copy_of_which_any_bit_changed_is_none(tmp_path: Path) -> None:
    write_key_copy(tmp_path, COPY)
    whole = (tmp_path / "keys").read_bytes()
    for place in range(len(whole)):
        (tmp_path / "keys").write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(InputError):
            read_key_copy(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no copy of keys"),
        (b"\0" * 4_096, "is no copy of keys"),
        (b"k_aaaaaaaa: {}\n", "is no copy of keys"),
        (b"segue keys 2 0123\n{}", "was written by another version of Segue"),
        (b"segue keys 1 " + key_copy._checksum(b"[]") + b"\n[]", "Expected `object`"),
        (b"segue keys 1 " + key_copy._checksum(b"{}") + b"\n{}", "missing required field"),
    ],
    ids=["empty", "zeros", "foreign", "newer", "no object", "fields missing"],
)
def test_what_is_no_copy_of_this_version_is_told_from_one_that_is_damaged(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "keys").write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_key_copy(tmp_path)


@pytest.mark.parametrize("error", [errno.EACCES, errno.EIO])
def test_a_copy_that_the_system_does_not_give_is_told_with_the_reason(tmp_path: Path, error: int) -> None:
    write_key_copy(tmp_path, COPY)
    disk = FailingDisk()
    disk.read_error, disk.unreadable = error, range(1)
    with pytest.raises(InputError, match=r"keys: cannot be read: (Permission denied|Input/output error)"):
        read_key_copy(tmp_path, disk)


def test_a_directory_in_its_place_is_told_and_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    with pytest.raises(InputError, match="Is a directory"):
        read_key_copy(tmp_path)
    with pytest.raises(IsADirectoryError):
        write_key_copy(tmp_path, COPY)
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


@pytest.mark.parametrize("room", [0, 1, 30])
def test_a_disk_that_is_full_leaves_the_earlier_copy_and_nothing_else(tmp_path: Path, room: int) -> None:
    write_key_copy(tmp_path, COPY)
    disk = FailingDisk()
    disk.room = room
    with pytest.raises(OSError, match="No space left"):
        write_key_copy(tmp_path, COPY._replace(offset=43), disk)
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]
    assert read_key_copy(tmp_path) == COPY


def test_what_was_not_synced_does_not_take_the_place_of_what_was(tmp_path: Path) -> None:
    write_key_copy(tmp_path, COPY)
    disk = FailingDisk()
    disk.sync_error = errno.EIO
    with pytest.raises(OSError, match="Input/output error"):
        write_key_copy(tmp_path, COPY._replace(offset=43), disk)
    assert read_key_copy(tmp_path) == COPY


def test_what_a_process_left_that_died_amid_writing_is_no_copy_and_in_nobody_s_way(tmp_path: Path) -> None:
    write_key_copy(tmp_path, COPY)
    (tmp_path / "keys.new").write_bytes(b"segue ke")
    assert read_key_copy(tmp_path) == COPY
    write_key_copy(tmp_path, COPY._replace(offset=43))
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


def test_more_than_a_copy_may_hold_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="File too large"):
        write_key_copy(tmp_path, COPY._replace(values={b"k_aaaaaaaa": b"x" * key_copy._BYTES_MAX}))
    assert list(tmp_path.iterdir()) == []


def test_a_look_from_outside_tells_the_copy_and_the_spool_takes_it_for_nothing_of_its_own(tmp_path: Path) -> None:
    write_key_copy(tmp_path, COPY)
    files = SegmentFiles(tmp_path, 100)
    assert files.found == []
    files.close()
    found = survey(tmp_path, 1_000)
    assert found is not None
    assert (found.keys, found.keys_problem, found.segments, found.bytes) == (COPY, "", 0, 0)
    (tmp_path / "keys").write_bytes(b"")
    spoilt = survey(tmp_path, 1_000)
    assert spoilt is not None
    assert spoilt.keys is None
    assert "is no copy of keys" in spoilt.keys_problem
