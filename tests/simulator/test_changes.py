"""`segue simulate` over records that bring other definitions: files, standard input, partitions, reports, bad lines."""

from __future__ import annotations

import errno
import gzip
import io
import json
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, note

from schemas.errors import InputError
from schemas.instants import format_instant
from schemas.records import definitions_hash
from schemas.topics import partition_of
from streams.cli import segue
from streams.cli.watching import Shown
from streams.segmentation import compile_definitions
from streams.simulation.record_lines import LINE_BYTES_MAX
from streams.simulation.rereading import Rereading
from streams.simulation.simulator import BadLine, Simulator
from tests.oracle.changing import simulated
from tests.oracle.drawn_changes import changing_cases, definitions_record
from tests.oracle.drawn_records import START_MS, Case
from tests.oracle.driving import Row, row_of_change, row_of_transition
from tests.oracle.fuzzing import SEED, fuzzed
from tests.oracle.timeline import Change, Oracle
from tests.simulator.drawn import EVERYTHING
from tests.simulator.test_partitions import A, B, in_one_order

HOUR = 3_600_000


def seen(within: str, name: str = "seen", **more: Any) -> dict[str, Any]:
    """Definitions of one segment: who has viewed a page lately."""
    return {
        "version": 1,
        "segments": {name: {"when": {"performed": {"event": "page_view", "within": within}}, **more}},
    }


def view(at_ms: int, contact: str = "c") -> dict[str, Any]:
    return {
        "type": "track",
        "event": "page_view",
        "event_id": f"e{at_ms}",
        "contact_id": contact,
        "occurred_at": format_instant(START_MS + at_ms),
    }


def becomes(data: dict[str, Any], at_ms: int) -> dict[str, Any]:
    return definitions_record(data, START_MS + at_ms)


