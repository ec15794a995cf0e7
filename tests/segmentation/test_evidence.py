"""What is told of each kind of condition: what is asked for, and what there is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.instants import format_instant
from streams.explaining.line_replay import replay_lines
from streams.explaining.replay import Replay
from streams.segmentation import compile_definitions
from streams.segmentation.conditions import LEAVES
from streams.segmentation.conditions.aggregate_spec import AggregateEvidence
from streams.segmentation.evidence import CountEvidence
from streams.segmentation.explanation import ExplainedNode, Explainer
from streams.segmentation.score_evidence import ScoreEvidence
from tests.segmentation.timeline import DAY, HOUR, MINUTE, START, segment


class Story:
    """Records of c1, and what is explained at an instant after them; instants are milliseconds after `START`."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def record(self, at: int, kind: str, **fields: Any) -> Story:
        body = {
            "type": kind,
            "event_id": f"e{len(self.lines) + 1}",
            "contact_id": "c1",
            "occurred_at": format_instant(START + at),
        }
        self.lines.append(json.dumps(body | fields).encode())
        return self

    def did(self, at: int, event: str, **properties: Any) -> Story:
        return self.record(at, "track", event=event, properties=properties)

    def replay(self, data: dict[str, Any], at: int) -> Replay:
        return replay_lines(compile_definitions(data), self.lines, "c1", START + at)

    def node(self, condition: dict[str, Any], at: int, **more: Any) -> ExplainedNode:
        return self.replay(segment(condition, **more), at).explainer().segment("s").when

    def told(self, condition: dict[str, Any], at: int, **more: Any) -> tuple[bool, str]:
        node = self.node(condition, at, **more)
        return node.holds, node.missing()


def known() -> Story:
    return Story().did(0, "page_view")


TWO_PURCHASES = known().did(HOUR, "purchase", amount=120.5).did(2 * HOUR, "purchase", amount=30)
T1, T2 = "2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"
OPENS = known().did(HOUR, "open").did(2 * HOUR, "open").did(2 * DAY, "open")
BORN = known().record(0, "identify", traits={"born": "1984-02-29", "plan": "pro", "tags": ["a", "b"]})
CONSENTED = known().record(HOUR, "consent", purpose="news", granted=True, document="d", method="m")
LISTED = known().record(HOUR, "list", list="vip", member=True).record(2 * HOUR, "list", list="vip", member=False)

