"""The first look at a file: contacts in several rows, addresses of two, rejected rows, and the memory it takes."""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InputError, UnavailableError
from streams.importing.seen import Seen
from tests.importing.files import Run, csv_file, jsonl_file, mapping_of
from tests.support.run_directory import CHECKOUT

MAPPING = mapping_of(traits={"phone": {"column": "phone", "kind": "phone"}, "city": "city"})
HEADING = "email,phone,city"


def test_a_contact_in_several_rows_is_reported_with_both_lines_after_normalisation(tmp_path: Path) -> None:
    rows = ["Ann@shop.example,,Paris", "ben@shop.example,,", "ann@SHOP.example,,Lyon", "ANN@shop.example,,"]
    scan = Run(csv_file(tmp_path / "c.csv", HEADING, rows), MAPPING).scan()
    assert (scan.rows, scan.accepted, scan.contacts, scan.duplicates) == (4, 4, 2, 2)
    assert [(each.line, each.first_line) for each in scan.duplicate_rows] == [(4, 2), (5, 2)]


def test_a_number_or_an_address_of_two_contacts_is_reported_and_one_s_own_twice_is_not(tmp_path: Path) -> None:
    rows = ["a@s.example,+33 123456789,", "b@s.example,+33123456789,", "a@s.example,+33123456789,"]
    scan = Run(csv_file(tmp_path / "c.csv", HEADING, rows), MAPPING).scan()
    assert [tuple(each) for each in scan.shared_values] == [("phone", 3, 2)]
    by_id = mapping_of(contact={"column": "id", "kind": "id"}, traits={"email": {"column": "mail", "kind": "email"}})
    rows = ["1,A@s.example", "2,a@S.example"]
    scan = Run(csv_file(tmp_path / "d.csv", "id,mail", rows), by_id).scan()
    assert [tuple(each) for each in scan.shared_values] == [("email", 3, 2)]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), max_size=60))
def test_who_was_seen_is_what_a_plain_dictionary_says(rows: list[tuple[int, int]]) -> None:
    seen = Seen()
    lines: dict[int, list[int]] = {}
    holders: dict[int, tuple[int, int]] = {}
    for number, (contact, phone) in enumerate(rows, start=1):
        before = seen.contact(f"c{contact}", number, number * 2)
        assert (None if before is None else before.first_line) == (lines[contact][0] * 2 if contact in lines else None)
        lines.setdefault(contact, []).append(number)
        holder, line = holders.setdefault(phone, (contact, number))
        expected = None if holder == contact else line
        assert seen.shared("phone", str(phone), f"c{contact}", number) == expected
    for contact, numbers in lines.items():
        assert seen.places(f"c{contact}")[::2] == (numbers[0], numbers[-1])
    seen.close()


def test_columns_that_become_nothing_are_named_unless_the_mapping_ignores_them(tmp_path: Path) -> None:
    mapping = mapping_of(traits={"city": "city"}, ignore=["note"])
    file = csv_file(tmp_path / "c.csv", "email,city,note,age,rejected_line", ["a@s.example,,x,9,7"])
    scan = Run(file, mapping).scan()
    assert (scan.unmapped, scan.never_filled) == (["age"], ["city"])
    lines = jsonl_file(
        tmp_path / "c.jsonl", [{"email": "a@s.example", "city": "P"}, {"email": "b@s.example", "age": 1}]
    )
    scan = Run(lines, mapping).scan()
    assert (scan.unmapped, scan.never_filled) == (["age"], [])


def test_rejected_rows_of_csv_go_to_a_file_that_can_be_mended_and_imported_alone(tmp_path: Path) -> None:
    rows = ['a@,,"Pa""ris, 1"', "b@s.example", "c@s.example,12,", "d@s.example,,"]
    run = Run(csv_file(tmp_path / "c.csv", HEADING, rows), MAPPING)
    scan = run.scan()
    assert scan.rejected == 3
    assert run.rejected == tmp_path / "c.rejected.csv"
    with run.rejected.open(newline="") as file:
        heading, *found = csv.reader(file)
    assert heading == ["rejected_line", "rejected_because", "email", "phone", "city"]
    assert [[line, *cells] for line, _, *cells in found] == [
        ["2", "a@", "", 'Pa"ris, 1'],
        ["3", "b@s.example"],
        ["4", "c@s.example", "12", ""],
    ]
    assert found[2][1] == "phone: expected a phone number that begins with + and the country's code"
    mended = run.rejected.read_text().replace("a@,", "a@s.example,").replace("b@s.example", "b@s.example,,")
    run.rejected.write_text(mended)
    again = Run(run.rejected, MAPPING)
    assert (again.scan().accepted, again.job.file.rejected.name) == (2, "c.rejected.rejected.csv")
    with (tmp_path / "c.rejected.rejected.csv").open(newline="") as file:
        heading, row = csv.reader(file)
    assert (heading[2:], row[0], row[2:]) == (["email", "phone", "city"], "4", ["c@s.example", "12", ""])


