"""Why a contact was in a segment at an instant, or was not, in one line; and slips that may explain it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from streams.explaining.line_replay import replay_lines
from streams.scenarios.course import GivenRecord, in_order
from streams.scenarios.moments import Calendar
from streams.segmentation import Definitions
from streams.segmentation.explanation import ExplainedNode, ExplainedSegment
from streams.segmentation.program import Program

MAX_CONDITIONS = 4
"""Conditions that are told in the one line."""
_ALIKE = 0.75


def why(
    definitions: Definitions,
    given: Iterable[GivenRecord],
    contact_id: str,
    segment: str,
    at_ms: int,
    calendar: Calendar,
) -> str:
    """What decided on a membership at an instant; empty where the contact did not exist."""
    lines = [record.line for record in in_order(given)]
    replay = replay_lines(definitions, lines, contact_id, at_ms)
    if replay.contact is None:
        return f"nothing is known of {contact_id} at {calendar.text(at_ms)}"
    explained = replay.explainer().segment(segment)
    told = list(_holding(explained) if explained.member else _missing(explained, calendar))
    if len(told) > MAX_CONDITIONS:
        told[MAX_CONDITIONS:] = [f"and {len(told) - MAX_CONDITIONS} more"]
    return f"{'in' if explained.member else 'not in'} at {calendar.text(at_ms)}: {'; '.join(told)}"


def _missing(explained: ExplainedSegment, calendar: Calendar) -> Iterator[str]:
    """What keeps the contact out: it would come in if all of these came out otherwise."""
    assert explained.why_not is not None, "whoever is not a member is told why"
    if not explained.why_not.possible:
        yield "its conditions contradict one another"
        return
    for leaf in explained.why_not.leaves:
        turns = "" if leaf.until_ms is None else f" (turns by itself at {calendar.text(leaf.until_ms)})"
        yield f"{'must not hold: ' if leaf.holds else ''}{leaf.missing()}{turns}"


def _holding(explained: ExplainedSegment) -> Iterator[str]:
    """What keeps the contact in: conditions that hold, or an `exit_when` that does not."""
    if explained.when.holds:
        yield from (leaf.missing() for leaf in _leaves(explained.when) if leaf.holds)
    elif explained.exit_when is not None:
        yield from (f"exit_when does not hold: {leaf.missing()}" for leaf in _leaves(explained.exit_when))


def _leaves(node: ExplainedNode) -> Iterator[ExplainedNode]:
    if not node.parts:
        yield node
    for part in node.parts:
        yield from _leaves(part)


def slips(definitions: Definitions, given: Iterable[GivenRecord]) -> list[str]:
    """Names in records that no definition looks at, and that look like one that some definition does."""
    program = Program(definitions)
    known = {*(f"event:{name}" for name in program.by_event), *program.by_fact}
    told = []
    for name in dict.fromkeys(name for record in given for name in record.names if name not in known):
        kind, _, own = name.partition(":")
        near = get_close_matches(name, [each for each in known if each.startswith(f"{kind}:")], n=1, cutoff=_ALIKE)
        if near:
            told.append(f"no definition looks at the {kind} {own}; did you mean {near[0].partition(':')[2]}?")
    return told
