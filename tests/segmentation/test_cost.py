"""What definitions cost for one contact: in words, in bytes that no contact exceeds, and what touches it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from schemas.instants import LAST_INSTANT_MS, format_instant
from schemas.records import Erase, Track, decode_record
from streams.cli.check import command
from streams.segmentation import Core, compile_definitions
from streams.segmentation.cost import Cost, PlaceCost, cost_of
from streams.segmentation.stored import decode_stored
from tests.segmentation.test_shared_state import EVERY_KIND, SCORES
from tests.segmentation.timeline import MINUTE, SECOND, START, definitions

MORE_KINDS: list[dict[str, Any]] = [
    {"performed": {"event": "x", "at_least": 1000}},
    {"aggregate": {"event": "x", "property": "a", "function": "avg", "gte": 3}},
    {"aggregate": {"event": "x", "property": "id", "function": "distinct", "gte": 700}},
    {"ratio": {"of": {"event": "x"}, "to": {"event": "y", "within": "1d", "ago": "30d"}, "gte": 1}},
    {"sequence": {"steps": [{"event": "y"}, {"event": "never_done"}], "within": "1d"}},
    {"trait": {"name": "plan.name", "eq": "pro"}},
    {"trait": {"name": "plan.since", "older_than": "1d"}},
    {"consent": {"purpose": "mail", "is": "granted"}},
    {"listed": "vip"},
    {"score": {"name": "decaying", "gte": 3}},
    {"score": {"name": "lasting", "gte": 3}},
]
MORE_SCORES = {
    "decaying": {"half_life": "1h", "points": [{"event": "x", "points": 1e15, "per": "a"}]},
    "lasting": {"points": [{"event": "y", "points": 2.5}, {"event": "x", "points": 1, "expires_after": "2m"}]},
}


def file_of(*conditions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return definitions({f"s{number}": {"when": when} for number, when in enumerate(conditions)}, **more)


EVERYTHING = compile_definitions(
    file_of(*EVERY_KIND, *MORE_KINDS, scores={**SCORES, **MORE_SCORES}, lists={"vip": []}, deduplicate="1h")
)


def place(cost: Cost, name: str) -> PlaceCost:
    return next(each for each in cost.places if each.place.name == name)


def drawn_record(chance: random.Random, number: int, now_ms: int) -> Any:
    """A record with values and ids of every size."""
    event_id = f"{number}-" + chance.choice(["e", "\U0010ffff" * 120])
    at_ms = now_ms - chance.choice([0, 0, 0, 1, 30 * SECOND, 10 * MINUTE])
    body: dict[str, Any] = {
        "event_id": event_id,
        "contact_id": "\U0010ffff" * 256,
        "occurred_at": format_instant(at_ms),
    }
    match chance.randrange(20):
        case 0:
            plan = chance.choice([None, {"name": "p" * chance.randrange(400)}, {"n": [10**30] * 3}])
            body |= {"type": "identify", "traits": {"plan": plan, "other": "x"}}
        case 1:
            body |= {"type": "consent", "purpose": "mail", "granted": True, "document": "d", "method": "m"}
        case 2:
            body |= {"type": "list", "list": "vip", "member": chance.random() < 0.5}
        case _:
            value = chance.choice([1, 0.1, 1e15, -1e15, 123456789.123456789, [5, 1e14, -3.3]])
            ident = chance.choice(
                [number, "\U0010ffff" * 128, "long" * 99, f"\U0010ffff{number}" * 15, 10**40 + number]
            )
            properties = {"a": value, "id": ident}
            body |= {"type": "track", "event": chance.choice("xxxy"), "properties": properties}
    return decode_record(json.dumps(body).encode())


@pytest.mark.parametrize("seed", range(2))
def test_no_stored_contact_is_larger_than_the_cost_says(seed: int) -> None:
    chance, core, cost = random.Random(seed), Core(EVERYTHING), cost_of(EVERYTHING)
    contact, now_ms, largest = core.new("somebody"), START, 0
    core.apply(contact, erasure(now_ms), now_ms, (0, 1), [])
    for number in range(3_500):
        now_ms += chance.choice([0, 1, 10, 10, 50])
        while contact.next_due is not None and contact.next_due <= now_ms:
            core.fire(contact, now_ms, (0, 1), [])
        core.apply(contact, drawn_record(chance, number, now_ms), now_ms, (0, 1), [])
        if number % 50 == 0 or 995 < number < 1005:
            raw = core.encode(contact)
            assert raw is not None
            traits = [value for name, (_, value) in decode_stored(raw).facts.items() if name.startswith("trait:")]
            sent = sum(len(json.dumps(value)) for value in traits)
            assert len(raw) <= cost.bytes_max + sent
            largest = max(largest, len(raw))
            for unit in core.program.units:
                assert size(unit.store(contact.slots[unit.index])) <= size(unit.largest()), unit.keeps()
    assert largest > 150_000, "the case comes near no bound"


def erasure(now_ms: int) -> Erase:
    return Erase(type="erase", event_id="gone", contact_id="somebody", occurred_at=format_instant(now_ms - 1))  # type: ignore[arg-type]  # the field reads text


def size(stored: Any) -> int:
    return len(msgspec.msgpack.encode(stored))


@pytest.mark.parametrize(
    ("condition", "event"),
    [
        ({"performed": {"event": "x", "at_least": 3}}, "x"),
        ({"performed": {"event": "x", "within": "3650d", "between": [2, 9]}}, "x"),
        ({"performed": {"event": "x", "since": {"event": "x", "nth": 20}}}, "x"),
        ({"not_performed": {"event": "x"}}, "x"),
        ({"sequence": {"steps": [{"event": "x"}, {"event": "never_done"}], "within": "1d"}}, "x"),
    ],
)
def test_the_bytes_of_counts_are_exactly_those_of_a_contact_that_is_full(condition: dict[str, Any], event: str) -> None:
    core = Core(compile_definitions(file_of(condition)))
    contact = core.new("c")
    for number in range(1_100):
        body = {"type": "track", "event_id": str(number), "contact_id": "c", "event": event}
        record = decode_record(json.dumps({**body, "occurred_at": "2026-01-01T00:00:00Z"}).encode())
        assert isinstance(record, Track)
        core.apply(contact, record, START, (0, 1), [])
    (unit,) = core.program.units
    full, most = size(contact.slots[0]), size(unit.largest())
    never = size([LAST_INSTANT_MS] * 1000) if "sequence" in condition else 0
    assert full == most - (never and never - 1)


def test_all_parts_together_are_the_whole_contact() -> None:
    cost = cost_of(EVERYTHING)
    assert sum(kept.bytes_max or 0 for kept in (*cost.base, *cost.kept)) == cost.bytes_max
    assert [kept.words for kept in cost.kept if kept.bytes_max is None] == [("trait plan: latest value and its time",)]


def test_what_is_shared_counts_once_and_names_who_shares_it() -> None:
    shared = {"performed": {"event": "purchase", "within": "30d", "at_least": 3}}
    cost = cost_of(compile_definitions(file_of(shared, {"all": [shared, {"known_for": "1d"}]}, {"in_segment": "s1"})))
    (kept,) = cost.kept
    assert kept.words == ("purchase: newest 3 times in 30d",)
    assert [str(each) for each in kept.places] == ["segments.s0", "segments.s1", "segments.s2"]
    assert place(cost, "s0").bytes_max == place(cost, "s2").bytes_max == size([[LAST_INSTANT_MS] * 3, []])


def test_it_is_said_what_touches_a_segment() -> None:
    conditions: list[dict[str, Any]] = [
        {"performed": {"event": "purchase", "since": {"event": "cart_add"}}},
        {"any": [{"trait": {"name": "plan.name", "eq": "pro"}}, {"consent": {"purpose": "mail", "is": "denied"}}]},
        {"all": [{"in_segment": "s0"}, {"not": {"listed": "vip"}}, {"known_for": "7d"}]},
    ]
    cost = cost_of(compile_definitions(file_of(*conditions, lists={"vip": []})))
    found = {each.place.name: (each.events, each.facts, each.timed) for each in cost.places}
    assert found == {
        "s0": (("cart_add", "purchase"), (), False),
        "s1": ((), ("consent:mail", "trait:plan"), False),
        "s2": (("cart_add", "purchase"), ("list:vip",), True),
    }


def test_a_score_costs_also_what_its_points_while_a_condition_holds_rest_on() -> None:
    points: list[dict[str, Any]] = [
        {"event": "x", "points": 1},
        {"while": {"performed": {"event": "y", "within": "1d", "at_least": 4}}, "points": 10},
    ]
    cost = cost_of(compile_definitions(file_of({"score": {"name": "s", "gte": 5}}, scores={"s": {"points": points}})))
    for name in ("s0", "s"):
        assert [kept.words[0] for kept in place(cost, name).kept] == [
            "y: newest 4 times in 1d",
            "score s: sum of points",
        ]
        assert (place(cost, name).events, place(cost, name).timed) == (("x", "y"), True)


WORDS = {
    "sum": "a of x where b = 1: up to 1,000 entries of time, count and sum in 30d",
    "distinct": "a of x where b = 1: newest 6 different values in 30d",
    "max": "a of x where b = 1: newest time at, below and above 5 in 30d",
}


@pytest.mark.parametrize("function", WORDS)
def test_words_say_which_events_and_which_window(function: str) -> None:
    where = [{"property": "b", "eq": 1}]
    body = {"event": "x", "where": where, "property": "a", "within": "30d", "function": function, "gte": 5}
    assert cost_of(compile_definitions(file_of({"aggregate": body}))).kept[0].words == (WORDS[function],)


FILE = """
version: 1
scores:
  engagement: {half_life: 7d, points: [{event: email_open, points: 5}]}
