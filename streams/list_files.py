"""Files of static lists: CSV, the contact ids in the first column."""

from __future__ import annotations

import csv
from pathlib import Path

from streams.segmentation.lists import MAX_CONTACT_ID

HEADING = "contact_id"


def read_list_file(path: Path) -> tuple[str, ...]:
    """The ids in the first column, under an optional heading `contact_id`; blank lines are passed over.

    Raises `ValueError` with what was expected, and the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = [(reader.line_num, row[0].strip()) for reader in [csv.reader(stream)] for row in reader if row]
    except OSError as error:
        raise ValueError(f"expected a file that can be read: {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"expected UTF-8 in {path}; byte {error.start} is none") from None
    except csv.Error as error:
        raise ValueError(f"expected CSV in {path}: {error}") from None
    if rows and rows[0][1] == HEADING:
        del rows[0]
    for line, contact_id in rows:
        if len(contact_id) > MAX_CONTACT_ID:
            raise ValueError(f"expected contact ids of at most {MAX_CONTACT_ID} characters; {path}, line {line}")
    return tuple(contact_id for _, contact_id in rows if contact_id)
