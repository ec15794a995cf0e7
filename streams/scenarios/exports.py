"""How scenarios ended, for programs: JSON, and the XML that continuous integration reads (JUnit's)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree

from schemas.transitions import Transition, transition_body
from streams.scenarios.reading import ScenariosError
from streams.scenarios.telling import told
from streams.scenarios.trial import Miss, Verdict
from streams.segmentation.refusals import ABSENT

_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_json(verdicts: Iterable[Verdict], refused: Mapping[str, ScenariosError]) -> dict[str, Any]:
    """Everything as one JSON object; `refused` has what is wrong with files that could not be read."""
    scenarios = [_scenario(verdict) for verdict in verdicts]
    failed = sum(not scenario["holds"] for scenario in scenarios)
    return {
        "holds": not failed and not refused,
        "passed": len(scenarios) - failed,
        "failed": failed,
        "scenarios": scenarios,
        "refused": [{"file": file, "problems": _problems(error)} for file, error in refused.items()],
    }


def as_junit(verdicts: Iterable[Verdict], refused: Mapping[str, ScenariosError]) -> bytes:
    """A test suite a file and a test case a scenario, in XML."""
    suites = ElementTree.Element("testsuites", name="segue test")
    by_file: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_file.setdefault(verdict.scenario.file, []).append(verdict)
    for file, of_file in by_file.items():
        suite = _suite(suites, file, len(of_file), failures=sum(not verdict.holds for verdict in of_file))
        for verdict in of_file:
            case = _case(suite, file, verdict.scenario.name, line=str(verdict.scenario.place.line))
            if not verdict.holds:
                text = "\n".join(f"{label:<9} {text}".rstrip() for label, text in told(verdict))
                message = verdict.misses[0].failure.expected
                ElementTree.SubElement(case, "failure", message=_xml(message)).text = _xml(text)
    for file, error in refused.items():
        case = _case(_suite(suites, file, 1, errors=1), file, "the file can be read")
        ElementTree.SubElement(case, "error", message="refused").text = _xml(str(error))
    written: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return written


def _scenario(verdict: Verdict) -> dict[str, Any]:
    scenario = verdict.scenario
    return {
        "name": scenario.name,
        "description": scenario.description,
        "file": scenario.file,
        "line": scenario.place.line,
        "holds": verdict.holds,
        "expectations": len(scenario.checks),
        "failures": [_failure(miss) for miss in verdict.misses],
        "notes": list(verdict.slips),
    }


def _failure(miss: Miss) -> dict[str, Any]:
    return {
        "path": miss.check.path,
        **miss.place._asdict(),
        "contact_id": miss.check.contact,
        "expected": miss.failure.expected,
        "found": miss.failure.found,
        "difference": [{"mark": mark, "text": text} for mark, text in miss.failure.difference],
        "transitions": [_move(move) for move in miss.moves],
        "why": miss.why or None,
    }


def _move(move: Transition) -> dict[str, Any]:
    whole = transition_body(move)
    return {name: whole[name] for name in ("type", "segment", "effective_at", "cause", "scores", "valid_until")}


def _problems(error: ScenariosError) -> list[dict[str, Any]]:
    return [
        {
            "path": problem.path,
            "line": problem.line or None,
            "column": problem.column or None,
            "value": None if problem.value is ABSENT else problem.value,
            "expected": problem.expected,
            "suggestion": problem.suggestion or None,
        }
        for problem in error.problems
    ]


def _suite(
    suites: ElementTree.Element, file: str, tests: int, failures: int = 0, errors: int = 0
) -> ElementTree.Element:
    counts = {"tests": str(tests), "failures": str(failures), "errors": str(errors)}
    return ElementTree.SubElement(suites, "testsuite", {"name": _xml(file), **counts})


def _case(suite: ElementTree.Element, file: str, name: str, **more: str) -> ElementTree.Element:
    named = {"classname": _xml(file), "name": _xml(name), "file": _xml(file)}
    return ElementTree.SubElement(suite, "testcase", named | more)


def _xml(text: str) -> str:
    """The text without characters that XML cannot carry."""
    return _NOT_IN_XML.sub("\ufffd", text)
