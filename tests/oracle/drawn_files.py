"""Random definition files, small enough that boundaries are met all the time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from streams.segmentation import DefinitionsError, compile_definitions
from tests.oracle.drawn_conditions import condition
from tests.oracle.drawn_scores import written_score
from tests.oracle.language import File
from tests.oracle.writer import Taste, Writer

DURATIONS = ("1s", "10s", "90s", "5m", "1h", "1d", "10d", "2w")
SEGMENTS = ("alpha", "beta", "gamma", "delta")
_ZONES = ("Europe/Paris", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia")


def _segment(writer: Writer, others: Sequence[str]) -> dict[str, Any]:
    segment: dict[str, Any] = {"when": condition(writer, others, 2)}
    if writer.sometimes():
        segment["exit_when"] = condition(writer, others, 1)
    if writer.sometimes():
        segment["tags"] = ["tag"]
    return segment


def _let_members_leave(file: File) -> None:
    """Takes out every `exit_when` that is refused because it can never hold."""
    try:
        compile_definitions(file)
    except DefinitionsError as error:
        for problem in error.problems:
            _, name, *rest = problem.path.split(".")
            if rest == ["exit_when"]:
                del file["segments"][name]["exit_when"]


@st.composite
def files(draw: st.DrawFn, taste: Taste) -> File:
    """A file whose segments refer to one another forwards and backwards, never in a circle."""
    writer = Writer(draw, taste)
    writer.durations = (writer.one(DURATIONS), writer.one(DURATIONS))
    file: File = {"version": 1, "deduplicate": writer.one(writer.durations)}
    if taste.rich and writer.sometimes():
        file["zone"] = writer.one(_ZONES)
    if "listed" in taste.leaves:
        file["lists"] = {"vip": ["somebody else"]}
    if {"score", "tier"} & set(taste.leaves):
        for name in ("s", "r")[: draw(st.integers(1, 2))]:
            writer.scores[name] = written_score(writer)
        file["scores"] = writer.scores
    names = SEGMENTS[: draw(st.integers(1, taste.max_segments))]
    written = {name: _segment(writer, names[index + 1 :]) for index, name in enumerate(names)}
    _let_members_leave({**file, "segments": written})
    turned = draw(st.integers(0, len(names) - 1))
    file["segments"] = {name: written[name] for name in names[turned:] + names[:turned]}
    return file
