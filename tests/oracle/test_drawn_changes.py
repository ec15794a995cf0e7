"""The draws of changes leave nothing out, and do what they are there for: many of them move somebody."""

from __future__ import annotations

import json
from collections import Counter
from functools import lru_cache
from itertools import pairwise

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.oracle.changing import brute
from tests.oracle.drawn_changes import changing_cases
from tests.oracle.drawn_records import Case
from tests.oracle.driving import Body
from tests.oracle.history import clock_of
from tests.oracle.language import File
from tests.oracle.test_changes_against_oracle import COUNTS, EVERYTHING, SCORES
from tests.oracle.test_metamorphic_pipeline import without_members
from tests.oracle.timeline import Change
from tests.oracle.writer import Taste


@lru_cache
def drawn(taste: Taste, count: int) -> list[Case]:
    """The same cases every time."""
    found: list[Case] = []

    @seed(1)
    @settings(max_examples=count, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck))
    @given(changing_cases(taste))
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return found


def changes_of(case: Case) -> list[Body]:
    return [body for body in case.bodies if body["type"] == "definitions"]


def files_of(case: Case) -> list[File]:
    """All files of a case, as the log has them."""
    return [without_members(case).file, *(json.loads(body["definitions"]) for body in changes_of(case))]


def made(change: Change) -> bool:
    """Whether a change of definitions made the transition."""
    return change.cause["kind"] in ("definition", "backfill") and "event_id" not in change.cause


def test_many_changes_move_somebody_in_every_way() -> None:
    seen: Counter[str] = Counter()
    for case in drawn(COUNTS, 300):
        oracle = brute(case)
        moves = [change for change in oracle.changes if made(change)]
        seen["case"] += bool(moves)
        for change in moves:
            seen[change.type] += 1
            seen[change.cause["kind"]] += 1
            seen["entered again"] += change.type == "segment.entered" and change.sequence > 1
            seen["left, it is no more"] += change.segment not in oracle.file["segments"]
            seen["until then"] += change.valid_until is not None
        seen["comes after"] += sum(not made(change) for change in oracle.changes[len(oracle.changes) // 2 :])
    # What is drawn depends also on constants in modules that were imported before: the bounds leave room for that.
    wanted = {"case": 40, "segment.entered": 40, "segment.exited": 40, "definition": 60, "backfill": 10}
    wanted |= {"entered again": 3, "left, it is no more": 8, "until then": 3, "comes after": 150}
    assert {name: count for name, count in seen.items() if count < wanted[name]} == {}
    assert seen.keys() == wanted.keys()


def test_every_kind_of_change_is_drawn() -> None:
    seen: Counter[str] = Counter()
    for case in drawn(EVERYTHING, 300):
        names: set[str] = set()
        for before, after in pairwise(files_of(case)):
            olds, news = before["segments"], after["segments"]
            common = olds.keys() & news.keys()
            seen["added"] += bool(news.keys() - olds.keys())
            seen["removed"] += bool(olds.keys() - news.keys())
            seen["brought back"] += bool(names & (news.keys() - olds.keys()))
            names |= olds.keys()
            in_order = [name for name in olds if name in common]
            seen["in another order"] += in_order != [name for name in news if name in common]
            seen["same text"] += before == after
            seen["when"] += any(olds[name]["when"] != news[name]["when"] for name in common)
            seen["exit"] += any(olds[name].get("exit_when") != news[name].get("exit_when") for name in common)
            seen["labels alone"] += before != after and _unlabelled(before) == _unlabelled(after)
            for part in ("scores", "deduplicate", "zone"):
                seen[part] += before.get(part) != after.get(part)
    assert {name: count for name, count in seen.items() if count < 1} == {}


def _unlabelled(file: File) -> File:
    labels = ("tags", "description", "meta")
    bare = {
        name: {key: value for key, value in segment.items() if key not in labels}
        for name, segment in file["segments"].items()
    }
    return file | {"segments": bare, "lists": {}}


def test_changes_come_at_the_start_in_a_row_silently_and_in_the_millisecond_of_other_records() -> None:
    seen: Counter[str] = Counter()
    for case in drawn(COUNTS, 300):
        bodies = case.bodies
        seen["at the start"] += bodies[0]["type"] == "definitions"
        for before, after in pairwise(bodies):
            kinds = before["type"], after["type"]
            at_once = clock_of(before) == clock_of(after)
            seen["in a row"] += kinds == ("definitions", "definitions")
            seen["at once with one before"] += kinds[1] == "definitions" and at_once
            seen["at once with one after"] += kinds[0] == "definitions" and at_once
            seen["later than the one after"] += kinds[0] == "definitions" and clock_of(before) > clock_of(after)
        seen["silent"] += sum("silent" in body for body in changes_of(case))
    assert len(seen) == 6
    assert min(seen.values()) >= 10, seen


def test_scores_are_changed_under_contacts_that_have_some() -> None:
    moved = 0
    for case in drawn(SCORES, 300):
        if any(before.get("scores") != after.get("scores") for before, after in pairwise(files_of(case))):
            moved += sum(made(change) and bool(change.scores) for change in brute(case).changes)
    assert moved >= 15
