"""Names of events as SDKs write them, and as records carry them."""

from __future__ import annotations

import re
import unicodedata

import hypothesis
import pytest
from hypothesis.strategies import text

from schemas.event_names import STANDARD_NAMES
from schemas.expectations import EVENT_NAME_PATTERN
from streams.collector.calls.event_names import EventName, event_name


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Product Viewed", "product_view"),
        ("Product Added", "cart_add"),
        ("Product Removed", "cart_remove"),
        ("Checkout Started", "checkout_start"),
        ("Order Completed", "purchase"),
        ("Email Delivered", "email_delivered"),
        ("Email Opened", "email_open"),
        ("Email Link Clicked", "email_click"),
        ("Email Bounced", "email_bounce"),
        ("Email Marked as Spam", "spam_complaint"),
        ("Unsubscribed", "unsubscribe"),
    ],
)
def test_the_fields_standard_names_have_their_own(given: str, expected: str) -> None:
    assert event_name(given) == EventName(expected)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("page_view", "page_view"),
        ("product_added", "product_added"),
        ("Loyalty Card Scanned", "loyalty_card_scanned"),
        ("loyaltyCardScanned", "loyalty_card_scanned"),
        ("HTMLFormSent", "html_form_sent"),
        ("cart-add / v2", "cart_add_v2"),
        ("  Signed   Up  ", "signed_up"),
    ],
)
def test_another_name_is_kept_where_it_can_be_and_becomes_snake_case_where_not(given: str, expected: str) -> None:
    assert event_name(given) == EventName(expected)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2 Items", "event_2_items"),
        ("Größe Gewählt", "grosse_gewahlt"),
        ("ÉtatChangé", "etat_change"),
        ("Œuvre Øre", "oeuvre_ore"),
        ("Product\u2009Added", "cart_add"),
        ("购买", "event_cc6f86bd"),
        ("Кнопка A", "a_5cbe93fe"),
        ("!!!", "event_e84c538e"),
        ("x" * 65, "x" * 55 + "_9537c5fd"),
        ("Word " * 20, "word_word_word_word_word_word_word_word_word_word_word_c4968d31"),
    ],
)
def test_a_name_that_cannot_be_kept_leads_to_the_same_other_one_each_time(given: str, expected: str) -> None:
    assert event_name(given) == EventName(expected, altered=True)


def test_two_names_that_lose_letters_stay_two_names() -> None:
    assert event_name("购买") != event_name("退款")
    assert event_name("x" * 65) != event_name("x" * 66)
    assert event_name("Product Added 购买") != event_name("Product Added")


def test_one_name_in_two_forms_of_unicode_is_one() -> None:
    assert event_name(unicodedata.normalize("NFC", "é购")) == event_name(unicodedata.normalize("NFD", "é购"))


@pytest.mark.parametrize("given", ["", "   ", "\n", "\u2003"])
def test_nothing_but_white_space_is_no_name(given: str) -> None:
    assert event_name(given) is None


@hypothesis.given(text())
def test_every_name_leads_to_one_that_records_may_have(given: str) -> None:
    name = event_name(given)
    if given.strip():
        assert name is not None
        assert re.fullmatch(EVENT_NAME_PATTERN, name.text)
        assert event_name(name.text) == EventName(name.text)
    else:
        assert name is None


def test_every_standard_name_is_one_that_records_may_have() -> None:
    assert all(event_name(name) == EventName(name) for name in STANDARD_NAMES.values())
