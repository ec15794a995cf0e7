"""Files of static lists: CSV, the contact ids in the first column."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path

from streams.segmentation.lists import MAX_CONTACT_ID, Fault, ListFileError

HEADING = "contact_id"
_MOST_FAULTS = 20


def read_list_file(path: Path) -> tuple[str, ...]:
    """The ids in the first column, under an optional heading `contact_id`; blank lines are passed over.

    Raises `ListFileError` with what was expected, and the line.
    """
    rows = _rows(path)
    if rows and rows[0][1] == HEADING:
        del rows[0]
    faults = [
        Fault(f"expected a contact id of at most {MAX_CONTACT_ID} characters", contact_id, str(path), line, 1)
        for line, contact_id in rows
        if len(contact_id) > MAX_CONTACT_ID
    ]
    if faults:
        raise ListFileError(faults[:_MOST_FAULTS])
    return tuple(contact_id for _, contact_id in rows if contact_id)


def _rows(path: Path) -> list[tuple[int, str]]:
    """The first cell of each row that has one, and the line in which the row begins."""
    rows, line = [], 1
    reader = csv.reader(StringIO(_text(path), newline=""))
    try:
        for row in reader:
            if row:
                rows.append((line, row[0].strip()))
            line = reader.line_num + 1
    except csv.Error as error:
        raise ListFileError([Fault(f"expected CSV: {error}", file=str(path), line=line, column=1)]) from None
    return rows


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ListFileError([Fault(f"expected a file that can be read: {path}: {error.strerror}")]) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].split(b"\n")
        place = Fault("expected UTF-8; this byte is none", None, str(path), len(before), len(before[-1]) + 1)
        raise ListFileError([place]) from None
