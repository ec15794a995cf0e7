"""Running scenarios and holding them to what they expect."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.transitions import Transition
from streams.definition_files.yaml_document import Place
from streams.scenarios.checks import Check, Failure
from streams.scenarios.course import Course, run_scenario
from streams.scenarios.reading import Scenario
from streams.scenarios.reasons import slips, why
from streams.segmentation import Definitions


@dataclass(frozen=True, slots=True)
class Miss:
    """A check that does not hold, and what there is to tell of it."""

    check: Check
    place: Place
    failure: Failure
    moves: tuple[Transition, ...]
    """The contact's transitions of the segment that it is about."""
    why: str
    """One line of evidence; empty where there is nothing to add."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a scenario ended."""

    scenario: Scenario
    misses: tuple[Miss, ...]
    """In order of time."""
    slips: tuple[str, ...] = ()
    """Names in what is given that may be misspelt."""

    @property
    def holds(self) -> bool:
        """Whether everything was as expected."""
        return not self.misses


def try_scenario(scenario: Scenario, definitions: Definitions) -> Verdict:
    """Run a scenario in a simulator of its own, and look at everything that it expects."""
    instants = {at_ms for check in scenario.checks for at_ms in check.instants()}
    asks = {(at_ms, check.contact) for check in scenario.checks for at_ms in check.asks()}
    course = run_scenario(definitions, scenario.given, instants, asks, scenario.end_ms)
    misses = []
    for check in scenario.checks:
        failure = check.failure(course, scenario.calendar)
        if failure is not None:
            misses.append(_miss(check, failure, course, scenario, definitions))
    return Verdict(scenario, tuple(misses), tuple(slips(definitions, scenario.given)) if misses else ())


def _miss(check: Check, failure: Failure, course: Course, scenario: Scenario, definitions: Definitions) -> Miss:
    moves: list[Transition] = []
    reason = ""
    if failure.segment is not None:
        moves = course.moves(check.contact, failure.segment)
        if failure.why_at_ms is not None:
            asked = (check.contact, failure.segment, failure.why_at_ms)
            reason = why(definitions, scenario.given, *asked, scenario.calendar)
    return Miss(check, scenario.places[check.path], failure, tuple(moves), reason)
