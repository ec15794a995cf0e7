"""What the webhook consumer sends is what the generated schema says."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from consumers.webhook.signature import webhook_body, webhook_headers
from schemas.documents import GENERATED
from schemas.headers import WebhookHeaders
from schemas.transitions import decode_transition, known_transition
from schemas.webhooks import WebhookBody

TRANSITION = (
    Path(__file__).resolve().parents[2] / "schemas" / "examples" / "valid" / "transition.entered.json"
).read_bytes()


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((GENERATED / f"{name}.schema.json").read_text()))


def test_a_delivery_s_body_is_as_documented() -> None:
    transition = decode_transition(TRANSITION)
    body = webhook_body(transition, TRANSITION)
    validator("webhook_body").validate(json.loads(body))
    assert known_transition(WebhookBody.model_validate(json.loads(body)).data) == transition


def test_a_delivery_s_headers_are_as_documented() -> None:
    headers = webhook_headers("id-1", 1_795_255_200, b"{}", [b"k" * 24, b"l" * 24])
    validator("webhook_headers").validate(headers)
    assert set(headers) == {field.alias for field in WebhookHeaders.model_fields.values()}
