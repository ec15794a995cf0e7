"""Rows of a mailing, each with its links: CSV with a heading, or JSON lines, in and out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple, TypeAlias

from schemas.errors import InputError
from streams.mailing import MailingLinks

Row: TypeAlias = dict[str, Any]
ROW_CHARACTERS_MAX = 1_000_000
_URL_FIELD = "url_"


class Wanted(NamedTuple):
    """The links that every row gets."""

    campaign: str
    urls: Mapping[str, str]
    trap: str | None
    purpose: str | None
    expires_at_ms: int | None
    open_consent: str | None
    """The field that says whether the contact may be told apart by its opens; None: it may."""


class RowFormat(NamedTuple):
    """How rows are read, with the number of the line in which each ends, and written."""

    read: Callable[[BinaryIO], Iterator[tuple[int, Row]]]
    write: Callable[[Iterable[Row]], Iterator[str]]


def link_rows(source: BinaryIO, rows: RowFormat, links: MailingLinks, wanted: Wanted) -> Iterator[str]:
    """Lines of text, one for each row, and for a heading. Raises `InputError` with the line at the first bad row."""

    def linked() -> Iterator[Row]:
        for number, row in rows.read(source):
            try:
                yield row | _links_of(row, links, wanted)
            except InputError as error:
                raise InputError(f"line {number}: {error}") from None

    return rows.write(linked())


def _links_of(row: Row, links: MailingLinks, wanted: Wanted) -> Row:
    contact = row.get("contact")
    if not isinstance(contact, str):
        raise InputError(f"contact: expected a string, found {type(contact).__name__}")
    own = {name.removeprefix(_URL_FIELD): url for name, url in row.items() if name.startswith(_URL_FIELD)}
    identified = wanted.open_consent is None or _truth(row, wanted.open_consent)
    pixel = links.pixel(contact, wanted.campaign, expires_at_ms=wanted.expires_at_ms, identified=identified)
    found: Row = {"open_url": pixel}
    for name in {**wanted.urls, **own}:
        url = own.get(name) or wanted.urls.get(name)
        if not url:  # the column is there, and this row has nothing in it
            found[f"click_url_{name}"] = own[name]
            continue
        if not isinstance(url, str):
            raise InputError(f"{_URL_FIELD}{name}: expected a string, found {type(url).__name__}")
        try:
            linked = links.click(contact, wanted.campaign, url, expires_at_ms=wanted.expires_at_ms)
        except InputError as error:
            raise InputError(f"{_URL_FIELD}{name}: {error}") from None
        found[f"click_url_{name}"] = linked
    if wanted.trap is not None:
        found["trap_url"] = links.trap(contact, wanted.campaign, wanted.trap, expires_at_ms=wanted.expires_at_ms)
    unsubscribe = links.unsubscribe(contact, wanted.campaign, purpose=wanted.purpose)
    found["unsubscribe_url"] = unsubscribe.url
    for name, value in unsubscribe.headers.items():
        found[name.lower().replace("-", "_")] = value
    return found


def _truth(row: Row, name: str) -> bool:
    value = row.get(name, ...)
    told = value.strip().lower() if isinstance(value, str) else value
    if told in ("true", "yes", "1", 1):
        return True
    if told in ("false", "no", "0", "", 0, None):
        return False
    raise InputError(f"{name}: expected true, yes or 1, or false, no, 0 or nothing")


def _read_csv(source: BinaryIO) -> Iterator[tuple[int, Row]]:
    reader = csv.DictReader(io.TextIOWrapper(source, "utf-8-sig", newline=""), restkey="", strict=True)
    try:
        columns = reader.fieldnames or []
        if "contact" not in columns:
            raise InputError(f"line 1: expected a heading with a column `contact`, found {', '.join(columns)[:200]!r}")
        for row in reader:
            if "" in row or None in row.values():
                raise InputError(f"line {reader.line_num}: expected as many fields as the heading has")
            yield reader.line_num, row
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"line {reader.line_num + 1}: expected CSV in UTF-8: {error}") from None


def _write_csv(rows: Iterable[Row]) -> Iterator[str]:
    columns: list[str] = []
    for row in rows:
        if not columns:  # all rows have those of the first
            columns = list(row)
            yield _csv_line(columns)
        yield _csv_line([row[name] for name in columns])


def _csv_line(fields: list[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(fields)
    return line.getvalue()


def json_rows(source: BinaryIO) -> Iterator[tuple[int, Row]]:
    """JSON objects, one a line, each with the number of its line. Raises `InputError`."""
    number = 0
    while line := source.readline(ROW_CHARACTERS_MAX + 1):
        number += 1
        if len(line) > ROW_CHARACTERS_MAX:
            raise InputError(f"line {number}: expected at most {ROW_CHARACTERS_MAX} bytes")
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"line {number}: expected JSON in UTF-8: {error}") from None
        if not isinstance(row, dict):
            raise InputError(f"line {number}: expected a JSON object")
        yield number, row


def _write_jsonl(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False) + "\n"


ROW_FORMATS = {"csv": RowFormat(_read_csv, _write_csv), "jsonl": RowFormat(json_rows, _write_jsonl)}
