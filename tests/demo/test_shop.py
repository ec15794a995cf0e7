"""The shop's visitors, and whether the demo's definitions have something to say about them within a minute."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count, cycle
from random import Random
from typing import Any

from schemas.instants import format_instant
from schemas.records import ContactRecord, DefinitionsRecord, Tick, validate_record
from schemas.transitions import Transition
from streams.collector.calls.event_names import event_name
from streams.definition_files.reading import load_definition_file
from streams.demo.shop import GUESTS, MEMBERS, VISITS, Action, Shopper, shoppers, visit
from streams.demo.stack import DEFINITIONS
from streams.demo.why import Phrases
from streams.detecting.settings import DetectorSettings
from streams.segmentation import Core, Fold, compile_definitions
from tests.demo.records import START_MS

MINUTE_MS = 60_000


def definitions() -> dict[str, Any]:
    data: dict[str, Any] = load_definition_file(DEFINITIONS)
    return data


def test_people_have_different_contact_ids_and_guests_are_known_by_a_cookie_alone() -> None:
    people = shoppers()
    assert len({one.contact_id for one in people}) == MEMBERS + GUESTS
    assert Shopper(None, "g", "free").contact_id == "anon:g"
    assert Shopper("ada-1", None, "gold").contact_id == "ada-1"


def test_the_same_chance_makes_the_same_visit_and_a_member_says_who_it_is_on_the_first() -> None:
    member, guest = Shopper("ada-1", None, "gold"), Shopper(None, "g", "free")
    once, again = (list(visit(member, Random(3), first=True)) for _ in range(2))
    assert once == again
    assert (once[0].way, once[0].properties["plan"]) == ("identify", "gold")
    assert "identify" not in {action.way for action in visit(member, Random(3), first=False)}
    assert "identify" not in {action.way for action in visit(guest, Random(3), first=True)}


def test_every_kind_of_visit_comes_through_a_way_in_and_all_ways_are_used() -> None:
    ways = set()
    for _, kind in VISITS:
        for seed in range(20):
            for action in kind(Shopper("ada-1", None, "gold"), Random(seed)):
                ways.add(action.way)
                assert action.pause_s >= 0
                assert bool(action.event) == (action.way in {"track", "batch"})
                assert bool(action.campaign) == (action.way in {"open", "click"})
    assert ways == {"track", "batch", "open", "click"}


def test_a_gateway_follows_as_many_links_of_an_email_at_once_as_the_detector_takes_for_a_burst() -> None:
    bursts = []
    for _, kind in VISITS:
        clicks = [one for one in kind(Shopper("ada-1", None, "gold"), Random(1)) if one.way == "click"]
        if len({click.link for click in clicks}) >= DetectorSettings().thresholds.burst_links:
            bursts.append(clicks)
    (clicks,) = bursts
    assert len({click.campaign for click in clicks}) == 1
    assert not any(click.pause_s or click.machine for click in clicks), "at the door it looks like a person"


def events_of(action: Action) -> list[str]:
    if action.way == "identify":
        return []
    if action.way in {"open", "click"}:
        return ["email_open" if action.way == "open" else "email_click"]
    name = event_name(action.event)
    assert name is not None
    return [name.text] * max(1, len(action.ages_s))


def fold_one_minute(seed: int, visitors: int) -> list[Transition]:
    """What a minute in the shop leads to, at the speed of arithmetic: all that moved, by time too."""
    chance, ids, tie = Random(seed), count(), count()
    people = shoppers()
    chance.shuffle(people)
    everybody, known = cycle(people), set()
    fold = Fold(Core(compile_definitions(definitions())))
    # Instant, tie, who, the rest of the visit, and the action that is due then.
    agenda: list[tuple[int, int, Shopper, Iterator[Action], Action | None]] = [
        (START_MS + number * 60, next(tie), next(everybody), iter(()), None) for number in range(visitors)
    ]
    while agenda:
        now_ms, _, shopper, rest, due = heapq.heappop(agenda)
        if now_ms > START_MS + MINUTE_MS:
            continue
        fold.fire(now_ms, 0)
        for record in [] if due is None else records_of(shopper, due, now_ms, ids):
            fold.apply(record, 0, now_ms)
        following = next(rest, None)
        pause_s = chance.uniform(0, 3) if following is None else following.pause_s
        if following is None:
            shopper = next(everybody)
            rest = visit(shopper, chance, first=shopper.contact_id not in known)
            known.add(shopper.contact_id)
        heapq.heappush(agenda, (now_ms + int(pause_s * 1000), next(tie), shopper, rest, following))
    fold.fire(START_MS + MINUTE_MS, 0)
    return fold.emitted


def records_of(shopper: Shopper, action: Action, now_ms: int, ids: Iterator[int]) -> Iterator[ContactRecord]:
    """What the collector makes of an action."""
    common = {"contact_id": shopper.contact_id, "occurred_at": format_instant(now_ms)}
    bodies: list[dict[str, object]] = [{"type": "track", "event": event} for event in events_of(action)]
    if action.way == "identify":
        bodies = [{"type": "identify", "traits": action.properties}]
    for body in bodies:
        record = validate_record(common | body | {"event_id": str(next(ids))})
        assert not isinstance(record, Tick | DefinitionsRecord)
        yield record


def test_within_a_minute_every_segment_is_entered_and_all_but_the_plan_are_left_by_time_alone() -> None:
    moves = {(one.segment, one.type, one.cause.kind) for one in fold_one_minute(seed=1, visitors=25)}
    names = list(definitions()["segments"])
    assert {segment for segment, kind, _ in moves if kind == "segment.entered"} == set(names)
    left_by_time = {segment for segment, kind, cause in moves if (kind, cause) == ("segment.exited", "timer")}
    # The lowest tier is left by a rising score, and a plan is for ever.
    assert left_by_time == set(names) - {"tier_cold", "gold_members"}
    entered_by_time = {segment for segment, kind, cause in moves if (kind, cause) == ("segment.entered", "timer")}
    assert {"cart_abandoners", "clicked_not_bought", "tier_cold", "tier_warm"} <= entered_by_time


def test_within_ten_seconds_time_alone_has_moved_somebody_in_and_out() -> None:
    early = [one for one in fold_one_minute(seed=2, visitors=25) if one.effective_at < START_MS + 10_000]
    kinds = {(one.type, one.cause.kind) for one in early}
    assert {("segment.entered", "event"), ("segment.entered", "timer"), ("segment.exited", "timer")} <= kinds


def test_every_move_by_time_has_a_phrase_and_every_move_by_an_event_is_put_in_words() -> None:
    phrases = Phrases(definitions())
    for one in fold_one_minute(seed=1, visitors=25):
        words = phrases.why(one)
        assert words != "time passed", f"{one.segment} {one.type}"
        assert not words.startswith("did "), words
        if one.segment.startswith("tier_") and one.cause.kind == "event":
            assert words.endswith(f"engagement {one.scores['engagement']:.3g}")