SENTENCES: list[tuple[Story, int, dict[str, Any], bool, str]] = [
    (
        TWO_PURCHASES,
        DAY,
        {"performed": {"event": "purchase", "within": "30d", "at_least": 3}},
        False,
        f"purchase in 30d, at least 3 times: has 2 ({T2}, {T1})",
    ),
    (
        known(),
        DAY,
        {"performed": {"event": "purchase", "where": [{"property": "amount", "gte": 50}], "between": [1, 2]}},
        False,
        "purchase where amount >= 50, between 1 and 2 times: has none",
    ),
    (
        TWO_PURCHASES,
        DAY,
        {"not_performed": {"event": "purchase", "within": "30d"}},
        False,
        f"no purchase in 30d: has 2 ({T2}, {T1})",
    ),
    (
        TWO_PURCHASES,
        DAY,
        {"performed": {"event": "page_view", "since": {"event": "purchase"}}},
        False,
        f"page_view since the last purchase, at least 1 time: has none; since {T2}",
    ),
    (
        TWO_PURCHASES,
        DAY,
        {"performed": {"event": "page_view", "since": {"event": "purchase", "nth": 3}}},
        False,
        "page_view since the 3rd newest purchase, at least 1 time: has none; 1 since event missing, so nothing counts",
    ),
    (
        TWO_PURCHASES,
        DAY,
        {"aggregate": {"event": "purchase", "property": "amount", "function": "sum", "gte": 200}},
        False,
        f"sum of amount over purchase >= 200: is 150.5 over 2 events ({T2})",
    ),
    (
        known(),
        DAY,
        {"aggregate": {"event": "purchase", "property": "amount", "function": "avg", "within": "7d", "gt": 1}},
        False,
        "avg of amount over purchase in 7d > 1: is without a value",
    ),
    (
        TWO_PURCHASES,
        DAY,
        {"aggregate": {"event": "purchase", "property": "amount", "function": "max", "within": "7d", "gte": 100}},
        True,
        f"max of amount over purchase in 7d >= 100: is 120.5 ({T1})",
    ),
    (
        TWO_PURCHASES,
        DAY,
        {"aggregate": {"event": "purchase", "property": "amount", "function": "distinct", "gte": 3}},
        False,
        f"different values of amount over purchase >= 3: is 2 (30, 120.5) ({T2}, {T1})",
    ),
    (
        OPENS,
        2 * DAY,
        {"ratio": {"of": {"event": "open", "within": "1d"}, "to": {"event": "open"}, "lt": 0.25}},
        False,
        "open in 1d divided by open, < 0.25: is 1 / 3 = 0.333333",
    ),
    (
        OPENS,
        2 * DAY,
        {"ratio": {"of": {"event": "open"}, "to": {"event": "open", "within": "1d", "ago": "1d"}, "min": 3, "gte": 1}},
        False,
        "open divided by open in 1d, 1d ago, >= 1: counts 3 and 2, and the second must be at least 3",
    ),
    (
        TWO_PURCHASES,
        DAY,
        {"sequence": {"steps": [{"event": "page_view"}, {"event": "purchase"}], "within": "2h"}},
        True,
        f"page_view, then purchase within 2h: was page_view 2026-01-01T00:00:00Z, purchase {T1}",
    ),
    (
        TWO_PURCHASES,
        DAY,
        {"sequence": {"steps": [{"event": "page_view"}, {"event": "purchase"}], "within": "2h", "in_last": "1h"}},
        False,
        "page_view, then purchase within 2h, ended in the last 1h: "
        f"was page_view 2026-01-01T00:00:00Z, purchase {T2}, which is too long ago",
    ),
    (
        TWO_PURCHASES,
        DAY,
        {"sequence": {"steps": [{"event": "purchase"}, {"event": "open"}], "within": "1d"}},
        False,
        f"purchase, then open within 1d: has no such order; newest: purchase {T2}, open never",
    ),
    (BORN, DAY, {"trait": {"name": "plan", "in": ["free", "team"]}}, False,
     'trait plan one of "free", "team": is "pro" (set 2026-01-01T00:00:00Z)'),
    (BORN, DAY, {"trait": {"name": "tags", "contains": "c"}}, False,
     'trait tags contains "c": is "a", "b" (set 2026-01-01T00:00:00Z)'),
    (BORN, DAY, {"trait": {"name": "city", "exists": True}}, False, "trait city is set: is not set"),
    (BORN, DAY, {"trait": {"name": "born", "newer_than": "30d"}}, False,
     'trait born newer than 30d: is "1984-02-29" (set 2026-01-01T00:00:00Z)'),
    (
        BORN,
        DAY,
        {"anniversary": {"trait": "born", "days_before": 7, "days": 8}},
        False,
        "from 7 days before an anniversary of born, for 8 days: "
        "is 1984-02-29: days 2026-02-21 to 2026-02-28; today is 2026-01-02",
    ),
    (known(), DAY, {"anniversary": {"trait": "born"}}, False, "on an anniversary of born: has no date"),
    (CONSENTED, DAY, {"consent": {"purpose": "news", "is": "denied"}}, False,
     f"consent to news denied: is granted since {T1}"),
    (known(), DAY, {"consent": {"purpose": "news", "is": "granted"}}, False, "consent to news granted: is unknown"),
    (known(), DAY, {"known_for": "30d"}, False, "known for 30d: is known since 2026-01-01T00:00:00Z"),
]  # fmt: skip


