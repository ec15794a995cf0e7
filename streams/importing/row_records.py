"""From a row to the records of its contact, or to all that is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from schemas.errors import InputError
from schemas.instants import format_instant, in_range
from streams.importing.cells import contact_id, decisions, instant_ms, is_empty, trait_value
from streams.importing.mapping import ImportMapping
from streams.importing.rows import Row
from streams.sending.sending import Outgoing, compose


class CellProblem(NamedTuple):
    """What is wrong with a cell; `column` is empty where the row as a whole is."""

    column: str
    value: object
    expected: str


class Rejected(NamedTuple):
    """A row that becomes nothing."""

    row: Row
    problems: list[CellProblem]

    @property
    def reason(self) -> str:
        """In one line."""
        return "; ".join(f"{each.column}: {each.expected}" if each.column else each.expected for each in self.problems)


class Accepted(NamedTuple):
    """A row, and what it becomes."""

    row: Row
    contact_id: str
    records: list[Outgoing]
    traits: Mapping[str, Any]
    """By their names; null for one that is removed."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all rows of an import."""

    import_id: str  # a hash of the file and of what it is turned into
    occurred_at_ms: int  # of rows that do not say when
    stated: bool  # whether somebody said that time, which consent needs
    backfill: bool  # whether what changes is marked, so that workflows pass it over


class RowRecords:
    """Turns rows into records, the same for the same row and terms, however often."""

    def __init__(self, mapping: ImportMapping, terms: Terms) -> None:
        self._mapping = mapping
        self._terms = terms

    def read(self, row: Row) -> Accepted | Rejected:
        """What becomes of a row."""
        if row.problem is not None:
            return Rejected(row, [CellProblem("", None, row.problem)])
        reading = _Reading(row.cells)
        mapping, terms = self._mapping, self._terms
        contact = reading.of(mapping.contact.column, partial(contact_id, mapping.contact, row.cells))
        stated_ms = None
        if mapping.occurred_at is not None:
            column = mapping.occurred_at
            stated_ms = reading.of(column.column, lambda: _occurred_at_ms(instant_ms(column, row.cells)))
        traits = self._traits(reading, row)
        consents = self._consents(reading, row)
        if consents and stated_ms is None and not terms.stated and mapping.occurred_at is not None:
            reading.problem(
                mapping.occurred_at.column, "expected when it was decided, or --at for rows that do not say"
            )
        if reading.problems:
            return Rejected(row, reading.problems)
        at_ms = terms.occurred_at_ms if stated_ms is None else stated_ms
        shared = {"contact_id": contact, "occurred_at": format_instant(at_ms)}
        shared |= {"backfill": True} if terms.backfill else {}
        parts = {"identify": {"type": "identify", "traits": traits}, **consents}
        parts |= {f"list:{name}": {"type": "list", "list": name, "member": True} for name in mapping.lists}
        try:
            records = [compose(part | shared | self._id(row, name)) for name, part in parts.items()]
        except InputError as error:
            return Rejected(row, [CellProblem("", None, str(error))])
        return Accepted(row, contact, records, traits)

    def _id(self, row: Row, part: str) -> dict[str, str]:
        """The file is part of the import's id, so a row's number stands for what is in it."""
        identity = f"{self._terms.import_id}:{row.number}:{part}".encode()
        return {"event_id": f"import-{hashlib.blake2b(identity, digest_size=16).hexdigest()}"}

    def _traits(self, reading: _Reading, row: Row) -> dict[str, Any]:
        traits = {}
        for name, spec in self._mapping.traits.items():
            value = reading.of(spec.column, partial(trait_value, spec, row.cells, self._mapping.country))
            if value is not None or (spec.empty or self._mapping.empty) == "remove":
                traits[name] = value
        return traits

    def _consents(self, reading: _Reading, row: Row) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for spec in self._mapping.consents:
            decided = reading.of(spec.column, partial(decisions, spec, row.cells)) or {}
            for purpose, granted in decided.items():
                record = {"type": "consent", "purpose": purpose, "granted": granted}
                record |= {"document": spec.document, "method": spec.method}
                before = found.setdefault(f"consent:{purpose}", record)
                if before["granted"] != granted:
                    reading.problem(spec.column, f"expected one decision on {purpose!r}; another column says otherwise")
        return found


def _occurred_at_ms(at_ms: int | None) -> int | None:
    return None if at_ms is None else in_range(at_ms)


class _Reading:
    """Reads cells of one row, and keeps what is wrong with them."""

    def __init__(self, cells: Mapping[str, Any]) -> None:
        self.problems: list[CellProblem] = []
        self._cells = cells

    def of(self, column: str, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except ValueError as error:
            self.problem(column, str(error))
            return None

    def problem(self, column: str, expected: str) -> None:
        value = self._cells.get(column)
        found = CellProblem(column, None if is_empty(value) else value, expected)
        if found not in self.problems:  # a column may be read twice, as who it is and as a trait
            self.problems.append(found)
