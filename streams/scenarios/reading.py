"""Reading a scenarios file: times resolved, names checked against the definitions, records made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from schemas.errors import InputError
from schemas.instants import parse_instant
from streams.definition_files.reading import Source, read_source
from streams.definition_files.yaml_document import Document, Place, read_document
from streams.scenarios.checks import Check
from streams.scenarios.course import GivenRecord
from streams.scenarios.expecting import read_expectation
from streams.scenarios.giving import read_given
from streams.scenarios.moments import Calendar
from streams.scenarios.notation import FileSpec, ScenarioSpec
from streams.scenarios.scope import Scope
from streams.segmentation import Definitions, DefinitionsError, Problem
from streams.segmentation.problems import Findings, join
from streams.segmentation.refusals import ABSENT

DEFAULT_CONTACT = "somebody"
_SOME_START_MS = parse_instant("2026-01-01T00:00:00Z")
ItemT = TypeVar("ItemT")


class ScenariosError(InputError):
    """A scenarios file is refused. `problems` holds every finding, in the order of the file."""

    def __init__(self, problems: Iterable[Problem], source: Source | None) -> None:
        self.problems = tuple(problems)
        self.source = source
        """The text of the file; None where it could not be read."""
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario that is ready to run."""

    file: str
    path: str
    name: str
    description: str
    start_ms: int | None
    end_ms: int
    """The last instant that it looks at."""
    given: tuple[GivenRecord, ...]
    checks: tuple[Check, ...]
    """In order of time."""
    places: dict[str, Place]
    """Line and column of the scenario and of its checks, by path."""

    @property
    def place(self) -> Place:
        """Where its name stands in the file."""
        return self.places[self.path]

    @property
    def calendar(self) -> Calendar:
        """Writes instants as this scenario counts them."""
        return Calendar(self.start_ms)


def read_scenarios(path: Path, definitions: Definitions) -> list[Scenario]:
    """The scenarios in a file. Raises `ScenariosError` with all that is wrong with it."""
    source: Source | None = None
    try:
        source = read_source(path, "scenarios file")
        document = read_document(source.text, source.name)
    except DefinitionsError as error:
        raise ScenariosError(error.problems, source) from None
    findings = Findings()
    spec = findings.read_sound(FileSpec, document.data, "")
    scenarios = {} if spec is None else spec.scenarios
    read = [_scenario(name, body, spec, definitions, findings) for name, body in scenarios.items() if spec is not None]
    problems = document.placed([*document.problems, *findings.problems])
    if problems:
        raise ScenariosError(problems, source)
    return [_placed(scenario, document) for scenario in read if scenario is not None]


def _scenario(name: str, body: Any, file: FileSpec, definitions: Definitions, findings: Findings) -> Scenario | None:
    path = join("scenarios", name)
    spec = findings.read_sound(ScenarioSpec, body, path)
    if spec is None:
        return None
    start_ms = _start(spec, file, path, findings)
    scope = Scope(definitions, findings, start_ms, spec.contact or file.contact or DEFAULT_CONTACT)
    given = _items(read_given, spec.given, join(path, "given"), scope)
    checks = _items(read_expectation, spec.expect, join(path, "expect"), scope)
    last_ms = max(
        [record.stated_ms for record in given] + [at for check in checks for at in check.instants()], default=0
    )
    until_ms = scope.instant(spec.until, join(path, "until"))
    if until_ms is not None and until_ms < last_ms and findings.clean(path) and findings.clean("start"):
        latest = Calendar(start_ms).text(last_ms)
        findings.add(join(path, "until"), ABSENT, f"expected a time not before the last one of the scenario, {latest}")
    return Scenario(
        file="",
        path=path,
        name=name,
        description=spec.description,
        start_ms=start_ms,
        end_ms=max(last_ms, until_ms or 0),
        given=tuple(given),
        checks=tuple(sorted(checks, key=_order)),
        places={},
    )


def _start(spec: ScenarioSpec, file: FileSpec, path: str, findings: Findings) -> int | None:
    moment, where = (file.start, "start") if spec.start is None else (spec.start, join(path, "start"))
    start_ms = None
    if moment is not None and moment.anchor_ms is None:
        findings.add(where, ABSENT, "expected a time like 2026-03-02T09:00:00Z: others count from this one")
    elif moment is not None:
        try:
            start_ms = moment.resolve(None)
        except ValueError as error:
            findings.add(where, ABSENT, str(error))
    if findings.clean("start") and findings.clean(join(path, "start")):
        return start_ms
    return _SOME_START_MS  # it was given and is wrong: nothing more is to be said of times that count from it


def _items(read: Callable[[Any, str, Scope], list[ItemT]], items: list[Any], path: str, scope: Scope) -> list[ItemT]:
    return [each for number, item in enumerate(items) for each in read(item, join(path, number), scope)]


def _order(check: Check) -> tuple[bool, int]:
    """Checks of an instant in order of time, then those of the whole scenario."""
    return check.due_ms is None, check.due_ms or 0


def _placed(scenario: Scenario, document: Document) -> Scenario:
    """The scenario with the places of its parts."""
    paths = {scenario.path, *(check.path for check in scenario.checks)}
    # The document places findings; a part is asked for as if something were to be said of its key.
    asked = document.placed(Problem(path, ABSENT, path) for path in paths)
    return replace(scenario, file=document.name, places={each.path: Place(each.line, each.column) for each in asked})
