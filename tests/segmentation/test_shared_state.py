"""Conditions that rest on the same past share one state, and nothing is stored that no condition asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.instants import format_instant
from schemas.records import Track, decode_record
from schemas.transitions import Transition
from streams.segmentation import Core, compile_definitions
from tests.segmentation.timeline import DAY, HOUR, MINUTE, START, Timeline, definitions, segment

Condition = dict[str, Any]


def core_of(*conditions: Condition, **more: Any) -> Core:
    return Core(
        compile_definitions(definitions({f"s{n}": {"when": when} for n, when in enumerate(conditions)}, **more))
    )


def state_and_bits(core: Core) -> tuple[int, int]:
    """Units that keep something, and leaves that are told apart."""
    program = core.program
    leaves = 0
    for unit in program.units:
        leaves |= unit.mask
    return len(program.units), leaves.bit_count()


def filtered(*where: Condition, **more: Any) -> Condition:
    return {"performed": {"event": "x", "where": list(where), **more}}


BIG, RED = {"property": "a", "gte": 5}, {"property": "colour", "eq": "red"}
SUM: Condition = {"event": "x", "property": "a", "function": "sum", "within": "1d"}
RATIO: Condition = {"of": {"event": "x", "within": "1d"}, "to": {"event": "y", "within": "1d"}}
MEANS_THE_SAME = [
    ({"performed": {"event": "x", "within": "24h"}}, {"performed": {"within": "1d", "event": "x"}}),
    ({"performed": {"event": "x"}}, {"performed": {"event": "x", "at_least": 1, "where": []}}),
    ({"performed": {"event": "x", "exactly": 0}}, {"not_performed": {"event": "x"}}),
    ({"performed": {"event": "x", "at_most": 0}}, {"performed": {"event": "x", "between": [0, 0]}}),
    (filtered(BIG, RED), filtered({"eq": "red", "property": "colour"}, {"gte": 5, "property": "a"})),
    ({"aggregate": {**SUM, "gte": 1}}, {"aggregate": {**SUM, "within": "24h", "gte": 1.0}}),
    ({"known_for": "7d"}, {"known_for": "1w"}),
    ({"trait": {"name": "a", "older_than": "1w"}}, {"trait": {"older_than": "7d", "name": "a"}}),
    ({"ratio": {**RATIO, "gte": 1}}, {"ratio": {**RATIO, "min": 1, "gte": 1}}),
]


@pytest.mark.parametrize(("one", "other"), MEANS_THE_SAME)
def test_conditions_that_mean_the_same_are_one_however_they_are_written(one: Condition, other: Condition) -> None:
    assert state_and_bits(core_of(one, other)) == (1, 1)


ONE_PAST = [
    ({"performed": {"event": "x"}}, {"performed": {"event": "x", "at_least": 3}}),
    ({"performed": {"event": "x", "within": "7d"}}, {"not_performed": {"event": "x", "within": "1h"}}),
    ({"aggregate": {**SUM, "gte": 1}}, {"aggregate": {**SUM, "function": "avg", "lt": 9}}),
    ({"aggregate": {**SUM, "function": "distinct", "gte": 2}}, {"aggregate": {**SUM, "function": "distinct", "lt": 9}}),
    ({"ratio": {**RATIO, "gte": 1}}, {"ratio": {**RATIO, "min": 5, "lt": 1}}),
]


@pytest.mark.parametrize(("one", "other"), ONE_PAST)
def test_different_questions_about_one_past_share_its_state(one: Condition, other: Condition) -> None:
    assert state_and_bits(core_of(one, other)) == (1, 2)


APART = [
    ({"performed": {"event": "x"}}, {"performed": {"event": "y"}}),
    ({"performed": {"event": "x"}}, {"performed": {"event": "x", "include_machine": True}}),
    ({"performed": {"event": "x"}}, {"performed": {"event": "x", "since": {"event": "y"}}}),
    (filtered(BIG), filtered(RED)),
    (filtered({"property": "a", "eq": 1}), filtered({"property": "a", "eq": True})),
    (filtered({"property": "a", "eq": 1}), filtered({"property": "a", "eq": "1"})),
    ({"aggregate": {**SUM, "gte": 1}}, {"aggregate": {**SUM, "within": "2d", "gte": 1}}),
    ({"consent": {"purpose": "a", "is": "granted"}}, {"consent": {"purpose": "a", "is": "denied"}}),
]


@pytest.mark.parametrize(("one", "other"), APART)
def test_conditions_about_different_things_share_nothing(one: Condition, other: Condition) -> None:
    assert state_and_bits(core_of(one, other)) == (2, 2)


def test_a_tier_and_the_same_bounds_on_its_score_are_one_condition() -> None:
    scores = {"s": {"points": [{"event": "x", "points": 1}], "tiers": {"low": None, "mid": 3, "top": 7}}}
    tier, bounds = {"tier": {"name": "s", "is": "mid"}}, {"score": {"name": "s", "gte": 3, "lt": 7}}
    assert state_and_bits(core_of(tier, bounds, scores=scores)) == (1, 1)


# --- sharing shows in no transition

WINDOWS = st.sampled_from([None, "1m", "2m", "5m"])
COUNTS = st.one_of(
    st.fixed_dictionaries({"at_least": st.integers(1, 4)}),
    st.fixed_dictionaries({"at_most": st.integers(0, 3)}),
    st.fixed_dictionaries({"exactly": st.integers(0, 3)}),
    st.tuples(st.integers(0, 2), st.integers(2, 4)).map(lambda pair: {"between": list(pair)}),
)


@st.composite
def counts(draw: st.DrawFn) -> Condition:
    within, since = draw(WINDOWS), draw(st.sampled_from([None, None, {"event": "y", "nth": 2}]))
    body = {"event": "x", **draw(COUNTS)}
    return {"performed": body | ({"within": within} if within else {}) | ({"since": since} if since else {})}


@st.composite
def totals(draw: st.DrawFn) -> Condition:
    name = draw(st.sampled_from(["sum", "avg", "distinct"]))
    bound = draw(st.sampled_from(["gte", "gt", "lt", "lte", "eq"]))
    within = draw(st.sampled_from([None, "2m"]))
    body = {"event": "x", "property": "a", "function": name, bound: draw(st.integers(0, 4))}
    return {"aggregate": body | ({"within": within} if within else {})}


@st.composite
def ratios(draw: st.DrawFn) -> Condition:
    bound = draw(st.sampled_from(["gte", "gt", "lt", "lte"]))
    spans = {"of": {"event": "x", "within": "1m"}, "to": {"event": "x", "within": "2m", "ago": "1m"}}
    return {"ratio": {**spans, "min": draw(st.integers(1, 3)), bound: draw(st.sampled_from([0, 0.5, 1, 2]))}}


@st.composite
def stories(draw: st.DrawFn) -> list[Track]:
    """Events on half minutes, some of them late."""
    clock, events = 0, []
    for number in range(draw(st.integers(1, 14))):
        clock += draw(st.integers(0, 4)) * MINUTE // 2
        body = {
            "type": "track",
            "event_id": f"e{number}",
            "contact_id": "c1",
            "event": draw(st.sampled_from(["x", "x", "y"])),
            "occurred_at": format_instant(START + clock - draw(st.integers(0, 3)) * MINUTE // 2),
            "received_at": format_instant(START + clock),
            "properties": {"a": draw(st.integers(0, 3))},
        }
        record = decode_record(json.dumps(body).encode())
        assert isinstance(record, Track)
        events.append(record)
    return events


def played(core: Core, events: list[Track], stored_at: frozenset[int] = frozenset()) -> tuple[list[Transition], bytes]:
    """All transitions up to a day later, and what is stored then; the contact is stored at some events on the way."""
    contact, found = core.new("c1"), list[Transition]()

    def pass_time(now_ms: int) -> None:
        while contact.next_due is not None and contact.next_due <= now_ms:
            core.fire(contact, now_ms, (0, 1), found)

    for number, event in enumerate(events):
        now_ms = event.received_at
        assert now_ms is not None
        pass_time(now_ms)
        core.apply(contact, event, now_ms, (0, 1), found)
        if number in stored_at:
            raw = core.encode(contact)
            assert raw is not None
            contact = core.decode(contact.key, raw)
    pass_time(START + DAY)
    raw = core.encode(contact)
    assert raw is not None
    return found, raw


def essence(transitions: list[Transition], name: str) -> list[tuple[str, int, int | None]]:
    return [(one.type, one.effective_at, one.valid_until) for one in transitions if one.segment == name]


@settings(max_examples=300, deadline=None)
@given(st.one_of(*(st.lists(kind(), min_size=2, max_size=5) for kind in (counts, totals, ratios))), stories())
def test_sharing_shows_in_no_transition(conditions: list[Condition], events: list[Track]) -> None:
    together, _ = played(core_of(*conditions), events)
    for number, condition in enumerate(conditions):
        alone, _ = played(core_of(condition), events)
        assert essence(together, f"s{number}") == essence(alone, "s0")


EVERY_KIND: list[Condition] = [
    {"performed": {"event": "x", "within": "2m", "at_least": 2}},
    {"performed": {"event": "x", "within": "1m"}},
    {"performed": {"event": "x", "since": {"event": "y"}, "within": "2m"}},
    {"aggregate": {"event": "x", "property": "a", "function": "sum", "gte": 3, "within": "2m"}},
    {"aggregate": {"event": "x", "property": "a", "function": "sum", "gte": 3, "since": {"event": "y", "nth": 2}}},
    {"aggregate": {"event": "x", "property": "a", "function": "distinct", "gte": 2, "within": "2m"}},
    {"aggregate": {"event": "x", "property": "a", "function": "max", "gte": 2, "within": "2m"}},
    {"aggregate": {"event": "x", "property": "a", "function": "min", "gte": 1, "since": {"event": "y"}}},
    {"ratio": {"of": {"event": "x", "within": "1m"}, "to": {"event": "x", "within": "1m", "ago": "1m"}, "gte": 1}},
    {"sequence": {"steps": [{"event": "x"}, {"event": "y"}], "within": "1m", "in_last": "1m"}},
    {"sequence": {"steps": [{"event": "x"}, {"event": "x"}, {"event": "y"}], "within": "2m"}},
    {"score": {"name": "fresh", "gte": 2}},
    {"score": {"name": "mixed", "gte": 40}},
]
SCORES: dict[str, Any] = {
    "fresh": {"expires_after": "2m", "points": [{"event": "x", "points": 1}]},
    "mixed": {
        "mix": [
            {"weight": 50, "recency": {"event": "x", "over": "2m"}},
            {"weight": 25, "frequency": {"event": "x", "within": "2m", "full": 2}},
            {"weight": 25, "monetary": {"event": "x", "property": "a", "within": "2m", "full": 5}},
        ]
    },
}
ALL = core_of(*EVERY_KIND, scores=SCORES)


@settings(max_examples=300, deadline=None)
@given(stories(), st.frozensets(st.integers(0, 13)))
def test_where_a_contact_is_stored_on_the_way_shows_in_no_byte(events: list[Track], stored_at: frozenset[int]) -> None:
    assert played(ALL, events, stored_at) == played(ALL, events)


def test_a_value_that_comes_back_beside_another_stands_where_it_would_if_it_had_been_forgotten() -> None:
    # Its old time is of no use; whether a store on the way has dropped it must not decide on the order of equal times.
    story = Timeline(segment({"aggregate": {**SUM, "within": "1m", "function": "distinct", "gte": 5}}))
    for minute, value in ((0, 1), (5, 2), (5, 1)):
        story.track(minute * MINUTE, "x", properties={"a": value})
    values, _ = story.contact().slots[0]
    assert [value for _, value in values] == [2, 1]


# --- what is stored


@pytest.mark.parametrize("condition", EVERY_KIND[:4] + EVERY_KIND[5:7] + EVERY_KIND[8:10] + EVERY_KIND[11:], ids=str)
def test_a_window_stores_nothing_older_than_itself(condition: Condition) -> None:
    story = Timeline(segment(condition, scores=SCORES))
    for at in range(3):
        story.track(at, "x", properties={"a": at})
    story.record(HOUR, "identify", traits={"anything": "else"})
    story.store_and_load()
    assert not story.contact().slots


def test_a_long_window_of_few_and_a_short_one_of_many_keep_no_more_than_both_need() -> None:
    few = {"performed": {"event": "x", "within": "30d"}}
    many = {"performed": {"event": "x", "within": "1h", "at_least": 100}}
    story = Timeline(definitions({"few": {"when": few}, "many": {"when": many}}))
    for minute in range(300):
        story.track(minute * MINUTE, "x")
    story.store_and_load()
    times, _ = story.contact().slots[0]
    assert len(times) == 60
    story.record(10 * HOUR, "identify", traits={})
    story.store_and_load()
    times, _ = story.contact().slots[0]
    assert times == [START + 299 * MINUTE]


def test_totals_since_an_event_keep_nothing_from_before_it() -> None:
    since = {"event": "x", "property": "a", "function": "sum", "gte": 100, "since": {"event": "y"}}
    story = Timeline(segment({"aggregate": since}))
    for minute in range(10):
        story.track(minute * MINUTE, "x", properties={"a": 1})
    story.track(5 * MINUTE, "y", seen=HOUR)
    story.store_and_load()
    entries, _ = story.contact().slots[0]
    assert [entry.at_ms - START for entry in entries] == [minute * MINUTE for minute in range(6, 10)]


def test_a_search_for_one_segment_does_not_stop_where_only_others_flip() -> None:
    story = Timeline(definitions({f"s{n}": {"when": {"performed": {"event": "x", "within": f"{n}h"}}} for n in (1, 9)}))
    story.track(0, "x")
    core, contact = story.simulator.core, story.simulator.contact("c1")
    assert contact is not None
    (unit,) = core.program.units
    longer = next(segment for segment in core.program.segments if segment.name == "s9")
    assert unit.look(contact, START)[1] == START + HOUR
    assert unit.look_for(longer.all_read, contact, START) == (longer.all_read & unit.mask, START + 9 * HOUR)


def test_a_sequence_that_happened_is_true_for_ever_and_keeps_one_time_a_step() -> None:
    steps = [{"event": "x"}, {"event": "y"}]
    story = Timeline(segment({"sequence": {"steps": steps, "within": "1h"}}))
    for at in range(5):
        story.track(at, "x")
    story.track(6, "y")
    assert story.contact().slots[0] == [[START + 4], [START + 6]]
    # Two thousand more of the first step, and still nobody forgets that it happened.
    for at in range(2_000):
        story.track(7 + at, "x")
    assert story.moves() == [("in", 6)]
    assert story.contact().slots[0] == [[START + 4], [START + 6]]


def test_only_facts_that_a_condition_reads_are_kept() -> None:
    story = Timeline(segment({"trait": {"name": "plan.name", "eq": "pro"}}))
    story.record(0, "identify", traits={"plan": {"name": "pro"}, "city": "Lyon"})
    story.record(1, "consent", purpose="mail", granted=True, document="d", method="m")
    story.record(2, "list", list="vip", member=True)
    assert story.contact().facts == {"trait:plan": (START, {"name": "pro"})}
