"""Random changes of definitions in the middle of records: edits of what holds, at places where something happens."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from streams.segmentation import DefinitionsError, compile_definitions
from tests.oracle.drawn_conditions import condition
from tests.oracle.drawn_files import BASE, DURATIONS, SEGMENTS, files, let_members_leave
from tests.oracle.drawn_records import START_MS, Case, cases, text_of, widths_of
from tests.oracle.drawn_scores import written_score
from tests.oracle.driving import Body
from tests.oracle.history import clock_of
from tests.oracle.language import File, closure
from tests.oracle.writer import Taste, Writer

_DURATION = re.compile(r"\d+[smhdw]")
_WRITTEN_DURATION = re.compile(rf'"({_DURATION.pattern})"')
_BOUNDS = {"at_least", "at_most", "exactly", "gte", "gt", "lte", "lt", "nth", "points", "min", "cap", "floor", "full"}
Edit = Callable[[Writer, File, list[File]], None]
"""Changes a file in place; the earlier ones are told, the first one first."""


def definitions_record(file: File, at_ms: int, *, silent: bool = False) -> Body:
    """The record that brings a file, in which lists stand by name."""
    compiled = compile_definitions(file)
    body: Body = {
        "type": "definitions",
        "definitions": compiled.canonical,
        "hash": compiled.hash,
        "number": 2,
        "semantics": "1",
        "tzdata": "2026.1",
        "received_at": text_of(at_ms),
    }
    return body | ({"silent": True} if silent else {})


# Edits


def _spots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place within that has a duration or a bound, as its mapping or list, and its key."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in pairs:
        number = isinstance(each, int | float) and not isinstance(each, bool) and key in _BOUNDS
        if number or (isinstance(each, str) and _DURATION.fullmatch(each)):
            yield value, key
        yield from _spots(each)


def _shift_a_bound(writer: Writer, file: File, _earlier: list[File]) -> None:
    spots = list(_spots([file["segments"], file.get("scores", {})]))
    if not spots:
        return
    where, key = writer.one(spots)
    value = where[key]
    if isinstance(value, str):
        where[key] = writer.one([each for each in (*writer.durations, *DURATIONS) if each != value])
    else:
        half = value // 2 if isinstance(value, int) else value / 2
        where[key] = round(writer.one((value + 1, value - 1, value * 2, half, -value)), 3)


def _rewrite(writer: Writer, file: File, _earlier: list[File]) -> None:
    name = writer.one(list(file["segments"]))
    file["segments"][name]["when"] = _condition(writer, file, name, 2)


def _condition(writer: Writer, file: File, name: str, depth: int) -> dict[str, Any]:
    others = [other for other in file["segments"] if name not in closure(file, other)]
    return condition(writer, others, depth, writer.taste.leaves)


def _stick(writer: Writer, file: File, _earlier: list[File]) -> None:
    name = writer.one(list(file["segments"]))
    segment = file["segments"][name]
    if segment.pop("exit_when", None) is None:
        segment["exit_when"] = _condition(writer, file, name, 1)


def _add(writer: Writer, file: File, _earlier: list[File]) -> None:
    names = [name for name in (*SEGMENTS, "zeta") if name not in file["segments"]]
    _insert(writer, file, writer.one(names or ["eta"]), {"when": condition(writer, (), 2, writer.taste.leaves)})


def _insert(writer: Writer, file: File, name: str, segment: dict[str, Any]) -> None:
    written = list(file["segments"].items())
    written.insert(writer.draw(st.integers(0, len(written))), (name, segment))
    file["segments"] = dict(written)


def _remove(writer: Writer, file: File, _earlier: list[File]) -> None:
    names = list(file["segments"])
    free = [name for name in names if not any(name in closure(file, other) for other in names if other != name)]
    if len(names) > 1:
        del file["segments"][writer.one(free)]


def _bring_back(writer: Writer, file: File, earlier: list[File]) -> None:
    gone = {name: each for old in earlier for name, each in old["segments"].items() if name not in file["segments"]}
    if gone:
        name = writer.one(list(gone))
        _insert(writer, file, name, copy.deepcopy(gone[name]))
        return
    _go_back(writer, file, earlier)


def _go_back(writer: Writer, file: File, earlier: list[File]) -> None:
    old = copy.deepcopy(writer.one(earlier))
    file.clear()
    file |= old


def _reorder(writer: Writer, file: File, _earlier: list[File]) -> None:
    names = writer.draw(st.permutations(list(file["segments"])))
    file["segments"] = {name: file["segments"][name] for name in names}


def _rename(writer: Writer, file: File, earlier: list[File]) -> None:
    """One gets a new name or one that was in use before, or two change their names."""
    names = list(file["segments"])
    old = writer.one(names)
    known = [name for each in earlier for name in each["segments"]]
    new = writer.one([name for name in (*known, *names, "zeta", "eta") if name != old])
    turned = {old: new, new: old}
    text = re.sub(r'("in_segment": )"(\w+)"', lambda found: found[1] + json.dumps(_named(found[2], turned)),
                  json.dumps(file))  # fmt: skip
    file |= json.loads(text)
    file["segments"] = {turned.get(name, name): segment for name, segment in file["segments"].items()}


def _named(name: str, turned: dict[str, str]) -> str:
    return turned.get(name, name)


def _rescore(writer: Writer, file: File, earlier: list[File]) -> None:
    if "scores" not in file:
        _rewrite(writer, file, earlier)
        return
    name = writer.one(list(file["scores"]))
    place = list(file["scores"]).index(name)
    writer.scores = dict(list(file["scores"].items())[:place])
    file["scores"][name] = written_score(writer) | {"tiers": file["scores"][name]["tiers"]}


def _remember(writer: Writer, file: File, _earlier: list[File]) -> None:
    """Event ids and erasures are remembered for another time."""
    file["deduplicate"] = writer.one([each for each in (*writer.durations, *DURATIONS) if each != _horizon(file)])


def _horizon(file: File) -> str:
    return str(file.get("deduplicate", "48h"))


def _label(writer: Writer, file: File, _earlier: list[File]) -> None:
    """What changes no membership."""
    segment = file["segments"][writer.one(list(file["segments"]))]
    kind = writer.one(("tags", "description", "meta"))
    segment[kind] = {"tags": ["other", "tags"], "description": "Tells something else.", "meta": {"now": [1]}}[kind]


def _move(writer: Writer, file: File, _earlier: list[File]) -> None:
    file["zone"] = writer.one(("Asia/Tokyo", "UTC", "America/St_Johns"))


def _replace(writer: Writer, file: File, _earlier: list[File]) -> None:
    other = writer.draw(files(writer.taste))
    file.clear()
    file |= other


def _keep(_writer: Writer, _file: File, _earlier: list[File]) -> None:
    """The same text again."""


EDITS: tuple[Edit, ...] = (
    _shift_a_bound, _rewrite, _remove, _stick, _add, _rescore, _bring_back, _go_back, _reorder, _rename, _remember,
    _label, _move, _replace, _keep, _shift_a_bound, _rewrite, _remove, _rescore, _replace,
)  # fmt: skip


def _changed(draw: st.DrawFn, taste: Taste, earlier: list[File]) -> File:
    """The newest file, edited in one way or two, or as it was before the first edit that would be refused."""
    sound = earlier[-1]
    writer = Writer(draw, taste)
    writer.durations = tuple(dict.fromkeys(_WRITTEN_DURATION.findall(json.dumps(sound)))) or DURATIONS[:2]
    for _ in range(draw(st.integers(1, 2))):
        file: File = copy.deepcopy(sound)
        writer.base = (BASE,) if BASE in file["segments"] else ()
        writer.scores = file.get("scores", {})
        writer.one(EDITS)(writer, file, earlier)
        let_members_leave(file)
        try:
            compile_definitions(file)
        except DefinitionsError:
            break
        sound = file
    return sound


# Cases


def _instants(bodies: list[Body], place: int, file: File) -> list[int]:
    """When a change before the record at `place` may come: at the records around it, or when timers are due."""
    before = max((clock_of(body) for body in bodies[:place]), default=START_MS)
    after = clock_of(bodies[place]) if place < len(bodies) else before
    widths = widths_of(file)
    return [before, after, before, after, (before + after) // 2, before + 1, *(before + width for width in widths[:2])]


@st.composite
def changing_cases(draw: st.DrawFn, taste: Taste, max_records: int = 12) -> Case:
    """A file, records, and records among them that bring other files, or the same."""
    case = draw(cases(taste, max_records))
    from_end = draw(st.lists(st.integers(0, len(case.bodies)), min_size=1, max_size=4))
    places = [len(case.bodies) - each for each in from_end]
    earlier, bodies = [case.file], list[Body]()
    for place in range(len(case.bodies) + 1):
        for _ in range(places.count(place)):
            instants = _instants(case.bodies, place, case.file)
            earlier.append(_changed(draw, taste, earlier))
            instant = instants[draw(st.integers(0, len(instants) - 1))]
            bodies.append(definitions_record(earlier[-1], instant, silent=draw(st.integers(0, 3)) == 3))
        bodies += case.bodies[place : place + 1]
    return Case(case.file, bodies, case.until)