@pytest.mark.parametrize(("story", "at", "condition", "holds", "sentence"), SENTENCES)
def test_what_is_asked_for_and_what_there_is(
    story: Story, at: int, condition: dict[str, Any], holds: bool, sentence: str
) -> None:
    assert story.told(condition, at) == (holds, sentence)


def test_every_kind_of_condition_has_words_of_its_own_and_a_sentence_here() -> None:
    told = {kind for _, _, condition, _, _ in SENTENCES for kind in condition} | {"listed", "score", "tier"}
    assert told == set(LEAVES)


def test_a_list_is_told_with_the_record_that_took_the_contact_off() -> None:
    condition = {"listed": "vip"}
    assert LISTED.told(condition, DAY, lists={"vip": []}) == (False, f"on the list vip: is not on it since {T2}")
    node = LISTED.node(condition, DAY, lists={"vip": []})
    assert node.evidence is not None
    assert node.since is not None
    assert (node.since.at_ms, node.since.cause and node.since.cause.event_id) == (START + 2 * HOUR, "e3")


def test_a_contact_on_a_list_of_the_file_is_on_it_from_the_start() -> None:
    assert known().told({"listed": "vip"}, DAY, lists={"vip": ["c1"]}) == (True, "on the list vip: is on it")


SCORE = {
    "half_life": "1d",
    "cap": 100,
    "points": [
        {"event": "open", "points": 8},
        {"event": "purchase", "points": 10, "expires_after": "7d"},
        {"while": {"performed": {"event": "page_view"}}, "points": 3},
        {"while": {"known_for": "30d"}, "points": 5},
    ],
    "tiers": {"cold": None, "warm": 20, "hot": 70},
}


def test_a_score_is_told_with_its_tier_and_its_parts() -> None:
    story = known().did(0, "open").did(0, "purchase")
    condition = {"score": {"name": "engagement", "gte": 70}}
    assert story.told(condition, DAY, scores={"engagement": SCORE}) == (
        False,
        "score engagement >= 70: is 17, tier cold",
    )
    evidence = story.node(condition, DAY, scores={"engagement": SCORE}).evidence
    assert isinstance(evidence, ScoreEvidence)
    assert evidence.found() == (
        "is 17, tier cold: 4 decaying + 10 expiring after 7d + 3 while performed: {event: page_view}"
    )
    assert [(part.condition, part.holds, part.points) for part in evidence.parts.whiles] == [
        ("performed: {event: page_view}", True, 3),
        ("known_for: 30d", False, 5),
    ]
    assert evidence.parts.expiring[0].next_expiry_ms == START + 7 * DAY
    assert {(each.event, each.points, each.at.event_id) for each in evidence.parts.newest} == {
        ("open", 8, "e2"),
        ("purchase", 10, "e3"),
    }


def test_a_score_at_its_cap_says_what_it_would_be_without() -> None:
    story = known()
    for minute in range(20):
        story.did(minute * MINUTE, "open")
    _, sentence = story.told({"tier": {"name": "e", "is": "cold"}}, 20 * MINUTE, scores={"e": SCORE})
    assert sentence.startswith("score e in the tier cold: is 100, tier hot, at its cap (else 16")


def test_a_mix_is_told_part_by_part() -> None:
    mix = {
        "mix": [
            {"weight": 50, "recency": {"event": "purchase", "over": "10d"}},
            {"weight": 30, "frequency": {"event": "purchase", "within": "10d", "full": 10}},
            {"weight": 20, "monetary": {"event": "purchase", "property": "amount", "within": "10d", "full": 301}},
        ]
    }
    story = TWO_PURCHASES
    node = story.node({"score": {"name": "rfm", "gte": 90}}, 5 * DAY + 2 * HOUR, scores={"rfm": mix})
    assert isinstance(node.evidence, ScoreEvidence)
    parts = node.evidence.parts.mix
    assert [(part.measure, part.part, part.points) for part in parts] == [
        ("recency", 0.5, 25),
        ("frequency", 0.2, 6),
        ("monetary", 0.5, 10),
    ]
    assert [[each.event_id for each in part.newest] for part in parts] == [["e3"], ["e3", "e2"], ["e3", "e2"]]
    assert node.evidence.found() == (
        "is 41: 25 recency of purchase + 6 frequency of purchase + 10 monetary of purchase"
    )


