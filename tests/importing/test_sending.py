"""The second look: what goes to the log, at which pace, and how it goes on after any failure."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from schemas.errors import AccessError, InputError, SegueError, UnavailableError
from streams.importing.journal import Journal, Reached, read_journal
from streams.importing.sending import Duplicates
from streams.ports import LogIdentity
from tests.importing.files import NOW_MS, Clock, Run, csv_file, jsonl_file, mapping_of
from tests.load.doubles import MemoryLog

MAPPING = mapping_of(traits={"city": "city", "age": "age"})
HEADING = "email,city,age"
AWAY = UnavailableError("Kafka is away")


def rows(count: int) -> list[str]:
    return [f"c{number}@s.example,city {number},{number}" for number in range(count)]


def written(*logs: MemoryLog) -> list[dict[str, Any]]:
    """All records, as JSON, partition by partition."""
    return [json.loads(record.value) for log in logs for record in log.records]


def states(*logs: MemoryLog) -> dict[str, dict[str, Any]]:
    """What a worker would make of the traits: an id counts once, and the later record wins at the same time."""
    found: dict[str, dict[str, tuple[str, Any]]] = {}
    seen: set[str] = set()
    for record in written(*logs):
        if record["event_id"] not in seen:
            seen.add(record["event_id"])
            traits = found.setdefault(record["contact_id"], {})
            for name, value in record["traits"].items():
                if name not in traits or traits[name][0] <= record["occurred_at"]:
                    traits[name] = (record["occurred_at"], value)
    return {contact: {name: value for name, (_, value) in traits.items()} for contact, traits in found.items()}


def plainly(lines: list[str], duplicates: Duplicates) -> dict[str, dict[str, str]]:
    """The file read naively."""
    found: dict[str, dict[str, str]] = {}
    for line in lines:
        email, city, age = line.split(",")
        cells = {name: value for name, value in (("city", city), ("age", age)) if value}
        if duplicates == "merge":
            found[email] = found.get(email, {}) | cells
        elif duplicates == "last" or email not in found:
            found[email] = cells
    return found


DRAWN = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["", "p", "q"]), st.sampled_from("12")).map(
        lambda cells: "{}@s.example,{},{}".format(*cells)
    ),
    max_size=12,
)


@given(
    lines=DRAWN,
    duplicates=st.sampled_from(["merge", "first", "last"]),
    failures=st.lists(st.integers(0, 5), max_size=4),
)
def test_broken_off_anywhere_and_run_again_the_log_says_what_the_file_says(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], duplicates: Duplicates, failures: list[int]
) -> None:
    path = csv_file(tmp_path_factory.mktemp("import") / "c.csv", HEADING, lines)
    log = MemoryLog()
    for run, after in enumerate(failures):
        log.failure, log.fails_after = AWAY, log.appended + after
        try:
            Run(path, MAPPING, duplicates, now_ms=NOW_MS + run).send(log, patience_s=0)
        except UnavailableError:
            continue
    log.failure = None
    Run(path, MAPPING, duplicates, now_ms=NOW_MS + 99).send(log)
    assert states(log) == plainly(lines, duplicates)
    assert len({record["occurred_at"] for record in written(log)}) <= 1
    ids = [record["event_id"] for record in written(log)]
    assert len(ids) - len(set(ids)) <= 2 * len(failures), "no more than a batch is repeated for each failure"


def test_the_same_import_with_its_journal_lost_has_the_same_ids_and_changes_nothing(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "c.csv", HEADING, rows(5))
    first, second = MemoryLog(), MemoryLog()
    Run(path, MAPPING).send(first)
    (tmp_path / "c.csv.import-journal").unlink()
    Run(path, MAPPING, now_ms=NOW_MS + 1).send(second)
    assert {one["event_id"] for one in written(first)} == {one["event_id"] for one in written(second)}
    assert states(first, second) == states(first)


def test_an_import_that_is_complete_sends_nothing_more(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "c.csv", HEADING, rows(5))
    log = MemoryLog()
    assert Run(path, MAPPING).send(log) == 5
    assert Run(path, MAPPING).send(log) == 0
    assert len(log.records) == 5


def test_another_file_of_the_same_name_is_another_import_once_the_first_is_complete(tmp_path: Path) -> None:
    log = MemoryLog()
    Run(csv_file(tmp_path / "c.csv", HEADING, rows(3)), MAPPING).send(log)
    Run(csv_file(tmp_path / "c.csv", HEADING, rows(4)), MAPPING, now_ms=NOW_MS + 5).send(log)
    assert len({record["event_id"] for record in written(log)}) == 7


def broken_off(path: Path) -> None:
    """An import of ten rows of which four are in the log."""
    csv_file(path, HEADING, rows(10))
    with pytest.raises(UnavailableError):
        Run(path, MAPPING).send(MemoryLog(fails_after=5, failure=AWAY), patience_s=0)
    state = read_journal(path.with_name("c.csv.import-journal"))
    assert state is not None
    assert state.reached == Reached(4)


def test_a_changed_file_mapping_option_or_log_is_refused_while_the_import_is_not_finished(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    broken_off(path)
    others = [
        (Run(path, mapping_of()), "the mapping or an option is another one"),
        (Run(path, MAPPING, "last"), "the mapping or an option is another one"),
        (Run(path, MAPPING, live=True), "the mapping or an option is another one"),
        (Run(path, MAPPING, at_ms=1), "the mapping or an option is another one"),
    ]
    elsewhere = Run(path, MAPPING)
    elsewhere.begun = elsewhere.job.identity(LogIdentity("cluster", "another"), "tracking", NOW_MS)
    others.append((elsewhere, "it went into another log"))
    for run, said in others:
        with pytest.raises(InputError) as refusal:
            run.send(MemoryLog())
        assert said in str(refusal.value)
        assert "4 rows are in the log" in str(refusal.value)
    csv_file(path, HEADING, rows(11))
    with pytest.raises(InputError, match="the file has changed"):
        Run(path, MAPPING).send(MemoryLog())


def test_a_file_that_changes_while_it_is_sent_stops_the_import(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "c.csv", HEADING, rows(10))
    run = Run(path, MAPPING)

    class Changing(MemoryLog):
        def flush(self) -> None:
            csv_file(path, HEADING, rows(9))

    with pytest.raises(InputError, match="expected a file that stays as it is"):
        run.send(Changing())
    state = read_journal(tmp_path / "c.csv.import-journal")
    assert state is not None
    assert state.reached == Reached(0)


def test_while_kafka_is_away_a_batch_is_sent_again_and_nothing_is_made_up_for(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "c.csv", HEADING, rows(6))
    run, good = Run(path, MAPPING), MemoryLog()
    run.send(MemoryLog(fails_after=0, failure=AWAY), MemoryLog(fails_after=1, failure=AWAY), good)
    assert states(good) == plainly(rows(6), "merge")
    assert run.away == ["Kafka is away", "Kafka is away"]


def test_patience_ends_and_what_was_acknowledged_is_noted(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "c.csv", HEADING, rows(6))
    clock = Clock()

    class Slow(MemoryLog):
        def flush(self) -> None:
            clock.now_s += 10
            raise AWAY

    run = Run(path, MAPPING)
    with pytest.raises(UnavailableError):
        run.send(MemoryLog(fails_after=2, failure=AWAY), *(Slow() for _ in range(9)), clock=clock, patience_s=30)
    assert 3 <= len(run.away) <= 4
    state = read_journal(tmp_path / "c.csv.import-journal")
    assert state is not None
    assert state.reached == Reached(2)


@pytest.mark.parametrize("failure", [AccessError("no right"), InputError("too large")])
def test_what_kafka_refuses_for_good_is_not_tried_again(tmp_path: Path, failure: SegueError) -> None:
    run = Run(csv_file(tmp_path / "c.csv", HEADING, rows(6)), MAPPING)
    with pytest.raises(type(failure)):
        run.send(MemoryLog(fails_after=2, failure=failure))
    assert run.away == []


@pytest.mark.parametrize(("rate", "batches"), [(1, 40), (10, 40), (100, 4), (100_000, 1)])
def test_records_go_at_the_rate_that_was_asked_for_in_even_batches(tmp_path: Path, rate: int, batches: int) -> None:
    path = csv_file(tmp_path / "c.csv", HEADING, rows(40))
    clock, log = Clock(), MemoryLog()
    Run(path, MAPPING).send(log, clock=clock, rate=rate)
    assert log.flushes == batches
    last = 40 / batches
    assert clock.slept_s == pytest.approx((40 - last) / rate)


def test_time_lost_is_not_made_up_for_by_a_burst(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "c.csv", HEADING, rows(40))
    clock = Clock()

    class Stalling(MemoryLog):
        def flush(self) -> None:
            if self.flushes == 0:
                clock.now_s += 100
            self.flushes += 1

    Run(path, MAPPING).send(Stalling(), clock=clock, rate=10)
    assert clock.now_s == pytest.approx(100 + 3.8, abs=0.2)


def test_a_journal_whose_last_line_was_cut_short_counts_as_without_it(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    broken_off(path)
    journal = tmp_path / "c.csv.import-journal"
    whole = journal.read_bytes()
    begins = whole.index(b"\n") + 1
    for length in (0, 1, begins - 1, *range(begins, len(whole))):
        journal.write_bytes(whole[:length])
        log = MemoryLog()
        Run(path, MAPPING).send(log)
        missing = 10 - len({record["event_id"] for record in written(log)})
        reached = [
            0,
            *(
                json.loads(line)["rows"]
                for line in whole[begins:length].splitlines(keepends=True)
                if line[-1:] == b"\n"
            ),
        ]
        assert missing == max(reached)
        assert journal.read_bytes().endswith(b'{"rows":10,"finished":true}\n')


@pytest.mark.parametrize("calls", range(4))
def test_a_disk_that_is_full_ends_the_import_and_the_next_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    path, log = csv_file(tmp_path / "c.csv", HEADING, rows(6)), MemoryLog()
    left = calls

    def full(file: int, raw: bytes) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            written_part = os.pwrite(file, raw[:5], os.fstat(file).st_size) if left == -1 else 0
            if written_part:
                return written_part
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, raw)

    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr("streams.importing.journal.os.write", full)
        with pytest.raises(OSError, match="No space left"):
            Run(path, MAPPING).send(log)
    Run(path, MAPPING).send(log)
    assert states(log) == plainly(rows(6), "merge")
    assert len(log.records) <= 6 + 2


@pytest.mark.parametrize("text", ["{}\n", "not json\n", '{"rows": 1}\n'])
def test_a_journal_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "j").write_text(text)
    with pytest.raises(InputError, match="expected a journal of `segue import`"):
        read_journal(tmp_path / "j")


def test_a_journal_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "c.csv", HEADING, rows(1))
    Run(path, MAPPING).send(MemoryLog())
    journal = tmp_path / "c.csv.import-journal"
    journal.write_text(journal.read_text().replace('"version":1', '"version":2', 1))
    with pytest.raises(InputError, match="expected a journal of version 1, found 2"):
        read_journal(journal)


def test_two_processes_do_not_import_the_same_file_at_once(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "c.csv", HEADING, rows(2))
    run = Run(path, MAPPING)
    with Journal(run.file.journal), pytest.raises(InputError, match="another process is at this import"):
        run.send(MemoryLog())


def test_the_same_contacts_are_the_same_whatever_the_format_of_their_file(tmp_path: Path) -> None:
    table = [{"email": f"C{n}@s.example", "city": f" city {n}", "age": n} for n in range(5)]
    parquet.write_table(pyarrow.Table.from_pylist(table), tmp_path / "c.parquet")
    files = [
        csv_file(tmp_path / "c.csv", HEADING, [",".join(map(str, row.values())) for row in table]),
        jsonl_file(tmp_path / "c.jsonl", table),
        tmp_path / "c.parquet",
    ]
    mapping = mapping_of(traits={"city": "city", "age": {"column": "age", "kind": "number"}})
    found = []
    for path in files:
        log = MemoryLog()
        Run(path, mapping).send(log)
        found.append(states(log))
    assert found[0] == {f"c{n}@s.example": {"city": f"city {n}", "age": n} for n in range(5)}
    assert found[1] == found[2] == found[0]


def test_a_live_import_is_not_marked_as_history(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "c.csv", HEADING, rows(2))
    for live in (False, True):
        (tmp_path / "c.csv.import-journal").unlink(missing_ok=True)
        log = MemoryLog()
        Run(path, MAPPING, live=live).send(log)
        assert {record["backfill"] for record in written(log)} == {not live}
