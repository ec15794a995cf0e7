"""Names of events as SDKs write them, and as records carry them."""

from __future__ import annotations

import pytest

from streams.collector.event_names import STANDARD_NAMES, event_name


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
    assert event_name(given) == expected


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
    assert event_name(given) == expected


@pytest.mark.parametrize("given", ["", "   ", "!!!", "2 Items", "Größe Gewählt", "x" * 65, "Word " * 20])
def test_a_name_that_would_have_to_be_guessed_is_refused(given: str) -> None:
    assert event_name(given) is None


def test_every_standard_name_is_one_that_records_may_have() -> None:
    assert all(event_name(name) == name for name in STANDARD_NAMES.values())
