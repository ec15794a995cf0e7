"""What the senders tell with --wait while a worker runs, and lists that are applied, cut short and applied again."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner

from streams.cli import segue
from tests.live.workers import Place, published
from tests.support.waiting import wait_until

DEFINITIONS = """
version: 1
lists: {{vip: {vip}, big: {{file: big.csv}}}}
segments:
  vips: {{when: {{listed: vip}}}}
  bigs: {{when: {{listed: big}}}}
  parisians: {{when: {{trait: {{name: city, eq: Paris}}}}}}
  readers: {{when: {{consent: {{purpose: news, is: granted}}}}}}
  buyers: {{when: {{performed: {{event: purchase}}}}}}
"""


def _definitions(place: Place, vip: list[str], big: list[str]) -> str:
    (place.directory / "big.csv").write_text("".join(f"{each}\n" for each in big))
    return DEFINITIONS.format(vip=json.dumps(vip))


def _told(place: Place, *arguments: str) -> list[str]:
    """What a sender prints; in this process, which spares the start of another one."""
    outcome = CliRunner().invoke(segue, [*arguments, "--wait", "60"], env=place.commands.environment)
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout.splitlines()


def _sent(place: Place, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _told(place, *arguments, "--json")]


def _moves(place: Place, *arguments: str) -> list[str]:
    """What came of one record: `+` for an entry and `-` for an exit."""
    (line,) = _sent(place, *arguments)
    assert line["outcome"] == "applied"
    for transition in line["transitions"]:
        assert transition["cause"]["event_id"] == line["event_id"]
        assert transition["cause"]["position"] == line["position"]
        assert transition["contact_id"] == line["contact_id"]
    signs = {"segment.entered": "+", "segment.exited": "-"}
    return [signs[transition["type"]] + transition["segment"] for transition in line["transitions"]]


def test_each_sender_shows_what_came_of_its_record(place: Place) -> None:
    place.prepare("append", _definitions(place, [], []))
    place.worker()
    consent = ("--document", "form-v3", "--method", "web_form")
    assert _moves(place, "track", "c1", "purchase", "amount=3") == ["+buyers"]
    assert _moves(place, "track", "c1", "purchase") == [], "it was taken, and changed no membership"
    assert _moves(place, "identify", "c1", "city=Paris") == ["+parisians"]
    assert _moves(place, "identify", "c1", "city=null") == ["-parisians"]
    assert _moves(place, "identify", "c1", "--traits", '{"city": "Paris"}') == ["+parisians"]
    assert _moves(place, "consent", "c1", "news", "--granted", *consent) == ["+readers"]
    assert _moves(place, "consent", "c1", "news", "--denied", *consent) == ["-readers"]
    assert _moves(place, "list", "add", "vip", "c1") == ["+vips"]
    added = _sent(place, "list", "add", "vip", *(f"m{number}" for number in range(50)))
    assert [[one["segment"] for one in line["transitions"]] for line in added] == [["vips"]] * 50
    text = _told(place, "list", "remove", "vip", "m1", "m2", "m99", "--yes")
    assert [line.split(" at ")[0] for line in text[1:3]] == ["m1 left vips", "m2 left vips"]
    assert text[3] == "1 of 3 records: it was taken, and changed no membership"
    assert _moves(place, "erase", "c1", "--yes") == ["-vips", "-parisians", "-buyers"]


def test_records_that_are_dropped_are_told_from_those_that_change_nothing(place: Place) -> None:
    place.prepare("append", _definitions(place, [], []))
    place.worker()
    assert _sent(place, "track", "c1", "purchase", "--event-id", "e1")[0]["outcome"] == "applied"
    assert _sent(place, "identify", "c1", "city=Paris", "--event-id", "e1")[0]["outcome"] == "duplicate"
    assert _sent(place, "erase", "c1", "--yes")[0]["outcome"] == "applied"
    assert _sent(place, "track", "c1", "purchase", "--at", "2026-01-01T00:00:00Z")[0]["outcome"] == "erased"
    assert _sent(place, "erase", "c1", "--yes", "--at", "2026-01-01T00:00:00Z")[0]["outcome"] == "erased"
    text = _told(place, "track", "c1", "purchase", "--at", "2026-01-01T00:00:00Z")
    assert text[1].startswith("it was dropped: the contact was erased")
    again = _told(place, "track", "c1", "purchase")
    assert again[1].startswith("c1 entered buyers at "), "a later record makes a new contact"


def test_a_record_that_no_worker_takes_is_taken_by_the_next_one(place: Place) -> None:
    place.prepare("append", _definitions(place, [], []))
    alone = place.commands.run("track", "c1", "purchase", "--wait", "1")
    assert alone.returncode == 75
    assert "within 1 s: they are in the log" in alone.stderr
    place.worker()
    waiting = place.commands.run("track", "c1", "page_view", "--wait", "60")
    assert waiting.returncode == 0, waiting.tail()
    assert [(one["contact_id"], one["segment"]) for one in published(place.output())] == [("c1", "buyers")]


def test_lists_whose_apply_is_killed_again_and_again_come_out_once_for_every_contact(place: Place) -> None:
    first, second = [f"c{number}" for number in range(4_000)], [f"c{number}" for number in range(2_000, 6_000)]
    place.prepare("append", _definitions(place, ["v1"], []))
    place.worker()
    for big in (first, second):
        place.definitions.write_text(_definitions(place, ["v1"], big))
        before = sum(place.log_ends().values())
        for _ in range(2):
            _kill_amid_its_records(place, before)
            before = sum(place.log_ends().values())
        place.command("apply", str(place.definitions))
        assert place.command("apply", str(place.definitions)).stdout.startswith("nothing to do: ")
    _told(place, "list", "remove", "vip", "v1")
    place.command("apply", str(place.definitions))
    _told(place, "erase", "c5999", "--yes")
    place.wait_until_folded()
    moves: dict[str, list[str]] = {}
    for transition in published(place.output()):
        moves.setdefault(f"{transition['segment']} {transition['contact_id']}", []).append(transition["type"])
    entered, left = ["segment.entered"], ["segment.entered", "segment.exited"]
    stay = set(second)
    expected = {f"bigs {each}": entered if each in stay else left for each in [*first, *second]}
    assert moves == expected | {"vips v1": left, "bigs c5999": left}


def _kill_amid_its_records(place: Place, before: int) -> None:
    """Kill an apply when its first records are in the log. On a slow machine it may be through before that is seen."""
    applying = place.commands.start("apply", str(place.definitions))

    def begun_or_ended() -> bool:
        return applying.returncode is not None or sum(place.log_ends().values()) > before

    wait_until(begun_or_ended, 60, "the first list records")
    if applying.returncode is None:
        applying.kill()
