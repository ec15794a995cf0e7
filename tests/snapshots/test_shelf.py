"""Snapshots as files: there whole or not at all, and refused in one sentence when something is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.errors import InputError
from schemas.instants import parse_instant
from streams.snapshots.manifest import MANIFEST_FORMAT, make_manifest, read_manifest
from streams.snapshots.shelf import Shelf, Snapshot, check_files, describe_file, find_snapshot
from tests.snapshots.points import point

NOON_MS = parse_instant("2026-03-01T12:00:00Z")


def put(shelf: Shelf, made_at_ms: int, content: bytes = b"REDIS0009 whole") -> Snapshot:
    """Make a snapshot of `content`."""
    name = shelf.name_at(made_at_ms)
    with shelf.writing():
        partial = shelf.partial(name)
        partial.write_bytes(content)
        file = describe_file(partial, f"{name}.rdb")
        manifest = make_manifest("shop", made_at_ms, "6.2.14", [file], {0: point(), 1: point(1, offset=7)})
        return shelf.keep(name, manifest)


def test_a_snapshot_is_found_as_it_was_kept(tmp_path: Path) -> None:
    kept = put(Shelf(tmp_path / "new" / "place", "shop"), NOON_MS)
    found = find_snapshot(tmp_path / "new" / "place", "shop")
    check_files(found, "shop")
    assert found == kept
    assert found.manifest is not None
    assert found.manifest.made_at == "2026-03-01T12:00:00.000Z"
    assert {number: entry.offset for number, entry in found.manifest.partitions.items()} == {0: 100, 1: 7}


def test_only_their_owner_may_read_snapshots(tmp_path: Path) -> None:
    kept = put(Shelf(tmp_path / "place", "shop"), NOON_MS)
    assert (tmp_path / "place").stat().st_mode & 0o077 == 0
    assert kept.files[0].with_suffix(".json").stat().st_mode & 0o077 == 0


def test_the_newest_is_taken_and_the_oldest_go_and_those_of_others_stay(tmp_path: Path) -> None:
    shelf, other, bare = Shelf(tmp_path, "shop"), Shelf(tmp_path, "shop-two"), Shelf(tmp_path, "")
    put(other, NOON_MS + 60_000)
    put(bare, NOON_MS + 60_000)
    kept = [put(shelf, NOON_MS + hour * 3_600_000) for hour in (3, 1, 2, 0)]
    assert find_snapshot(tmp_path, "shop") == kept[0]
    assert shelf.drop_oldest(3) == [kept[3].name]
    assert shelf.drop_oldest(2) == [kept[1].name]
    assert shelf.names() == sorted([kept[2].name, kept[0].name])
    assert not kept[3].files[0].exists()
    assert (len(other.names()), len(bare.names())) == (1, 1)


def test_what_was_left_half_written_is_removed_and_is_no_snapshot(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "shop")
    shelf.partial("segue-shop-20260301T110000000Z").write_bytes(b"REDIS0009 ha")
    with pytest.raises(InputError, match="no snapshot called segue-shop-… lies there"):
        find_snapshot(tmp_path, "shop")
    put(shelf, NOON_MS)
    assert sorted(path.suffix for path in tmp_path.iterdir() if path.name.startswith("segue")) == [".json", ".rdb"]
    assert not list(tmp_path.glob("*.partial")) + list(tmp_path.glob(".*.partial"))


def test_two_do_not_write_into_one_directory(tmp_path: Path) -> None:
    with Shelf(tmp_path, "shop").writing(), pytest.raises(InputError, match="another snapshot is being written"):
        put(Shelf(tmp_path, "shop"), NOON_MS)


@pytest.mark.parametrize("content", [b"REDIS0009 whol", b"REDIS0009 whole!", b"REDIS0009 wholE"])
def test_a_file_that_is_not_as_it_was_is_refused(tmp_path: Path, content: bytes) -> None:
    kept = put(Shelf(tmp_path, "shop"), NOON_MS)
    kept.files[0].write_bytes(content)
    with pytest.raises(InputError, match=r"damaged: .* expected 15 with"):
        check_files(find_snapshot(tmp_path, "shop"), "shop")


def test_a_snapshot_of_another_namespace_is_refused(tmp_path: Path) -> None:
    kept = put(Shelf(tmp_path, "shop"), NOON_MS)
    with pytest.raises(InputError, match="of namespace 'shop', SEGUE_NAMESPACE is 'other'"):
        check_files(find_snapshot(kept.files[0], "other"), "other")


def test_a_dump_beside_its_manifest_is_checked_and_one_without_is_taken_as_it_is(tmp_path: Path) -> None:
    kept = put(Shelf(tmp_path, "shop"), NOON_MS)
    assert find_snapshot(kept.files[0], "shop") == kept
    bare = tmp_path / "dump.rdb"
    bare.write_bytes(b"REDIS0009")
    assert find_snapshot(bare, "shop") == Snapshot("dump", (bare,), None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nothing", "expected the manifest of a snapshot"),
        ("{}", "expected the manifest of a snapshot"),
        ('{"segue_snapshot": "1"}', "expected the manifest of a snapshot"),
        ("[1]", "expected the manifest of a snapshot"),
        ("\xff", "expected the manifest of a snapshot"),
        (json.dumps({"segue_snapshot": MANIFEST_FORMAT + 1, "new": True}), "use a newer version"),
    ],
)
def test_what_is_no_manifest_or_a_newer_one_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "segue-shop-20260301T120000000Z.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=words):
        read_manifest(path)


def test_a_manifest_cannot_lead_out_of_its_directory(tmp_path: Path) -> None:
    kept = put(Shelf(tmp_path, "shop"), NOON_MS)
    path = kept.files[0].with_suffix(".json")
    path.write_text(path.read_text().replace(kept.files[0].name, "../elsewhere.rdb"))
    with pytest.raises(InputError, match="expected files beside the manifest"):
        find_snapshot(path, "shop")


def test_a_place_where_nothing_lies_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a directory of snapshots nor a snapshot"):
        find_snapshot(tmp_path / "absent", "shop")
