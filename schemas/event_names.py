"""The standard names of events that SDKs send, and what they are called in records."""

from __future__ import annotations

STANDARD_NAMES: dict[str, str] = {
    "page_viewed": "page_view",
    "screen_viewed": "screen_view",
    "product_viewed": "product_view",
    "product_added": "cart_add",
    "product_removed": "cart_remove",
    "checkout_started": "checkout_start",
    "order_completed": "purchase",
    "email_delivered": "email_delivered",
    "email_opened": "email_open",
    "email_link_clicked": "email_click",
    "email_bounced": "email_bounce",
    "email_marked_as_spam": "spam_complaint",
    "unsubscribed": "unsubscribe",
    "email_unsubscribed": "unsubscribe",
    "form_submitted": "form_submit",
    "application_opened": "app_use",
}
"""The field's standard names, in snake_case, for which Segue has a name of its own, and that name."""