def written(bodies: Iterable[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(body) + "\n" for body in bodies).encode()


RECORDS = [
    view(0),
    view(0, "d"),
    becomes(seen("3h"), 2 * HOUR),
    view(4 * HOUR),
    becomes(seen("3h", "other"), 5 * HOUR),
]
MOVES = [
    ("c", "+seen", 1, 0),
    ("d", "+seen", 1, 0),
    ("c", "-seen", 2, 1),
    ("d", "-seen", 2, 1),
    ("c", "+seen", 3, 2),
    ("d", "+seen", 3, 2),
    ("c", "-seen", 4, 3),
    ("d", "-seen", 4, 3),
    ("c", "+seen", 5, 4),
    ("c", "-seen", 6, 5),
    ("c", "+other", 1, 5),
]
"""Contact, segment, sequence and hours."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "d.yaml").write_text(json.dumps(seen("1h")))
    (tmp_path / "all.jsonl").write_bytes(written(RECORDS))
    return tmp_path


def run(folder: Path, *arguments: str, stdin: bytes | None = None) -> Result:
    places = [str(folder / each) if "." in each else each for each in arguments]
    return CliRunner().invoke(segue, ["simulate", str(folder / "d.yaml"), *places], input=stdin)


def moves(output: str) -> list[tuple[str, str, int, int]]:
    found = []
    for move in map(json.loads, output.splitlines()):
        sign = "+" if move["type"] == "segment.entered" else "-"
        hour = int(move["effective_at"][11:13])
        found.append((move["contact_id"], sign + move["segment"], move["sequence"], hour))
    return found


def test_definitions_change_where_a_record_says_so(folder: Path) -> None:
    result = run(folder, "all.jsonl")
    assert moves(result.stdout) == MOVES
    assert result.stderr == ""


def test_what_comes_but_once_is_read_again_from_a_copy_and_files_from_themselves(folder: Path) -> None:
    whole = run(folder, "all.jsonl").stdout
    (folder / "first.jsonl.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + written(RECORDS[:2])))
    (folder / "third.jsonl").write_bytes(written(RECORDS[4:]).rstrip())
    assert run(folder, "-", stdin=written(RECORDS)).stdout == whole
    assert run(folder, "-", stdin=written(RECORDS).rstrip()).stdout == whole
    assert run(folder, "first.jsonl.gz", "-", "third.jsonl", stdin=written(RECORDS[2:4]).rstrip()).stdout == whole


def test_lines_that_are_no_records_are_passed_over_at_every_reading_and_count_as_lines(folder: Path) -> None:
    long, tail = b"x" * (LINE_BYTES_MAX + 7) + b"\n", written(RECORDS[1:])
    result = run(folder, "-", "--strict", stdin=written(RECORDS[:1]) + b"\n" + tail)
    assert moves(result.stdout) == MOVES
    result = run(folder, "-", stdin=long + written(RECORDS[:1]) + b"{}\n\n" + tail)
    assert moves(result.stdout) == MOVES
    assert [json.loads(line)["cause"]["position"] for line in result.stdout.splitlines()[4:6]] == ["tracking-0@5"] * 2
    assert "-:1: expected at most 1000000 bytes" in result.stderr
    assert "-:3: type: expected one of" in result.stderr


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"received_at": None}, "received_at: expected it on a record of type definitions"),
        ({"hash": "0" * 64}, "hash: expected the SHA-256 of `definitions`"),
        ({"hash": "none"}, "hash: expected "),
        ({"definitions": "{}"}, "hash: expected the SHA-256 of `definitions`"),
        ({"number": 0}, "number: expected "),
    ],
)
def test_definitions_that_cannot_hold_are_a_bad_line_that_moves_nothing(
    folder: Path, change: dict[str, Any], reason: str
) -> None:
    bad = becomes(seen("3h"), 90 * HOUR) | change
    (folder / "bad.jsonl").write_bytes(written([RECORDS[0], bad, *RECORDS[1:]]))
    result = run(folder, "bad.jsonl")
    assert moves(result.stdout) == MOVES
    assert f"bad.jsonl:2: {reason}" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert run(folder, "bad.jsonl", "--strict").exit_code == 1


def test_a_text_that_does_not_parse_is_a_bad_line_with_all_that_is_wrong(folder: Path) -> None:
    record = becomes(seen("3h"), HOUR)
    for text in ("no JSON", '{"segments":{"a":{"when":{"listed":"vip"}},"b":{"when":{"known_for":"7"}}},"version":1}'):
        body = record | {"definitions": text, "hash": definitions_hash(text)}
        result = run(folder, "-", stdin=written([body, view(0)]))
        assert moves(result.stdout) == [("c", "+seen", 1, 0)]
        assert result.stderr.startswith("-:1: ")
        assert len(result.stderr.splitlines()) == 1
    assert "segments.a.when.listed: " in result.stderr
    assert "; segments.b.when.known_for: " in result.stderr


def test_in_a_simulation_without_a_history_definitions_are_a_bad_line() -> None:
    simulator = Simulator(compile_definitions(seen("1h")))
    assert list(simulator.feed([json.dumps(RECORDS[2]).encode()])) == [
        BadLine(1, "expected no definitions among events: `segue apply` writes them")
    ]


def test_of_several_partitions_each_has_its_own_history_clock_and_offsets_and_contacts_come_in_one_order() -> None:
    first, second = (A, B) if A.encode() > B.encode() else (B, A)
    bodies = [
        view(0, first),
        view(1, second),
        view(20 * HOUR, first),
        becomes(seen("30h"), 2 * HOUR),
        view(3 * HOUR, second),
    ]
    _, found = simulated(Case(seen("1h"), bodies, None), partitions=2)
    assert [(each.contact_id, each.sequence, each.detected_at - START_MS, each.cause.position) for each in found] == [
        (first, 1, 0, f"tracking-{partition_of(first, 2)}@1"),
        (second, 1, 1, f"tracking-{partition_of(second, 2)}@1"),
        (first, 2, 20 * HOUR, f"tracking-{partition_of(first, 2)}@2"),
        (first, 3, 20 * HOUR, f"tracking-{partition_of(first, 2)}@2"),
        (second, 2, 2 * HOUR, f"tracking-{partition_of(second, 2)}@2"),
        (second, 3, 2 * HOUR, f"tracking-{partition_of(second, 2)}@2"),
    ]
    later = [*bodies[:3], becomes(seen("30h", "other"), 2 * HOUR)]
    _, found = simulated(Case(seen("1h"), later, None), partitions=2)
    assert [(each.contact_id, each.segment, each.effective_at - START_MS) for each in found[4:]] == [
        (second, "seen", HOUR + 1),
        (second, "other", 2 * HOUR),
        (first, "seen", 20 * HOUR),
        (first, "other", 20 * HOUR),
    ]


def live_rule(case: Case, partitions: int) -> list[Row]:
    """What the brute force finds in each partition alone, put in the order of the records' lines."""
    oracles = [Oracle(case.file, partition) for partition in range(partitions)]
    offsets, rows = [1] * partitions, list[Row]()
    for body in [*case.bodies, *([] if case.until is None else [tick(case.until)])]:
        contact_id = body.get("contact_id")
        touched = range(partitions) if contact_id is None else [partition_of(contact_id, partitions)]
        before = [len(oracle.changes) for oracle in oracles]
        for partition in touched:
            oracles[partition].take(body, offsets[partition])
            offsets[partition] += 1
        new = [change for oracle, start in zip(oracles, before, strict=True) for change in oracle.changes[start:]]
        rows += map(row_of_change, new if contact_id is not None else timers_first(new))
    return rows


def tick(at_ms: int) -> dict[str, str]:
    return {"type": "tick", "received_at": format_instant(at_ms)}


def timers_first(changes: list[Change]) -> list[Change]:
    timers = [change for change in changes if change.cause["kind"] == "timer"]
    others = [change for change in changes if change.cause["kind"] != "timer"]
    return in_one_order(timers) + sorted(others, key=lambda change: change.contact_id.encode())


@fuzzed(0.03)
@given(case=changing_cases(EVERYTHING, max_records=10))
def test_definitions_change_in_every_partition_as_if_it_were_alone(case: Case) -> None:
    note(f"SEGUE_FUZZ_SEED={SEED}")
    _, found = simulated(case, partitions=3, contacts_decoded_max=2)
    assert [row_of_transition(each) for each in found] == live_rule(case, 3)


def test_the_tally_counts_changes_and_who_exists_under_what_holds() -> None:
    short, long = ({**seen("9h"), "deduplicate": each} for each in ("1s", "1d"))
    erased = {"type": "erase", "event_id": "x", "contact_id": "c", "occurred_at": format_instant(START_MS + 1)}
    late = view(1) | {"received_at": format_instant(START_MS + HOUR)}
    bodies = [view(0), erased, late, view(HOUR, "d"), becomes(long, 2 * HOUR), becomes(long, 3 * HOUR)]
    simulator, _ = simulated(Case(short, bodies[:4], None))
    assert simulator.tally.contacts == 2
    simulator, found = simulated(Case(short, bodies, None))
    tally = simulator.tally
    assert (tally.contacts, tally.changes, tally.ticks, tally.transitions) == (1, 1, 1, len(found))
    assert {name: count for name, count in tally.outcomes.items() if count} == {"applied": 4}, (
        "as it was when they came"
    )
    assert [each.hash for each in simulator.held] == [compile_definitions(each).hash for each in (short, long)]
    assert simulator.contact("c") is None


def test_a_report_has_all_segments_that_ever_were(folder: Path) -> None:
    scored = {"scores": {"heat": {"points": [{"event": "page_view", "points": 5}]}}}
    last = {**seen("3h", "other", description="The last one."), **scored}
    (folder / "scored.jsonl").write_bytes(written([*RECORDS[:4], becomes(last, 5 * HOUR)]))
    result = run(folder, "scored.jsonl", "--report", "--html", "r.html", "--out", "o.jsonl")
    assert result.exit_code == 0, result.output
    page = (folder / "r.html").read_text()
    assert page.index(">other<") < page.index(">seen<")
    assert "The last one." in page
    assert "changes of definitions" in page
    assert "heat" in page
    assert "other" in result.stderr
    assert "seen" in result.stderr


def explained(folder: Path, contact: str, hour: int, segment: str) -> tuple[bool, int, int, str]:
    """Whether the contact is a member, its sequence, the hour since when, and by what kind of step."""
    bodies = (folder / "all.jsonl").read_bytes()
    asked = ["--explain", f"{contact}@{format_instant(START_MS + hour * HOUR)}", "--segment", segment, "--json"]
    outputs = set()
    for events in (str(folder / "all.jsonl"), "-"):
        result = CliRunner().invoke(segue, ["simulate", str(folder / "d.yaml"), events, *asked], input=bodies)
        assert result.exit_code == 0, result.output
        outputs.add(result.stdout)
    (told,) = json.loads(outputs.pop())["segments"]
    assert not outputs
    since = told["since"]
    return told["member"], told["sequence"], int(since["at"][11:13]), since["cause"]["kind"]


def test_an_explanation_is_told_under_the_definitions_that_hold_then(folder: Path) -> None:
    assert explained(folder, "d", 1, "seen") == (False, 2, 1, "timer")
    assert explained(folder, "d", 2, "seen") == (True, 3, 0, "definition"), "it came in by the change, since its view"
    assert explained(folder, "d", 4, "seen") == (False, 4, 3, "timer")
    assert explained(folder, "c", 4, "seen") == (True, 5, 4, "event")
    assert explained(folder, "c", 6, "other") == (True, 1, 4, "definition")
    gone = ["--explain", "c@2026-03-01T06:00:00Z", "--segment", "seen"]
    result = CliRunner().invoke(segue, ["simulate", str(folder / "d.yaml"), str(folder / "all.jsonl"), *gone])
    assert "there is no segment seen" in str(result.exception)


def test_an_explanation_says_since_when_a_contact_stays_or_is_out_by_a_change(folder: Path) -> None:
    bodies = [view(0), view(2 * HOUR), becomes(seen("5h"), 2 * HOUR), becomes(seen("1h"), 4 * HOUR)]
    (folder / "all.jsonl").write_bytes(written(bodies))
    assert explained(folder, "c", 2, "seen") == (True, 3, 2, "event"), "though under the new ones it was in since 0"
    assert explained(folder, "c", 4, "seen") == (False, 4, 4, "definition")


class _Full(io.BytesIO):
    """A file on a disk without room."""

    name = "full"

    def write(self, _data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_without_room_for_a_copy_only_a_run_whose_definitions_change_has_to_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.NamedTemporaryFile", lambda **_options: _Full())
    result = run(folder, "-", stdin=written(RECORDS[:2]))
    assert (result.exit_code, len(moves(result.stdout))) == (0, 2)
    result = run(folder, "-", stdin=written(RECORDS))
    assert isinstance(result.exception, InputError)
    assert "-: expected a file: definitions change" in str(result.exception)
    assert "No space left on device" in str(result.exception)
    assert run(folder, "all.jsonl").exit_code == 0


def test_a_copy_is_gone_with_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ExitStack() as stack:
        history = Rereading(stack)
        assert list(history.passing(Path("-"), [b"a\n", b"b"])) == [b"a\n", b"b"]
        assert list(history(1)) == [b"a\n"]
        assert list(history(2)) == [b"a\n", b"b\n"]
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_bar_says_that_lines_are_read_again() -> None:
    said: list[str] = []
    shown = Shown(lambda _text: None, lambda _bytes, _lines: None, said.append)
    assert list(shown.again((b"%d" % number for number in range(2_001)), 2_001))[-1] == b"2000"
    assert said == [", 0 % read again", ", 99 % read again", ""]