def test_rejected_lines_of_json_keep_their_cells_or_their_text(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"email":"a@","n":1}\n{broken\n{"email":"b@s.example"}\n')
    run = Run(path, MAPPING)
    run.scan()
    assert run.rejected is not None
    first, second = map(json.loads, run.rejected.read_text().splitlines())
    assert first == {"rejected_line": 1, "rejected_because": first["rejected_because"], "email": "a@", "n": 1}
    assert (second["rejected_line"], second["rejected_text"]) == (2, "{broken")


def test_a_file_of_rejected_rows_that_somebody_may_be_mending_is_not_written_over(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "c.csv", HEADING, ["a@,,"])
    run = Run(path, MAPPING)
    run.scan()
    Run(path, MAPPING).scan()  # the same again is no loss
    assert run.rejected is not None
    run.rejected.write_text("mine")
    with pytest.raises(InputError, match="expected no such file, or the one that this import would write"):
        Run(path, MAPPING).scan()
    assert run.rejected.read_text() == "mine"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["c.csv", "c.rejected.csv"]


def test_a_file_without_bad_rows_leaves_no_file(tmp_path: Path) -> None:
    run = Run(csv_file(tmp_path / "c.csv", HEADING, ["a@s.example,,"]), MAPPING)
    run.scan()
    assert run.rejected is None
    assert [each.name for each in tmp_path.iterdir()] == ["c.csv"]


def test_samples_show_cells_that_are_spelt_otherwise_afterwards(tmp_path: Path) -> None:
    rows = [f"A{n}@s.example,+33 123456789,Paris" for n in range(9)]
    scan = Run(csv_file(tmp_path / "c.csv", HEADING, rows), MAPPING).scan()
    assert [each.after for each in scan.samples["email"]] == ["a0@s.example", "a1@s.example", "a2@s.example"]
    assert scan.samples["phone"][0] == (2, "phone", "+33 123456789", "+33123456789")
    assert scan.samples["city"] == []


def test_consent_without_a_time_and_a_column_that_is_not_there_are_refused_before_a_row_is_read(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "c.csv", HEADING, ["broken"])
    consents = [{"column": "city", "purpose": "p", "document": "d", "method": "m"}]
    with pytest.raises(InputError, match="expected `occurred_at` in the mapping or --at"):
        Run(path, mapping_of(consents=consents))
    Run(path, mapping_of(consents=consents), at_ms=1)
    with pytest.raises(InputError, match=r"traits\.a\.column: 'cty', did you mean 'city'\?"):
        Run(path, mapping_of(traits={"a": "cty"}))


def test_records_are_counted_by_type_as_the_choice_of_duplicates_has_them(tmp_path: Path) -> None:
    rows = ["a@s.example,yes", "a@s.example,", "b@s.example,no"]
    path = csv_file(tmp_path / "c.csv", "email,news", rows)
    consents = [{"column": "news", "purpose": "p", "document": "d", "method": "m"}]
    counted = {}
    for choice in ("merge", "first", "last"):
        run = Run(path, mapping_of(consents=consents), choice, at_ms=1)
        run.scan()
        counted[choice] = Counter(run.job.records(run.begun))
    assert counted == {
        "merge": Counter(identify=3, consent=2),
        "first": Counter(identify=2, consent=2),
        "last": Counter(identify=2, consent=1),
    }


def _fill(seen: Seen) -> None:
    for number in range(100_000):
        seen.contact(f"c{number}", number, number)


def test_a_temporary_directory_without_room_is_told_and_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.importing.seen.CACHE_KBYTES", 16)
    seen = Seen()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
    try:
        with pytest.raises(UnavailableError, match="no room in the temporary directory to look for duplicates"):
            _fill(seen)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


MEASURED = """
import resource, sys
from pathlib import Path
from tests.importing.files import Run, mapping_of

mapping = mapping_of(traits={"phone": {"column": "phone", "kind": "phone"}, "city": "city"})
few, many = (Path(name) for name in sys.argv[1:])
Run(few, mapping).scan()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert Run(many, mapping).scan().contacts == 100_000
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_hundred_thousand_rows_take_no_more_memory_than_the_hashes_of_their_contacts_may(tmp_path: Path) -> None:
    few, many = (
        csv_file(tmp_path / name, HEADING, [f"c{n}@s.example,+33{100_000_000 + n},{'x' * 20}" for n in range(count)])
        for name, count in (("few.csv", 1_000), ("many.csv", 100_000))
    )
    outcome = subprocess.run(
        [sys.executable, "-c", MEASURED, str(few), str(many)], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    grown_kib = int(outcome.stdout)
    # 60 bytes a contact and as much a number make 12 MiB; texts in a set would take three times as much.
    assert grown_kib < 16_000, f"grew by {grown_kib} KiB"
