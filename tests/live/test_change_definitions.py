"""Definitions are changed from the command line while two workers serve: planned, applied, listed, rolled back."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from schemas.errors import EXIT_BAD_INPUT
from tests.live.workers import Place
from tests.support.waiting import wait_until

BEFORE = """
version: 1
scores:
  engagement:
    points: [{event: email_open, points: 5}, {event: purchase, points: 20}]
    tiers: {cold: null, warm: 10}
segments:
  openers: {when: {performed: {event: email_open, at_least: 2}}}
  buyers: {tags: [money], when: {performed: {event: purchase}}}
  warm: {when: {tier: {name: engagement, is: warm}}}
"""
AFTER = """
version: 1
scores:
  engagement:
    points: [{event: email_open, points: 5}, {event: purchase, points: 20}]
    tiers: {cold: null, warm: 15}
segments:
  openers: {when: {performed: {event: email_open, at_least: 3}}}
  clickers: {when: {performed: {event: email_click}}}
  warm: {when: {tier: {name: engagement, is: warm}}}
"""
MARCH = "2026-03-01T10:00:00Z"


def _events(path: Path, contacts: int) -> Path:
    """Contact N opens N modulo 4 times; each third one clicks, each fifth buys."""
    lines = []
    for number in range(contacts):
        names = ["email_open"] * (number % 4) + ["email_click"] * (number % 3 == 0) + ["purchase"] * (number % 5 == 0)
        lines += [
            {
                "type": "track",
                "event_id": f"{number}-{place}",
                "contact_id": f"contact-{number:03}",
                "event": name,
                "occurred_at": MARCH,
            }
            for place, name in enumerate(names)
        ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def _told(place: Place, kind: str = "definition") -> Counter[tuple[str, str]]:
    moves = [json.loads(message.value) for message in place.output()]
    return Counter((move["segment"], move["type"]) for move in moves if move["cause"]["kind"] == kind)


def _json(place: Place, *arguments: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(place.command(*arguments, "--json").stdout)
    return body


def test_a_change_is_planned_applied_and_rolled_back_while_two_workers_serve(place: Place, tmp_path: Path) -> None:
    place.prepare("append", BEFORE)
    place.pair()
    place.command("load", str(_events(tmp_path / "events.jsonl", 60)))
    place.wait_until_folded()
    after = tmp_path / "after.yaml"
    after.write_text(AFTER)

    plan = _json(place, "plan", str(after))
    found = {one["segment"]: (one["change"], one["entering"], one["leaving"]) for one in plan["segments"]}
    assert found == {
        "openers": ("changed", 0, 15),
        "clickers": ("added", 20, 0),
        "warm": ("changed", 0, 12),
        "buyers": ("removed", 0, 12),
    }
    sample = next(one for one in plan["segments"] if one["segment"] == "openers")["samples"][0]
    assert sample["contact_id"] == "contact-002"
    assert "has 2" in sample["before"]["conditions"][0]
    assert sample["after"] == {"member": False, "conditions": [sample["after"]["conditions"][0]]}
    assert plan["contacts"] == plan["looked_at"] == 52
    assert _told(place) == Counter(), "a plan tells nobody anything"

    refused = place.commands.run("apply", str(after), timeout_s=60)
    assert refused.returncode == EXIT_BAD_INPUT
    assert "--yes" in refused.tail()
    done = _json(place, "apply", str(after), "--yes", "-m", "fewer openers", "--author", "ann")
    assert done["written"] == [0, 1, 2, 3]
    place.wait_until_folded()
    assert _told(place) == {
        ("openers", "segment.exited"): 15,
        ("clickers", "segment.entered"): 20,
        ("warm", "segment.exited"): 12,
        ("buyers", "segment.exited"): 12,
    }
    assert _json(place, "apply", str(after), "--yes")["written"] == []

    listed = [(one["number"], one["message"], one["waiting"]) for one in _json(place, "definitions")["definitions"]]
    assert listed == [(1, "", []), (2, "fewer openers", [])]
    assert "+        at_least: 3" in place.command("definitions", "diff", "1", "2").stdout

    place.command("apply", "--rollback", "--yes", "--silent")
    place.wait_until_folded()
    assert _told(place, "backfill") == {
        ("openers", "segment.entered"): 15,
        ("clickers", "segment.exited"): 20,
        ("warm", "segment.entered"): 12,
        ("buyers", "segment.entered"): 12,
    }
    moves = [json.loads(one.value) for one in place.output()]
    sequences = {move["sequence"] for move in moves if move["cause"]["kind"] == "backfill"}
    assert sequences == {2, 3}


def test_the_log_with_its_changes_is_folded_again_to_the_same_state_and_output(place: Place, tmp_path: Path) -> None:
    place.prepare("append", BEFORE)
    worker = place.worker()
    place.command("load", str(_events(tmp_path / "events.jsonl", 60)))
    after = tmp_path / "after.yaml"
    after.write_text(AFTER)
    place.wait_until_folded()
    place.command("apply", str(after), "--yes")
    place.command("load", str(_events(tmp_path / "more.jsonl", 80)))
    place.wait_until_folded()
    place.command("apply", "--rollback", "1", "--yes")
    place.wait_until_folded()
    wait_until(lambda: not list(place.redis.scan_iter(match=f"{place.names.namespace}:*:g1:*")), 30, "g1 removed")
    worker.terminate()
    state, output = place.state(), _told_by_partition(place)
    place.forget_state()
    place.worker()
    place.wait_until_folded()
    wait_until(lambda: place.state() == state, 30, "the same state")
    assert _told_by_partition(place) == output


def _told_by_partition(place: Place) -> list[tuple[int, int, bytes]]:
    """All that was told, as it lies in each partition: in which turn partitions are read is not said."""
    told = [(one.partition, one.seq, one.value) for one in place.output()]
    return sorted(told, key=lambda each: each[0])