def test_events_that_share_an_instant_are_each_named() -> None:
    story = known().did(HOUR, "purchase").did(HOUR, "purchase").did(HOUR, "purchase", unlike=True)
    where = [{"property": "unlike", "exists": False}]
    evidence = story.node({"performed": {"event": "purchase", "where": where, "at_least": 5}}, DAY).evidence
    assert isinstance(evidence, CountEvidence)
    assert sorted(each.event_id or "" for each in evidence.newest) == ["e2", "e3"]


def from_state(replay: Replay) -> ExplainedNode:
    """Explained from the state alone, stored and loaded."""
    contact = replay.contact
    assert contact is not None
    raw = replay.core.encode(contact)
    assert raw is not None
    return Explainer(replay.core, replay.core.decode(contact.key, raw), replay.clock_ms).segment("s").when


def test_from_the_state_alone_a_count_may_be_larger_and_events_have_no_ids() -> None:
    story = known().did(HOUR, "purchase").did(2 * HOUR, "purchase").did(3 * HOUR, "purchase")
    replay = story.replay(segment({"performed": {"event": "purchase", "at_least": 2}}), DAY)
    node = from_state(replay)
    assert node.since is None
    assert isinstance(node.evidence, CountEvidence)
    assert (node.evidence.count, node.evidence.or_more) == (2, True)
    assert node.evidence.found() == f"has 2 or more (2026-01-01T03:00:00Z, {T2})"
    assert {each.event_id for each in node.evidence.newest} == {None}
    assert replay.explainer().segment("s").when.missing().endswith(f"has 3 (2026-01-01T03:00:00Z, {T2}, {T1})")


def test_from_the_state_alone_an_extreme_is_known_by_its_range() -> None:
    condition = {"aggregate": {"event": "purchase", "property": "amount", "function": "min", "gte": 10, "lt": 50}}
    node = from_state(TWO_PURCHASES.replay(segment(condition), DAY))
    assert isinstance(node.evidence, AggregateEvidence)
    assert (node.evidence.value, node.evidence.above, node.evidence.below) == (None, 10, 50)
    assert node.evidence.found() == f"is above 10 and below 50 ({T2})"


def test_after_an_erasure_nothing_of_before_is_evidence() -> None:
    story = Story().did(0, "purchase").record(HOUR, "erase").did(2 * HOUR, "purchase")
    node = story.node({"performed": {"event": "purchase"}}, DAY)
    assert node.missing() == f"purchase, at least 1 time: has 1 ({T2})"
    assert node.since is not None
    assert (node.since.at_ms, node.since.cause and node.since.cause.event_id) == (START + 2 * HOUR, "e3")


def test_a_segment_that_is_referred_to_is_told_once() -> None:
    inner, outer = {"performed": {"event": "purchase"}}, {"any": [{"in_segment": "inner"}, {"in_segment": "inner"}]}
    data = {"version": 1, "segments": {"outer": {"when": outer}, "inner": {"when": inner}}}
    explained = known().replay(data, DAY).explainer().segment("outer")
    first, second = explained.when.parts
    assert first.segment is not None
    assert first.segment.why_not is not None
    assert first.segment.when.missing() == "purchase, at least 1 time: has none"
    assert second.segment is None
    assert explained.why_not is not None
    assert [leaf.missing() for leaf in explained.why_not.leaves] == ["in the segment inner: is not"]
