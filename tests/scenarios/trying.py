"""Runs `segue test` over definitions and scenarios given as text."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

from click.testing import CliRunner, Result

from streams.cli import segue

DEFINITIONS = """
version: 1
zone: Europe/Paris
deduplicate: 48h
scores:
  engagement:
    half_life: 7d
    points:
      - {event: email_click, points: 10}
      - {event: cart_add, points: 15}
    tiers: {warm: 12, hot: 40}
lists:
  vip: [lea]
segments:
  cart_abandoners:
    when:
      all:
        - performed: {event: cart_add, within: 7d}
        - not_performed: {event: cart_add, within: 1h}
        - not: {performed: {event: purchase, since: {event: cart_add}}}
  clickers: {when: {performed: {event: email_click}}}
  humans: {when: {performed: {event: email_open, where: [{property: context.client, eq: web}]}}}
  french: {when: {trait: {name: country, eq: FR}}}
  subscribers: {when: {consent: {purpose: newsletter, is: granted}}}
  vips: {when: {listed: vip}}
"""


class Bench:
    """A folder with definitions, in which scenarios are tried."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.definitions = folder / "definitions.yaml"
        self.definitions.write_text(DEFINITIONS)

    def run(self, text: str, *options: str, name: str = "scenarios.yaml") -> Result:
        """The outcome of the command over one scenarios file."""
        path = self.folder / name
        path.write_text(text)
        return CliRunner().invoke(segue, ["test", str(self.definitions), str(path), *options])

    def outcome(self, text: str) -> Any:
        """The same as data."""
        return json.loads(self.run(text, "--json").stdout)

    def try_one(self, given: str, expect: str, more: str = "") -> list[Any]:
        """What fails of one scenario that starts at 09:00 on 2 March 2026 and is about ana."""
        result = self.run(one(given, expect, more), "--json")
        assert result.stdout, result.stderr or result.exception
        outcome = json.loads(result.stdout)
        assert outcome["refused"] == [], outcome["refused"]
        (scenario,) = outcome["scenarios"]
        assert scenario["holds"] == (not scenario["failures"]) == (result.exit_code == 0)
        failures: list[Any] = scenario["failures"]
        return failures

    def refusals(self, text: str) -> list[str]:
        """What is wrong with a file, each with line and column."""
        result = self.run(text)
        assert result.exit_code == 1, result.output
        return [line.removeprefix(f"{self.folder}/scenarios.yaml:") for line in result.stderr.splitlines()]


def one(given: str, expect: str, more: str = "") -> str:
    """The text of a file with one scenario; items stand on lines of their own."""
    body = f"given:\n{indent(dedent(given).strip(), '  ')}\nexpect:\n{indent(dedent(expect).strip(), '  ')}\n{more}\n"
    return f"start: 2026-03-02T09:00:00Z\ncontact: ana\nscenarios:\n  tried:\n{indent(body, '    ')}"
