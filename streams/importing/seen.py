"""Which contacts, addresses and phone numbers a file has held so far, in bounded memory.

They are kept as hashes of 16 bytes in a database of SQLite that has no name and ends with the process: up to
`CACHE_KBYTES` of it in memory, the rest in a temporary file, about 60 bytes a contact and value.
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any, NamedTuple

from schemas.errors import UnavailableError

CACHE_KBYTES = 32 * 1024
_HASH_BYTES = 16


class Places(NamedTuple):
    """In which rows a contact is: the first with its line, and the last."""

    first_row: int
    first_line: int
    last_row: int


class Seen:
    """What was seen. Raises `UnavailableError` where there is no room for it."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            f"PRAGMA cache_size = -{CACHE_KBYTES}",
            "CREATE TABLE contacts (hash BLOB PRIMARY KEY, first_row INT, first_line INT, last_row INT) WITHOUT ROWID",
            "CREATE TABLE shared (hash BLOB PRIMARY KEY, contact BLOB, line INT) WITHOUT ROWID",
            "BEGIN",
        ):
            self._database.execute(statement)

    def contact(self, contact_id: str, row: int, line: int) -> Places | None:
        """Note that a row is about a contact; returns where it was before, None where it is new."""
        key = _hash(contact_id)
        before = self._places(key)
        if before is None:
            self._run("INSERT INTO contacts VALUES (?, ?, ?, ?)", (key, row, line, row))
        else:
            self._run("UPDATE contacts SET last_row = ? WHERE hash = ?", (row, key))
        return before

    def places(self, contact_id: str) -> Places:
        """Where a contact is that was noted."""
        found = self._places(_hash(contact_id))
        assert found is not None, "every contact was noted"
        return found

    def shared(self, kind: str, value: str, contact_id: str, line: int) -> int | None:
        """Note a value that people do not share; returns the line in which another contact has it, if one does."""
        key, contact = _hash(f"{kind}:{value}"), _hash(contact_id)
        found = self._run("SELECT contact, line FROM shared WHERE hash = ?", (key,))
        if found is None:
            self._run("INSERT INTO shared VALUES (?, ?, ?)", (key, contact, line))
            return None
        other, first_line = found
        return None if other == contact else int(first_line)

    def close(self) -> None:
        """Forget all of it."""
        self._database.close()

    def _places(self, key: bytes) -> Places | None:
        found = self._run("SELECT first_row, first_line, last_row FROM contacts WHERE hash = ?", (key,))
        return None if found is None else Places(*found)

    def _run(self, statement: str, values: tuple[bytes | int, ...]) -> Any:
        """The first row of what a statement finds."""
        try:
            return self._database.execute(statement, values).fetchone()
        except sqlite3.OperationalError as error:
            raise UnavailableError(f"no room in the temporary directory to look for duplicates: {error}") from None


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=_HASH_BYTES).digest()
