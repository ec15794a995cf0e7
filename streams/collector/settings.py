"""Settings of the collector."""

from __future__ import annotations

from pydantic import Field

from schemas.settings import CommonSettings, OptionalFile
from streams.collector.access import WriteKeys
from streams.collector.addresses import Networks, Written
from streams.collector.providers.settings import HOOKS_DESCRIPTION, Hooks
from streams.link_keys import LINK_KEYS_DESCRIPTION, LinkKeys

EVENT_BYTES_MAX = 32 * 1024
BATCH_BYTES_MAX = 500 * 1024
BATCH_EVENTS_MAX = 2_500
BATCH_CONTEXT_BYTES_MAX = 4 * 1024
"""The context of a batch goes into each of its records, so it is bounded apart."""


class CollectorSettings(CommonSettings):
    """Where it listens, who may write, and its bounds."""

    write_keys: WriteKeys = Field(
        description='Sources and their write keys, a JSON object: `{"website": "…"}`. At least 8 characters each.'
    )
    link_keys: LinkKeys = Field(default_factory=dict, description=LINK_KEYS_DESCRIPTION)
    hooks: Hooks = Field(default_factory=dict, description=HOOKS_DESCRIPTION)
    collector_hook_fetch_timeout_ms: int = Field(
        default=5_000,
        ge=100,
        le=30_000,
        description="Milliseconds for fetching a certificate of Amazon SNS, or confirming a subscription there.",
    )
    collector_host: str = Field(default="127.0.0.1", description="Address that the collector listens on.")
    collector_port: int = Field(default=8080, ge=0, le=65_535, description="Port; 0 takes a free one and says which.")
    collector_queue_records: int = Field(
        default=20_000, ge=BATCH_EVENTS_MAX, le=1_000_000, description="Records waiting for Kafka; past it 503."
    )
    collector_queue_bytes: int = Field(
        default=64 * 1024**2,
        ge=16 * 1024**2,
        le=1024**3,
        description="Bytes of records waiting for Kafka; past it 503.",
    )
    collector_source_records: int = Field(
        default=10_000,
        ge=BATCH_EVENTS_MAX,
        le=1_000_000,
        description="Records of one source waiting for Kafka; past it 429, so that one source leaves room to others.",
    )
    collector_delivery_timeout_ms: int = Field(
        default=10_000, ge=1_000, le=120_000, description="Milliseconds to wait for Kafka's ack; past it 503."
    )
    collector_body_timeout_ms: int = Field(
        default=10_000, ge=100, le=120_000, description="Milliseconds to wait for a request's body; past it 408."
    )
    collector_link_wait_ms: int = Field(
        default=1_000,
        ge=0,
        le=10_000,
        description="Milliseconds that the answer to an open or a click waits for Kafka's ack; it is given anyway.",
    )
    collector_connections: int = Field(
        default=1_000, ge=10, le=100_000, description="Connections open at once; past it 503."
    )
    collector_check_interval_ms: int = Field(
        default=2_000, ge=100, le=60_000, description="Milliseconds between looks at Kafka's topics for readiness."
    )
    collector_proxies: Networks = Field(
        default=(),
        description="Networks of proxies of your own, `10.0.0.0/8,fd00::/8`, whose `X-Forwarded-For` is believed.",
    )
    collector_addresses: Written = Field(
        default="none",
        description="How much of a client's address records keep: `none`, `truncated` (to /24, /48), or `full`.",
    )
    machine_signs: OptionalFile = Field(
        default=None,
        description="YAML file of the names and networks of machines that open and click, in place of Segue's own.",
    )
    forms: OptionalFile = Field(
        default=None, description="YAML file of the forms that `POST /v1/form/FORM` takes; unset: none."
    )
    unsubscribe_purpose: str = Field(
        default="",
        max_length=128,
        description="Purpose whose consent an unsubscribe withdraws, where its link names none; empty: none.",
    )
