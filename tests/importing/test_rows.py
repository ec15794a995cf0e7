"""Rows of files: what was written is what is read, with its line, and what is unreadable is told with its place."""

from __future__ import annotations

import codecs
import csv
import datetime
import io
import json
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from schemas.errors import InputError
from streams.importing.csv_rows import CsvRows
from streams.importing.job import contact_file, row_source
from streams.importing.jsonl_rows import JsonlRows
from streams.importing.parquet_rows import BATCH_ROWS, ParquetRows
from streams.importing.rows import Row, RowSource

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
JSON_CELLS = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=8), st.lists(st.text()))


def rows_of(source: RowSource) -> list[Row]:
    return list(source.rows(lambda _done: None))


def read_csv(path: Path, raw: bytes, encoding: str | None = None, delimiter: str | None = None) -> list[Row]:
    path.write_bytes(raw)
    return rows_of(CsvRows(path, encoding, delimiter))


@given(
    table=st.integers(2, 5).flatmap(
        lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=8)
    ),
    delimiter=st.sampled_from(",;\t"),
    line_end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_what_a_csv_writer_wrote_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]], delimiter: str, line_end: str, encoding: str
) -> None:
    heading = [f"c{place}" for place in range(len(table[0]) if table else 2)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows([heading, *table])
    path = tmp_path_factory.mktemp("csv") / "c.csv"
    rows = read_csv(path, text.getvalue().encode(encoding), encoding if encoding != "utf-8-sig" else None)
    assert [list(row.cells.values()) for row in rows] == table
    assert [row.number for row in rows] == list(range(1, len(table) + 1))


def test_a_row_has_the_line_in_which_it_begins_whatever_stands_in_its_cells(tmp_path: Path) -> None:
    rows = read_csv(tmp_path / "c.csv", b'a,b\r\n"x\ny",1\r\n\r\nz,2\r\n')
    assert [(row.line, row.cells["a"]) for row in rows] == [(2, "x\ny"), (5, "z")]


@pytest.mark.parametrize(("raw", "delimiter"), [(b"a;b,c;d\n", ";"), (b"a\tb\n", "\t"), (b"a,b\n", ","), (b"a\n", ",")])
def test_the_heading_says_what_the_delimiter_is(tmp_path: Path, raw: bytes, delimiter: str) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(raw)
    assert CsvRows(path, None, None).delimiter == delimiter


def test_a_row_with_too_few_or_too_many_fields_is_given_as_a_bad_one_and_the_others_go_on(tmp_path: Path) -> None:
    rows = read_csv(tmp_path / "c.csv", b"a,b\n1\n1,2,3\n4,5\n")
    assert [row.problem for row in rows] == [
        "expected 2 fields, as the heading has, found 1",
        "expected 2 fields, as the heading has, found 3",
        None,
    ]
    assert rows[2].cells == {"a": "4", "b": "5"}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "expected a heading"),
        (b"a,b,a\n", "expected each column once; 'a'"),
        (b"a;b,c\n", "say which by --delimiter"),
        (b'a,b\n1,2\n"3,4\n5,6\n', "line 3: expected CSV: unexpected end of data"),
        (b'a,b\n"1"x,2\n', "line 2: expected CSV: ',' expected after '\"'"),
        (b"a,b\n1,2\n\xe9,3\n", "line 3: expected text in utf-8-sig; give --encoding, like windows-1252 or utf-16"),
    ],
)
def test_a_file_that_is_no_csv_is_refused_with_the_line(tmp_path: Path, raw: bytes, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        read_csv(tmp_path / "c.csv", raw)
    assert said in str(refusal.value)
    assert "c.csv" in str(refusal.value)


def test_an_encoding_can_be_given_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    (row,) = read_csv(tmp_path / "c.csv", "a,b\né,1\n".encode("windows-1252"), "windows-1252")
    assert row.cells["a"] == "é"
    with pytest.raises(InputError, match=r"--encoding: expected an encoding like .*, found 'latin-9000'"):
        read_csv(tmp_path / "c.csv", b"a\n", "latin-9000")


@given(rows=st.lists(st.dictionaries(st.text(max_size=6), JSON_CELLS), max_size=8))
def test_json_lines_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "c.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [row.cells for row in rows_of(JsonlRows(path))] == rows


def test_a_line_that_is_no_object_is_given_as_a_bad_row_with_its_text(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_bytes(codecs.BOM_UTF8 + b'{"a":1}\n\n[1]\n{"a":\n\xff\n' + b'{"a":"' + b"x" * 1_000_001 + b'"}\n{"a":2}')
    rows = rows_of(JsonlRows(path))
    assert [row.line for row in rows] == [1, 3, 4, 5, 6, 7]
    assert [row.problem is None for row in rows] == [True, False, False, False, False, True]
    assert (rows[1].raw, rows[1].problem) == ("[1]", "expected a JSON object")
    assert rows[4].problem == "expected at most 1000000 bytes in a line"


def test_parquet_is_read_with_its_types_over_several_batches(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    moment = datetime.datetime(2026, 11, 21, 10, tzinfo=datetime.UTC)
    count = BATCH_ROWS + 5
    columns: dict[str, Sequence[Any]] = {
        "number": list(range(count)),
        "text": ["é"] * count,
        "moment": [moment] * count,
        "day": [moment.date()] * count,
        "money": [Decimal("1.50")] * count,
        "many": [["a", "b"]] * count,
        "none": [None] * count,
    }
    parquet.write_table(pyarrow.table(columns), path)
    rows = rows_of(ParquetRows(path))
    assert [row.cells["number"] for row in rows] == list(range(count))
    assert rows[-1].cells == {name: values[-1] for name, values in columns.items()}


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    path.write_bytes(b"a,b\n")
    with pytest.raises(InputError, match=r"c\.parquet: expected a Parquet file that can be read"):
        ParquetRows(path)


def test_who_has_no_pyarrow_is_told_which_extra_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match="with its extra `parquet`"):
        ParquetRows(tmp_path / "c.parquet")


def test_the_format_is_that_of_the_name_or_stated(tmp_path: Path) -> None:
    (tmp_path / "c.dat").write_text("a\n")
    with pytest.raises(InputError, match=r"ends in \.csv, \.tsv, \.jsonl or \.parquet, or --format"):
        contact_file(tmp_path / "c.dat", None, None)
    file = contact_file(tmp_path / "c.dat", "jsonl", None)
    with pytest.raises(InputError, match="expected with CSV only"):
        row_source(file, "utf-8", None)
    with pytest.raises(InputError, match="expected a file that can be read"):
        contact_file(tmp_path / "gone.csv", None, None)