segments:
  buyers: {when: {performed: {event: purchase, within: 365d, at_least: 2}}}
  silent: {when: {not_performed: {event: purchase, within: 30d}}}
  pro:
    when: {all: [{trait: {name: plan, eq: pro}}, {score: {name: engagement, gte: 10}}]}
    exit_when: {score: {name: engagement, lt: 5}}
"""


def checked(tmp_path: Path, *options: str) -> str:
    path = tmp_path / "definitions.yaml"
    path.write_text(FILE)
    outcome = CliRunner().invoke(command, [str(path), *options])
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def test_the_command_shows_the_cost_within_eighty_columns(tmp_path: Path) -> None:
    lines = checked(tmp_path, "--cost").splitlines()
    assert max(map(len, lines)) <= 80 + len(str(tmp_path))
    text = "\n".join(" ".join(line.split()) for line in lines)
    for words in (
        "segment buyers 21\npurchase: newest 2 times in 365d 21\nshared with silent\ntouched by purchase, time alone\n",
        "touched by email_open, trait plan, time alone",
        "trait plan: latest value and its time as sent",
        "up to 10,000 ids of the records of 2d",
    ):
        assert words in text


def test_the_command_gives_the_cost_as_data(tmp_path: Path) -> None:
    found = json.loads(checked(tmp_path, "--cost", "--json"))["cost"]
    assert {each["name"]: each["events"] for each in found["segments"]} == {
        "buyers": ["purchase"],
        "silent": ["purchase"],
        "pro": ["email_open"],
    }
    silent = found["segments"][1]
    assert silent["keeps"][0]["shared_with"] == ["segments.buyers"]
    assert (silent["traits"], silent["time_alone"], silent["bytes_max"]) == ([], True, 21)
    assert found["contact"]["bytes_max"] == sum(each["bytes_max"] or 0 for each in found["contact"]["kept"])
    assert "cost" not in json.loads(checked(tmp_path, "--json"))
