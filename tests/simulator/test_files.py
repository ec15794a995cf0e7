"""Files of a simulation: several, compressed, standard input, and outputs that must not destroy them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.cli import segue
from streams.simulation.event_files import open_lines

DEFINITIONS = "version: 1\nsegments: {seen: {when: {performed: {event: page_view, within: 1h}}}}"


def views(hours: range) -> bytes:
    body = {"type": "track", "event": "page_view", "contact_id": "c"}
    own = ({"event_id": f"e{hour}", "occurred_at": f"2026-01-01T{hour:02d}:00:00Z"} for hour in hours)
    return "".join(json.dumps(body | each) + "\n" for each in own).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "d.yaml").write_text(DEFINITIONS)
    (tmp_path / "all.jsonl").write_bytes(views(range(0, 20, 2)))
    (tmp_path / "first.jsonl.gz").write_bytes(gzip.compress(views(range(0, 10, 2))))
    (tmp_path / "second.jsonl").write_bytes(views(range(10, 20, 2)))
    return tmp_path


def run(folder: Path, *arguments: str, stdin: bytes | None = None) -> Result:
    places = [str(folder / each) if not each.startswith("-") else each for each in arguments]
    return CliRunner().invoke(segue, ["simulate", str(folder / "d.yaml"), *places], input=stdin)


def test_files_are_read_one_after_another_plain_and_compressed_alike(folder: Path) -> None:
    whole = run(folder, "all.jsonl")
    assert len(whole.stdout.splitlines()) == 19
    assert run(folder, "first.jsonl.gz", "second.jsonl").stdout == whole.stdout
    assert run(folder, "first.jsonl.gz", "-", stdin=views(range(10, 20, 2))).stdout == whole.stdout


def test_bad_lines_are_numbered_in_their_own_file(folder: Path) -> None:
    (folder / "second.jsonl").write_bytes(b"\n{}\n")
    assert f"{folder / 'second.jsonl'}:2: type: expected" in run(folder, "first.jsonl.gz", "second.jsonl").stderr


def test_what_is_written_compressed_is_the_same_when_read_and_the_same_bytes_each_time(folder: Path) -> None:
    plain = run(folder, "all.jsonl").stdout.encode()
    packed = []
    for name in ("a.jsonl.gz", "b.JSONL.GZ"):
        assert run(folder, "all.jsonl", "--out", name).exit_code == 0
        packed.append((folder / name).read_bytes())
    assert gzip.decompress(packed[0]) == plain
    assert packed[0] == packed[1]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"not compressed at all", "Not a gzipped file"),
        (gzip.compress(views(range(20)))[:-12], "ended before"),
        (gzip.compress(views(range(20)))[:60] + b"\xff" * 60, ""),
    ],
)
def test_compressed_files_that_are_broken_or_cut_off_are_an_error_with_their_name(
    folder: Path, content: bytes, why: str
) -> None:
    (folder / "bad.jsonl.gz").write_bytes(content)
    result = run(folder, "bad.jsonl.gz")
    assert result.exception is not None
    assert "bad.jsonl.gz: expected whole gzip data, as the suffix says" in str(result.exception)
    assert why in str(result.exception)


def test_how_much_was_read_is_told_in_compressed_bytes(folder: Path) -> None:
    path = folder / "large.jsonl.gz"
    path.write_bytes(gzip.compress(views(range(24)) * 50_000))
    with open_lines(path) as file:
        assert file.size_bytes == path.stat().st_size
        lines, seen = iter(file), []
        for number, _ in enumerate(lines):
            if number % 200_000 == 0:
                seen.append(file.read_bytes)
        assert seen == sorted(set(seen))
        assert file.read_bytes == file.size_bytes


def test_a_line_that_is_too_long_is_a_bad_line_and_no_more_of_it_is_kept(folder: Path) -> None:
    (folder / "second.jsonl").write_bytes(b'{"type": "' + b"x" * 3_000_000 + b'"}\n' + views(range(1)))
    result = run(folder, "second.jsonl")
    assert "second.jsonl:1: expected at most 1000000 bytes in a line" in result.stderr
    assert len(result.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("all.jsonl", "--out", "all.jsonl"), "all.jsonl"),
        (("first.jsonl.gz", "second.jsonl", "--html", "second.jsonl"), "second.jsonl"),
        (("all.jsonl", "--out", "new", "--html", "new"), "new"),
    ],
)
def test_an_output_never_takes_the_place_of_what_is_read_or_of_another_output(
    folder: Path, arguments: tuple[str, ...], named: str
) -> None:
    before = (folder / named).read_bytes() if (folder / named).exists() else None
    result = run(folder, *arguments)
    assert f"{named}: expected a file of its own to write to" in str(result.exception)
    assert before is None or (folder / named).read_bytes() == before


@pytest.mark.parametrize("option", ["--out", "--html"])
def test_a_place_that_cannot_be_written_to_is_told_before_anything_runs(folder: Path, option: str) -> None:
    result = run(folder, "all.jsonl", option, "missing/file")
    assert "missing/file: expected a file that can be written: No such file or directory" in str(result.exception)
    assert result.stdout == ""


def test_an_explanation_reads_all_files_too(folder: Path) -> None:
    names = [str(folder / name) for name in ("d.yaml", "first.jsonl.gz", "second.jsonl")]
    asked = ["--explain", "c@2026-01-01T12:30:00Z", "--json"]
    explained = CliRunner().invoke(segue, ["simulate", *names, *asked])
    assert json.loads(explained.stdout)["segments"][0]["member"] is True


def test_an_input_that_cannot_be_read_leaves_the_output_as_it_was(folder: Path) -> None:
    (folder / "out.jsonl").write_text("precious")
    result = run(folder, "absent.jsonl", "--out", "out.jsonl")
    assert "absent.jsonl: expected a file that can be read" in str(result.exception)
    assert (folder / "out.jsonl").read_text() == "precious"


def test_a_mark_of_byte_order_before_the_first_record_is_passed_over(folder: Path) -> None:
    (folder / "marked.jsonl").write_bytes(b"\xef\xbb\xbf" + views(range(0, 20, 2)))
    assert run(folder, "marked.jsonl").stdout == run(folder, "all.jsonl").stdout


def test_an_explanation_stands_alone(folder: Path) -> None:
    result = run(folder, "all.jsonl", "--explain", "c@2026-01-01T02:00:00Z", "--strict")
    assert (result.exit_code, "--explain stands without" in result.stderr) == (2, True)
