"""Random definition files, small enough that boundaries are met all the time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from streams.segmentation import DefinitionsError, compile_definitions
from tests.oracle.drawn_conditions import EVENTS, LISTS, condition
from tests.oracle.drawn_scores import written_score
from tests.oracle.language import File
from tests.oracle.notation import duration_ms
from tests.oracle.writer import Taste, Writer

DURATIONS = ("1s", "10s", "90s", "5m", "1h", "1d", "10d", "2w")
SCORES = ("s", "r", "q", "p")
SEGMENTS = ("alpha", "beta", "gamma", "delta")
BASE = "omega"
CONTACTS = ("c1", "é\U0001f600", "\uffee")
"""Their order is another one in UTF-8 than in UTF-16."""
_ZONES = ("Europe/Paris", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia")


def _segment(writer: Writer, others: Sequence[str]) -> dict[str, Any]:
    kinds = writer.taste.leaves
    segment: dict[str, Any] = {"when": condition(writer, others, 2, kinds)}
    if writer.sometimes():
        segment["exit_when"] = condition(writer, others, 1, kinds)
    if writer.sometimes():
        segment["tags"] = ["tag", "für alle"]
    if writer.sometimes():
        segment |= {"description": "Tells nothing.", "meta": {"owner": ["crm", 1]}}
    return segment


def _base(writer: Writer) -> dict[str, Any]:
    kinds = [kind for kind in writer.taste.leaves if kind not in ("score", "tier")]
    return {"when": condition(writer, (), 1, kinds or ["performed"])}


def _correct(writer: Writer, file: File) -> None:
    """Events can be corrected for as long as ids are known, or for a shorter time."""
    written: dict[str, Any] = {}
    if writer.sometimes():
        longest = duration_ms(file.get("deduplicate", "48h"))
        shorter = [each for each in writer.durations if duration_ms(each) <= longest]
        if shorter:
            written["within"] = writer.one(shorter)
    if not writer.sometimes():
        written["events"] = list(writer.one((EVENTS[:2], EVENTS, EVENTS[1:], EVENTS[:0])))
    if written:
        file["correct"] = written


def _lists(writer: Writer) -> dict[str, list[str]]:
    ids = ("somebody else", *CONTACTS)
    return {name: list(ids[: writer.draw(st.integers(0, len(ids)))]) for name in LISTS}


def let_members_leave(file: File) -> None:
    """Take out every `exit_when` that is refused because it can never hold."""
    try:
        compile_definitions(file)
    except DefinitionsError as error:
        for problem in error.problems:
            kind, *names = problem.path.split(".")
            if kind == "segments" and names[1:] == ["exit_when"]:
                del file["segments"][names[0]]["exit_when"]


@st.composite
def files(draw: st.DrawFn, taste: Taste) -> File:
    """A file whose segments refer to one another forwards and backwards, never in a circle."""
    # A score may refer to the base segment and to the scores before it, a segment to those after it and to the base.
    writer = Writer(draw, taste)
    writer.durations = (writer.one(DURATIONS), writer.one(DURATIONS))
    file: File = {"version": 1}
    if not writer.sometimes():
        file["deduplicate"] = writer.one(writer.durations)
    if taste.rich:
        _correct(writer, file)
    if taste.rich and writer.sometimes():
        file["zone"] = writer.one(_ZONES)
    if taste.rich or "listed" in taste.leaves:
        file["lists"] = _lists(writer)
    base = {BASE: _base(writer)} if taste.rich and writer.sometimes() else {}
    writer.base = tuple(base)
    if {"score", "tier"} & set(taste.leaves):
        for name in SCORES[: draw(st.integers(1, 4 if taste.chained else 2))]:
            writer.scores[name] = written_score(writer)
        file["scores"] = writer.scores
    names = SEGMENTS[: draw(st.integers(1, taste.max_segments))]
    written = {name: _segment(writer, (*names[index + 1 :], *base)) for index, name in enumerate(names)}
    turned = draw(st.integers(0, len(names) - 1))
    file["segments"] = {name: written[name] for name in names[turned:] + names[:turned]} | base
    let_members_leave(file)
    return file
