"""`segue simulate --explain` as a person runs it, and the shape of what it prints as data."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streams.cli import segue
from streams.segmentation.evidence import Evidence
from tests.support.run_directory import CHECKOUT

ADA = "ada@example.com"
DEFINITIONS = """
version: 1
lists: {friends: [bob]}
scores:
  engagement: {half_life: 7d, points: [{event: email_open, points: 20}], tiers: {cold: null, warm: 30}}
segments:
  hot: {when: {score: {name: engagement, gte: 70}}, exit_when: {score: {name: engagement, lt: 60}}}
  active: {when: {performed: {event: email_open, within: 1h}}}
  buyers:
    when:
      any:
        - all: [{performed: {event: purchase, at_least: 3, within: 30d}}, {trait: {name: plan, eq: "[pro]"}}]
        - all: [{in_segment: active}, {listed: friends}, {known_for: 30d}]
  nobody: {when: {all: [{in_segment: active}, {not: {in_segment: active}}]}}
"""


def _line(number: int, at: str, contact: str = ADA, **more: Any) -> str:
    body = {"type": "track", "event_id": f"e{number}", "contact_id": contact, "occurred_at": at}
    return json.dumps(body | more)


LINES = [
    _line(1, "2026-01-01T00:00:00Z", type="identify", traits={"plan": "[pro]"}),
    _line(2, "2026-01-01T10:00:00Z", event="email_open"),
    "nonsense",
    _line(3, "2026-01-01T10:10:00Z", contact="bob", event="email_open"),
    _line(4, "2026-01-01T10:20:00Z", event="purchase"),
    _line(5, "2026-01-01T10:59:59.999Z", contact="bob", event="purchase"),
    "",
    _line(6, "2026-01-01T12:00:00Z", event="purchase"),
]


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "d.yaml").write_text(DEFINITIONS)
    (tmp_path / "e.jsonl").write_text("\n".join(LINES))
    return str(tmp_path / "d.yaml"), str(tmp_path / "e.jsonl")


def explain(files: tuple[str, str], at: str, *more: str, contact: str = ADA) -> Result:
    return CliRunner().invoke(segue, ["simulate", *files, "--explain", f"{contact}@{at}", *more])


def body_of(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    body: dict[str, Any] = json.loads(result.stdout)
    return body


def test_all_segments_are_told_in_short_those_first_that_the_contact_is_in(files: tuple[str, str]) -> None:
    result = explain(files, "2026-01-01T10:30:00Z")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "ada@example.com at 2026-01-01T10:30:00.000Z",
        "✓ active since 2026-01-01T10:00:00Z (email_open e2), until 2026-01-01T11:00:00Z",
        "✗ hot    since 2026-01-01T00:00:00Z (traits e1)",
        "         score engagement >= 70: is 19.959, tier cold",
        "         must not hold: score engagement < 60: is 19.959, tier cold",
        "✗ buyers since 2026-01-01T00:00:00Z (traits e1)",
        "         purchase in 30d, at least 3 times: has 1 (2026-01-01T10:20:00Z)",
        "✗ nobody since 2026-01-01T00:00:00Z (traits e1)",
        "         the conditions contradict one another",
    ]


def test_a_segment_is_told_as_a_tree(files: tuple[str, str]) -> None:
    result = explain(files, "2026-01-01T10:30:00Z", "--segment", "buyers")
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        """ada@example.com at 2026-01-01T10:30:00.000Z
✗ buyers: not in it since 2026-01-01T00:00:00Z (traits e1)
├── ✗ any
│     since 2026-01-01T00:00:00Z (traits e1)
│   ├── ✗ all
│   │     since 2026-01-01T00:00:00Z (traits e1)
│   │   ├── ✗ performed: {event: purchase, within: 30d, at_least: 3}
│   │   │     has 1 (2026-01-01T10:20:00Z)
│   │   │     since 2026-01-01T00:00:00Z (traits e1)
│   │   └── ✓ trait: {name: plan, eq: '[pro]'}
│   │         is "[pro]" (set 2026-01-01T00:00:00Z)
│   │         since 2026-01-01T00:00:00Z (traits e1)
│   └── ✗ all
│         since 2026-01-01T00:00:00Z (traits e1)
│       ├── ✓ in_segment: active
│       │     since 2026-01-01T10:00:00Z (email_open e2), until 2026-01-01T11:00:00Z
│       │   └── ✓ performed: {event: email_open, within: 1h}
│       │         has 1 (2026-01-01T10:00:00Z)
│       │         since 2026-01-01T10:00:00Z (email_open e2), until 2026-01-01T11:00:00Z
│       ├── ✗ listed: friends
│       │     is not on it
│       │     since 2026-01-01T00:00:00Z (traits e1)
│       └── ✗ known_for: 30d
│             is known since 2026-01-01T00:00:00Z
│             since 2026-01-01T00:00:00Z (traits e1), until 2026-01-31T00:00:00Z
└── one condition keeps the contact out
    └── purchase in 30d, at least 3 times: has 1 (2026-01-01T10:20:00Z)
