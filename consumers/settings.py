"""Settings of the consumers, on top of those that every process has."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from schemas.settings import CommonSettings

_SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret begins with, not one
_SEPARATORS = re.compile(r"[\s,]+")


def _split(value: object) -> object:
    return [part for part in _SEPARATORS.split(value) if part] if isinstance(value, str) else value


class ConsumerSettings(CommonSettings):
    """What every consumer of transitions has."""

    consumer_window: int = Field(
        default=500, ge=1, le=10_000, description="Transitions a partition may be ahead of its oldest unsettled one."
    )
    consumer_batch_max: int = Field(default=100, ge=1, le=1_000, description="Most transitions taken in at once.")
    consumer_drain_ms: int = Field(
        default=20_000,
        ge=100,
        le=240_000,
        description="Longest wait for deliveries under way at a stop or a rebalance, milliseconds.",
    )
    consumer_session_timeout_ms: int = Field(
        default=10_000,
        ge=1_000,
        le=120_000,
        description="Silence after which the group gives a consumer's partitions away, milliseconds.",
    )
    consumer_commit_interval_ms: int = Field(
        default=500, ge=50, le=10_000, description="Pause between commits of the group's offset, milliseconds."
    )
    consumer_kafka_timeout_ms: int = Field(
        default=10_000, ge=1_000, le=60_000, description="Longest wait for an answer of Kafka, milliseconds."
    )
    consumer_redis_timeout_ms: int = Field(
        default=5_000, ge=100, le=60_000, description="Longest wait for an answer of Redis, milliseconds."
    )
    consumer_patience_ms: int = Field(
        default=30_000,
        ge=0,
        le=240_000,
        description="How long Kafka and Redis may be away when a partition is assigned, milliseconds.",
    )
    consumer_host: str = Field(default="127.0.0.1", description="Address of /metrics, /healthz and /readyz.")
    consumer_port: int = Field(
        default=0, ge=0, le=65_535, description="Port of /metrics, /healthz and /readyz; 0 takes a free one."
    )


class WebhookSettings(ConsumerSettings):
    """What the webhook consumer has besides."""

    webhook_url: str | None = Field(default=None, description="Where transitions are sent; `--url` goes before it.")
    webhook_secrets: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)] = Field(
        default=(),
        max_length=8,
        description="Signing secrets, `whsec_` and 24 to 64 bytes in Base64, separated by commas or spaces: "
        "the new one first, the old one until every receiver has changed.",
    )
    webhook_allow_private: bool = Field(
        default=False, description="Send to addresses that are not public: loopback, private networks, link-local."
    )
    webhook_ca_file: Path | None = Field(
        default=None, description="Certificates (PEM) to trust besides the public authorities."
    )
    webhook_concurrency: int = Field(default=16, ge=1, le=256, description="Attempts under way at once.")
    webhook_timeout_ms: int = Field(
        default=15_000, ge=100, le=120_000, description="Longest duration of an attempt, milliseconds."
    )
    webhook_response_max_bytes: int = Field(
        default=16_384, ge=0, le=1_048_576, description="Bytes of an answer's body that are read."
    )
    webhook_resolve_ttl_ms: int = Field(
        default=30_000, ge=0, le=3_600_000, description="How long a checked address is kept, milliseconds."
    )
    webhook_pause_steps_s: Annotated[tuple[float, ...], NoDecode, BeforeValidator(_split)] = Field(
        default=(5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400),
        min_length=1,
        max_length=32,
        description="Pauses of the endpoint after the first, second… failure in a row, seconds.",
    )
    webhook_pause_max_s: float = Field(
        default=1_800, gt=0, le=86_400, description="Bound on those pauses, seconds: an endpoint back is seen by then."
    )
    webhook_pause_jitter_ratio: float = Field(
        default=0.2, ge=0, le=1, description="Largest share of a pause that is added to it at random."
    )
    webhook_retry_after_min_s: float = Field(
        default=1, gt=0, le=60, description="Shortest pause that a receiver may ask for with Retry-After, seconds."
    )
    webhook_retry_after_max_s: float = Field(
        default=86_400, gt=0, le=604_800, description="Longest pause that a receiver may ask for, seconds."
    )
    webhook_attempts_max: int = Field(
        default=10,
        ge=1,
        le=1_000,
        description="Failures after which a delivery is dead-lettered, if the endpoint takes other ones meanwhile.",
    )
    webhook_dead_letters_max: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Deliveries in the dead-letter list; the consumer stops there."
    )

    @field_validator("webhook_pause_steps_s")
    @classmethod
    def _positive(cls, steps: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < step <= 86_400 for step in steps):
            raise ValueError("expected seconds above 0, at most 86400, separated by commas")
        return steps

    @field_validator("webhook_secrets")
    @classmethod
    def _well_formed(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for number, secret in enumerate(secrets, start=1):
            length = len(secret_key(secret))
            if not 24 <= length <= 64:
                raise ValueError(
                    f"secret {number} of {len(secrets)}: expected 24 to 64 bytes in Base64, found {length}"
                )
        return secrets


def secret_key(secret: SecretStr) -> bytes:
    """The key in `whsec_…`. Raises `ValueError`, without the secret in its text."""
    text = secret.get_secret_value()
    if not text.startswith(_SECRET_PREFIX):
        raise ValueError(f"expected a secret that begins with {_SECRET_PREFIX}")
    try:
        return base64.b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"expected Base64 after {_SECRET_PREFIX}") from None
