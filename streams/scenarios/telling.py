"""How scenarios ended, for people: a line each, and under one that fails what was expected and what was found."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.scenarios.trial import Verdict
from streams.scenarios.wording import move_text

MAX_MOVES = 12
"""Transitions that are listed under a failure; the first and the last tell most where there are more."""
_STYLES = {"expected": "red", "found": "green", "-": "red", "+": "green", "note": "yellow"}
_INDENT = "    "


class Teller:
    """Writes verdicts to a console: with colours on a terminal, plain lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        marks = console.is_terminal and codecs.lookup(console.encoding).name == "utf-8"
        self._marks = {True: "✓", False: "✗"} if marks else {True: "ok", False: "FAILED"}

    def tell(self, verdict: Verdict) -> None:
        """The line of a scenario, and its failures."""
        scenario = verdict.scenario
        line = Text(f"{self._marks[verdict.holds]} ")
        line.stylize("bold green" if verdict.holds else "bold red")
        line.append(scenario.name, style="" if verdict.holds else "bold")
        line.append(f"  {scenario.file}:{scenario.place.line}", style="dim")
        self._console.print(line, soft_wrap=True)
        lines = [(label, Text(text, style=_STYLES.get(label or text[0], ""))) for label, text in told(verdict)]
        if self._console.is_terminal and lines:
            grid = Table.grid(padding=(0, 1, 0, 0))
            for label, text in lines:
                grid.add_row(_INDENT + label, text)
            self._console.print(grid)
        else:
            for label, text in lines:
                line = Text(f"{_INDENT}{label:<9} ") + text
                line.rstrip()
                self._console.print(line, soft_wrap=True)

    def sum_up(self, verdicts: list[Verdict], refused: int) -> None:
        """How many scenarios held and how many did not, and how many files were refused."""
        failed = sum(not verdict.holds for verdict in verdicts)
        parts = [f"{failed} of {_counted(len(verdicts), 'scenario')} failed"] if failed else []
        if not failed and verdicts:
            parts.append("1 scenario holds" if len(verdicts) == 1 else f"all {len(verdicts)} scenarios hold")
        if refused:
            parts.append(f"{_counted(refused, 'file')} refused")
        self._console.print(Text("; ".join(parts), style="bold red" if failed or refused else "bold green"))


def told(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """What there is to tell of a scenario that fails: labels, and a line each."""
    shown: set[object] = set()
    for miss in verdict.misses:
        yield f"line {miss.place.line}", ""
        yield "expected", miss.failure.expected
        yield "found", miss.failure.found
        for mark, text in miss.failure.difference:
            yield "", f"{mark} {text}"
        whom = (miss.check.contact, miss.failure.segment)
        if len(miss.moves) > 1 and whom not in shown and not miss.failure.difference:
            shown.add(whom)
            texts = [move_text(move, verdict.scenario.calendar) for move in miss.moves]
            for number, text in enumerate(_shortened(texts)):
                yield ("" if number else "happened"), text
        if miss.why and miss.why not in shown:
            shown.add(miss.why)
            yield "why", miss.why
    for slip in verdict.slips:
        yield "note", slip


def _shortened(texts: list[str]) -> list[str]:
    if len(texts) <= MAX_MOVES:
        return texts
    half = MAX_MOVES // 2
    return [*texts[:half], f"… and {len(texts) - MAX_MOVES} more …", *texts[-half:]]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
