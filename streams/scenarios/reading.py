"""Reading a scenarios file: times resolved, names checked against the definitions, records made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, TypeVar

from streams.scenarios.checks import Check, Place
from streams.scenarios.course import GivenRecord
from streams.scenarios.expecting import read_expectation
from streams.scenarios.findings import Findings, Path, ScenariosError
from streams.scenarios.giving import read_given
from streams.scenarios.moments import Calendar
from streams.scenarios.notation import FileSpec, ScenarioSpec
from streams.scenarios.positions import read_positioned
from streams.scenarios.scope import Scope
from streams.segmentation import Definitions

DEFAULT_CONTACT = "somebody"
ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario that is ready to run."""

    file: str
    place: Place
    name: str
    description: str
    start_ms: int | None
    end_ms: int
    """The last instant that it looks at."""
    given: tuple[GivenRecord, ...]
    checks: tuple[Check, ...]
    """In order of time."""

    @property
    def calendar(self) -> Calendar:
        """Writes instants as this scenario counts them."""
        return Calendar(self.start_ms)


def read_scenarios(path: FilePath, definitions: Definitions) -> list[Scenario]:
    """The scenarios in a file. Raises `InputError`, with everything that is wrong if it can be read at all."""
    data, positions = read_positioned(path)
    findings = Findings(str(path), positions)
    spec = findings.read(FileSpec, data, ())
    if spec is None:
        raise ScenariosError(findings.problems)
    read = [_scenario(name, body, spec, definitions, findings) for name, body in spec.scenarios.items()]
    if findings.problems:
        raise ScenariosError(sorted(findings.problems, key=lambda each: (each.place.line, each.place.column)))
    return [scenario for scenario in read if scenario is not None]


def _scenario(name: str, body: Any, file: FileSpec, definitions: Definitions, findings: Findings) -> Scenario | None:
    path: Path = ("scenarios", name)
    spec = findings.read(ScenarioSpec, body, path)
    if spec is None:
        return None
    start_ms = _start(spec, file, path, findings)
    scope = Scope(definitions, findings, start_ms, spec.contact or file.contact or DEFAULT_CONTACT)
    given = _items(read_given, spec.given, (*path, "given"), scope)
    checks = _items(read_expectation, spec.expect, (*path, "expect"), scope)
    last_ms = max(
        [record.stated_ms for record in given] + [at for check in checks for at in check.instants()], default=0
    )
    until_ms = scope.instant(spec.until, (*path, "until"))
    if until_ms is not None and until_ms < last_ms:
        latest = Calendar(start_ms).text(last_ms)
        findings.add((*path, "until"), None, f"expected a time not before the last one of the scenario, {latest}")
    return Scenario(
        file=findings.file,
        place=findings.place(path),
        name=name,
        description=spec.description,
        start_ms=start_ms,
        end_ms=max(last_ms, until_ms or 0),
        given=tuple(given),
        checks=tuple(sorted(checks, key=_order)),
    )


def _start(spec: ScenarioSpec, file: FileSpec, path: Path, findings: Findings) -> int | None:
    moment, where = (file.start, ("start",)) if spec.start is None else (spec.start, (*path, "start"))
    if moment is None:
        return None
    if moment.anchor_ms is None:
        findings.add(where, None, "expected a time like 2026-03-02T09:00:00Z: others count from this one")
        return 0
    return moment.anchor_ms + moment.shift_ms


def _items(read: Callable[[Any, Path, Scope], list[ItemT]], items: list[Any], path: Path, scope: Scope) -> list[ItemT]:
    return [each for number, item in enumerate(items) for each in read(item, (*path, number), scope)]


def _order(check: Check) -> tuple[bool, int]:
    """Checks of an instant in order of time, then those of the whole scenario."""
    return check.due_ms is None, check.due_ms or 0