"""
    )


def test_records_count_up_to_the_instant_and_then_time_passes(files: tuple[str, str]) -> None:
    def active(at: str) -> tuple[bool, str, str]:
        segment = body_of(explain(files, at, "--segment", "active", "--json"))["segments"][0]
        return segment["member"], segment["since"]["at"], segment["since"]["cause"]["kind"]

    assert active("2026-01-01T10:59:59.999Z") == (True, "2026-01-01T10:00:00.000Z", "event")
    assert active("2026-01-01T11:00:00Z") == (False, "2026-01-01T11:00:00.000Z", "timer")
    body = body_of(explain(files, "2027-01-01T00:00:00Z", "--json"))
    assert (body["now"], body["source"]) == ("2027-01-01T00:00:00.000Z", "lines")
    buyers = next(segment for segment in body["segments"] if segment["segment"] == "buyers")
    assert buyers["when"]["parts"][0]["parts"][0]["evidence"]["count"] == 0
    assert buyers["when"]["parts"][1]["parts"][2]["holds"]


def test_the_lists_of_the_file_count(files: tuple[str, str]) -> None:
    body = body_of(explain(files, "2026-01-01T10:30:00Z", "--segment", "buyers", "--json", contact="bob"))
    (leaf,) = body["segments"][0]["why_not"]["leaves"]
    assert leaf["condition"] == "known_for: 30d"
    assert leaf["until"] == "2026-01-31T10:10:00.000Z"


@pytest.mark.parametrize("partitions", ["1", "2", "8"])
def test_causes_are_those_of_the_transitions_in_any_number_of_partitions(
    files: tuple[str, str], partitions: str
) -> None:
    moved = CliRunner().invoke(segue, ["simulate", *files, "--partitions", partitions])
    exits = [json.loads(line) for line in moved.stdout.splitlines() if '"segment.exited"' in line]
    (cause,) = [exit_["cause"] for exit_ in exits if (exit_["segment"], exit_["contact_id"]) == ("active", ADA)]
    asked = ("--partitions", partitions, "--segment", "active", "--json")
    body = body_of(explain(files, "2026-01-01T12:00:00Z", *asked))
    assert body["segments"][0]["since"] == {"at": "2026-01-01T11:00:00.000Z", "cause": cause, "told_at": None}


@pytest.mark.parametrize(
    ("asked", "exit_code", "sentence"),
    [
        (["--explain", "2026-01-01T10:30:00Z"], 2, "expected CONTACT@TIME"),
        (["--explain", f"{ADA}@noon"], 2, "expected an RFC 3339 time"),
        (["--segment", "hot"], 2, "go with --explain"),
        (["--explain", "eve@2026-01-01T10:30:00Z"], 1, "the contact eve is not known"),
        (["--explain", f"{ADA}@2025-01-01T00:00:00Z"], 1, "no valid record up to that instant"),
        (["--explain", f"{ADA}@2026-01-01T10:30:00Z", "--segment", "activ"], 1, "did you mean active?"),
    ],
)
def test_what_cannot_be_explained_is_said(
    files: tuple[str, str], asked: list[str], exit_code: int, sentence: str
) -> None:
    result = CliRunner().invoke(segue, ["simulate", *files, *asked])
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert sentence in result.stderr + str(result.exception)


def test_an_erased_contact_is_said_to_be_erased(files: tuple[str, str]) -> None:
    with Path(files[1]).open("a") as events:
        events.write("\n" + _line(7, "2026-01-02T00:00:00Z", type="erase"))
    result = explain(files, "2026-01-02T00:00:00Z")
    assert result.exit_code == 1
    assert "was erased, with all that it did up to 2026-01-02T00:00:00.000Z" in str(result.exception)


def _documented() -> dict[str, set[str]]:
    page = (CHECKOUT / "ops" / "explain.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (?:`\w+`(?:, )?)+ \| (.+) \|$", page, re.MULTILINE)
    return {kind: set(re.findall(r"`(\w+)`", fields)) for kind, fields in rows}


def test_the_page_on_explanations_names_the_fields_of_every_kind_of_evidence() -> None:
    kinds = {
        kind.kind: {field.name.removesuffix("_ms") for field in dataclasses.fields(kind)}  # type: ignore[arg-type]  # all are dataclasses
        for kind in Evidence.__subclasses__()
        if "kind" in vars(kind)
    }
    assert _documented() == kinds


def test_the_page_on_explanations_names_every_field_of_an_explanation(files: tuple[str, str]) -> None:
    page = (CHECKOUT / "ops" / "explain.md").read_text()
    named = set(re.findall(r"`(\w+)`", page))

    def fields(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value).union(*(fields(item) for item in value.values()))
        return set().union(*(fields(item) for item in value)) if isinstance(value, list) else set()

    assert fields(body_of(explain(files, "2026-01-01T10:30:00Z", "--json"))) <= named
