"""The body and the headers of a delivery (Standard Webhooks 1.0.0, symmetric signatures)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

import msgspec

from schemas.instants import format_instant
from schemas.transitions import Transition

HEADER_ID = "webhook-id"
HEADER_TIMESTAMP = "webhook-timestamp"
HEADER_SIGNATURE = "webhook-signature"


def webhook_body(transition: Transition, value: bytes) -> bytes:
    """The body of every attempt: the transition as it stands in Kafka (`value`), in its envelope."""
    envelope = {
        "type": transition.type,
        "timestamp": format_instant(transition.effective_at),
        "data": msgspec.Raw(value),
    }
    return msgspec.json.encode(envelope)


def webhook_headers(webhook_id: str, timestamp_s: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The headers of one attempt at `timestamp_s`, with one signature for each key."""
    signed = f"{webhook_id}.{timestamp_s}.".encode() + body
    signatures = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys]
    return {
        HEADER_ID: webhook_id,
        HEADER_TIMESTAMP: str(timestamp_s),
        HEADER_SIGNATURE: " ".join(f"v1,{signature}" for signature in signatures),
    }
