"""Properties that are worked out from those that SDKs send."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from streams.collector.calls.properties import DERIVED, derive


@pytest.mark.parametrize(
    ("event", "sent", "worked_out"),
    [
        ("purchase", {"revenue": 50, "total": 60}, {"amount": 50}),
        ("purchase", {"total": 60.5}, {"amount": 60.5}),
        ("purchase", {"value": 7}, {"amount": 7}),
        ("purchase", {"revenue": "19.90"}, {"amount": 19.9}),
        ("purchase", {"revenue": "nineteen", "total": 60}, {"amount": 60}),
        ("order_refunded", {"total": 60}, {"amount": 60}),
        ("checkout_start", {"revenue": 30}, {"value": 30}),
        ("cart_add", {"price": 19.99, "quantity": 3}, {"value": 59.97}),
        ("cart_add", {"price": 0.1, "quantity": 3}, {"value": 0.3}),
        ("cart_add", {"price": 25}, {"value": 25}),
        ("cart_remove", {"price": "2.50", "quantity": "2"}, {"value": 5}),
        ("product_view", {"price": 0}, {"value": 0}),
    ],
)
def test_the_amount_and_the_value_are_worked_out(event: str, sent: dict[str, Any], worked_out: dict[str, Any]) -> None:
    assert derive(event, sent) == sent | worked_out


@pytest.mark.parametrize(
    ("event", "sent"),
    [
        ("purchase", {"amount": 5, "revenue": 50}),
        ("purchase", {}),
        ("purchase", {"revenue": True}),
        ("purchase", {"revenue": None, "total": "1e9", "value": []}),
        ("purchase", {"revenue": 10**400, "total": -(10**16), "value": float("nan")}),
        ("cart_add", {"value": 1, "price": 50}),
        ("cart_add", {"price": 5, "quantity": None}),
        ("cart_add", {"price": 5, "quantity": "two"}),
        ("cart_add", {"price": 1e15, "quantity": 2}),
        ("page_view", {"revenue": 50, "price": 5}),
    ],
)
def test_what_is_there_or_cannot_be_worked_out_is_left_as_it_is(event: str, sent: dict[str, Any]) -> None:
    assert derive(event, sent) == sent


@hypothesis.given(
    strategies.sampled_from(sorted(DERIVED)),
    strategies.dictionaries(
        strategies.sampled_from(["revenue", "total", "value", "price", "quantity"]),
        strategies.one_of(strategies.integers(), strategies.floats(), strategies.text(), strategies.booleans()),
    ),
)
def test_nothing_that_was_sent_is_changed_whatever_it_is(event: str, sent: dict[str, Any]) -> None:
    before = dict(sent)
    derived = derive(event, sent)
    assert repr(sent) == repr(before)
    assert repr({name: derived[name] for name in sent}) == repr(before)
