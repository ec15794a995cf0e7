"""A visitor that a file has on a list, and that turns out to be somebody: as in a log, the list goes along."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from schemas.transitions import Transition
from streams.explaining.line_replay import replay_lines
from streams.explaining.view import segment_view
from streams.segmentation import compile_definitions
from streams.segmentation.explanation import Explainer
from streams.simulation.partitions import Partitions
from streams.simulation.simulator import Simulator
from tests.oracle.drawn_links import DEVICES, linking_cases
from tests.oracle.drawn_records import Case
from tests.oracle.fuzzing import fuzzed
from tests.simulator.drawn import EVERYTHING

DEVICE = "anon:d1"
SEGMENTS = {
    "vip": {"when": {"listed": "vip"}},
    "buyers": {"when": {"all": [{"listed": "vip"}, {"performed": {"event": "purchase"}}]}},
}


def _line(record_type: str, minute: int, contact: str = DEVICE, **more: Any) -> bytes:
    at = f"2026-01-01T10:{minute:02}:00Z"
    event_id = f"{record_type}-{minute}"
    return json.dumps(
        {"type": record_type, "event_id": event_id, "contact_id": contact, "occurred_at": at, **more}
    ).encode()


LISTED = _line("list", 0, list="vip", member=True)
LINK = _line("link", 5, to="c1")
STORIES = {
    "a device of which a record came": [_line("track", 1, event="page_view"), LINK],
    "a device of which none came": [LINK],
    "a device that was taken off": [_line("list", 2, list="vip", member=False), LINK],
    "a contact that was taken off before": [_line("list", 3, "c1", list="vip", member=False), LINK],
    "a contact that has bought": [_line("track", 1, "c1", event="purchase"), LINK],
    "a device that was erased": [_line("erase", 4), LINK],
    "a second link": [LINK, _line("link", 6, to="c2"), _line("track", 7, "c2", event="purchase")],
}


def _moves(lines: list[bytes], put_on: list[str], partitions: int) -> list[tuple[str, ...]]:
    """What known contacts do."""
    file = {"version": 1, "lists": {"vip": put_on}, "segments": SEGMENTS}
    found: list[tuple[str, ...]] = []
    for move in Simulator(compile_definitions(file), partitions).feed(lines):
        assert isinstance(move, Transition)
        if not move.contact_id.startswith("anon:"):
            found.append((move.contact_id, move.segment, move.type, str(move.effective_at), move.cause.kind))
    return found


@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.parametrize("story", STORIES)
def test_a_list_of_the_file_moves_as_the_records_that_an_apply_writes_of_it(story: str, partitions: int) -> None:
    lines = STORIES[story]
    assert _moves(lines, [DEVICE], partitions) == _moves([LISTED, *lines], [], partitions)


def test_whom_the_device_was_comes_onto_the_list_by_the_merge() -> None:
    moves = _moves(STORIES["a device of which none came"], [DEVICE], 1)
    assert [move[:3] + move[4:] for move in moves] == [("c1", "vip", "segment.entered", "merge")]


def _explained(case: Case, contact_id: str, *, again: bool) -> list[Any] | None:
    lines = [json.dumps(body).encode() for body in case.bodies]
    history = (lambda count: lines[:count]) if again else None
    replay = replay_lines(compile_definitions(case.file), lines, contact_id, case.until or 0, 3, history)
    if replay.contact is None:
        return None
    explainer: Explainer = replay.explainer()
    return [segment_view(each) for each in explainer.segments()]


@fuzzed(0.03)
@given(linking_cases(EVERYTHING))
def test_an_explanation_is_the_same_whether_links_are_followed_from_the_start_or_once_one_comes(case: Case) -> None:
    ids = {*DEVICES, *(body["contact_id"] for body in case.bodies if "contact_id" in body)}
    for contact_id in sorted(ids):
        assert _explained(case, contact_id, again=True) == _explained(case, contact_id, again=False)


def test_an_explanation_tells_that_the_list_came_with_the_device() -> None:
    file = {"version": 1, "lists": {"vip": [DEVICE]}, "segments": SEGMENTS}
    lines = [_line("track", 1, event="page_view"), LINK]
    replay = replay_lines(compile_definitions(file), lines, "c1", 2**45, history=lambda count: lines[:count])
    vip = segment_view(replay.explainer().segment("vip"))
    assert vip["member"] is True
    assert vip["since"]["cause"]["kind"] == "merge"


def test_where_no_link_comes_nothing_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a link is followed")

    file = {"version": 1, "lists": {"vip": []}, "segments": SEGMENTS}
    lines = [_line("track", minute, event="page_view") for minute in range(5)]
    monkeypatch.setattr(Partitions, "apply", never)
    replay = replay_lines(compile_definitions(file), lines, DEVICE, 2**45, history=lambda count: lines[:count])
    assert replay.contact is not None
    with pytest.raises(AssertionError, match="a link is followed"):
        replay_lines(compile_definitions(file), [*lines, LINK], DEVICE, 2**45, history=lambda count: lines[:count])
