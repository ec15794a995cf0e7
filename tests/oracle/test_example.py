"""The example file of the language as a whole: it is valid, and each of its segments does what it is there for."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from streams.definition_files.reading import load_definition_file, read_definitions
from streams.segmentation import compile_definitions
from streams.segmentation.core import Core
from tests.oracle.driving import Body, assert_same, run_oracle
from tests.oracle.lines import DAY, HOUR, MINUTE, START_MS, did, erase, text_of, traits

PATH = Path(__file__).with_name("example.yaml")
FILE: dict[str, Any] = load_definition_file(PATH)
OTHER = "c3"
"""Not on the list."""


def _moves(bodies: list[Body], segment: str, until: int) -> list[tuple[int, str]]:
    """When the contact enters and leaves a segment; the core has it as the brute force has it."""
    assert_same(FILE, bodies, START_MS + until)
    oracle, _ = run_oracle(FILE, bodies, START_MS + until)
    return [
        (change.effective_at - START_MS, change.type.removeprefix("segment."))
        for change in oracle.changes
        if change.segment == segment
    ]


def _did(event: str, at: int, **properties: Any) -> Body:
    return did(event, at, contact=OTHER, properties=properties)


def test_the_file_is_valid_and_is_what_its_canonical_text_says() -> None:
    definitions = read_definitions(PATH)
    assert [segment.name for segment in definitions.segments] == list(FILE["segments"])
    assert definitions.lists == {"vip": ("c1", "c2")}
    assert definitions.deduplicate_ms == 48 * HOUR
    assert compile_definitions(load_definition_file(PATH)).hash == definitions.hash
    assert len(Core(definitions).program.segments) == 6


def test_a_decaying_score_with_hysteresis_is_not_warned_of() -> None:
    assert read_definitions(PATH).warnings == ()


def test_hot_leads_enter_at_seventy_and_stay_until_they_are_below_sixty() -> None:
    leaves = math.floor(7 * DAY * math.log2(70 / 59.9995)) + 1
    assert _moves([_did("email_click", 0) for _ in range(6)], "hot_leads", 10 * DAY) == []
    seven = [_did("email_click", 0) for _ in range(7)]
    assert _moves(seven, "hot_leads", 10 * DAY) == [(0, "entered"), (leaves, "exited")]


def test_points_for_carts_need_their_value_and_those_for_purchases_last_seven_days() -> None:
    clicks = [_did("email_click", 0) for _ in range(6)]
    for last, holds in (
        (_did("cart_add", 0, value=50), True),
        (_did("cart_add", 0, value=49.99), False),
        (_did("purchase", 0), True),
        (_did("unsubscribe", 0), False),
    ):
        assert bool(_moves([*clicks, last], "hot_leads", 0)) == holds
    regular = [_did("purchase", -day * DAY) | {"received_at": text_of(0)} for day in (8, 90, 120, 179)]
    assert _moves([*clicks, *regular[:3]], "hot_leads", 0) == []
    assert _moves([*clicks, *regular], "hot_leads", 0) == [(0, "entered")]


def test_cart_abandoners_enter_after_an_hour_and_leave_with_a_purchase() -> None:
    bodies = [_did("cart_add", 0, value=20), _did("purchase", 2 * HOUR, amount=20)]
    assert _moves(bodies, "cart_abandoners", DAY) == [(HOUR, "entered"), (2 * HOUR, "exited")]
    assert _moves(bodies[:1], "cart_abandoners", 9 * DAY) == [(HOUR, "entered"), (7 * DAY, "exited")]


def test_lapsing_enters_fifteen_days_after_the_last_click() -> None:
    bodies = [_did("email_click", 0), _did("email_click", DAY), _did("email_click", 20 * DAY)]
    assert _moves(bodies, "lapsing", 30 * DAY) == [(16 * DAY, "entered"), (20 * DAY, "exited")]


def test_falling_compares_thirty_days_with_the_thirty_before() -> None:
    bodies = [_did("email_open", day * DAY) for day in (0, 1, 2, 3)]
    assert _moves(bodies, "falling", 90 * DAY) == [(33 * DAY, "entered"), (60 * DAY, "exited")]


def test_three_campaigns_opened_among_the_last_five_delivered() -> None:
    bodies = [_did("email_delivered", at) for at in range(5)]
    bodies += [_did("email_open", 10 + at, campaign_id=campaign) for at, campaign in enumerate(["a", "b", "b", "c"])]
    bodies += [_did("email_delivered", 100 + at) for at in range(5)]
    assert _moves(bodies, "three_of_last_five", DAY) == [(13, "entered"), (104, "exited")]


def test_vips_are_on_the_list_or_have_spent_enough_and_stayed_long_enough() -> None:
    assert _moves([did("page_view", 5)], "vip", DAY) == [(5, "entered")]
    assert _moves([did("page_view", 5), erase(6), did("page_view", 7)], "vip", DAY) == [(5, "entered"), (6, "exited")]
    spent = [_did("purchase", 0, amount=499.99), _did("purchase", MINUTE, amount=0.01)]
    stayed = traits({"subscribed_at": "2024-03-02"}, HOUR, contact=OTHER)
    assert _moves(spent, "vip", DAY) == []
    assert _moves([*spent, stayed], "vip", 3 * DAY) == [(DAY, "entered")]


@pytest.mark.parametrize(
    ("purchases", "expected"), [(0, 0.0), (1, round(53 + 20 * math.log(101) / math.log(1001), 3)), (10, 100.0)]
)
def test_recency_frequency_and_money_weigh_fifty_thirty_and_twenty(purchases: int, expected: float) -> None:
    file = {**FILE, "segments": {"rated": {"when": {"score": {"name": "rfm", "gte": expected}}}}}
    bodies = [_did("purchase", 0, amount=100) for _ in range(purchases)] or [_did("page_view", 0)]
    assert_same(file, bodies, START_MS + 400 * DAY)
    oracle, _ = run_oracle(file, bodies)
    assert [change.scores for change in oracle.changes] == [{"rfm": expected}]
