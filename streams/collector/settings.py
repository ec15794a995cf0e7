"""Settings of the collector."""

from __future__ import annotations

from pydantic import Field

from schemas.settings import OptionalFile
from streams.collector.guarding.access import WriteKeys
from streams.collector.guarding.addresses import Networks, Written
from streams.collector.guarding.origins import ANY, Origins
from streams.collector.providers.settings import HOOKS_DESCRIPTION, Hooks
from streams.link_keys import LINK_KEYS_DESCRIPTION, LinkKeys
from streams.spool.settings import SpoolSettings

EVENT_BYTES_MAX = 32 * 1024
BATCH_BYTES_MAX = 500 * 1024
BATCH_EVENTS_MAX = 2_500
BATCH_CONTEXT_BYTES_MAX = 4 * 1024
"""The context of a batch goes into each of its records, so it is bounded apart."""


class CollectorSettings(SpoolSettings):
    """Where it listens, who may write, and its bounds."""

    write_keys: WriteKeys = Field(
        default_factory=dict,
        description='Sources and their write keys, a JSON object: `{"website": "…"}`, beside those of `segue keys`. '
        "At least 8 characters each.",
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
    collector_origins: Origins = Field(
        default=(ANY,),
        description="Sites whose scripts may send events: origins such as `https://shop.example`, separated by commas, "
        "or `*` for all.",
    )
    collector_public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#@\s]+/?$",
        description="Address under which browsers reach the collector, such as `https://t.shop.example`; by default "
        "the one that a call names. Needed behind a proxy that ends TLS.",
    )
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
    collector_spool_after_ms: int = Field(
        default=500,
        ge=10,
        le=30_000,
        description="Milliseconds to wait for Kafka's ack before a record goes to the spool, where there is one. "
        "Less than SEGUE_COLLECTOR_LINK_WAIT_MS, or opens and clicks are answered before they are safe.",
    )
    collector_proxies: Networks = Field(
        default=(),
        description="Networks of proxies of your own, `10.0.0.0/8,fd00::/8`, whose `X-Forwarded-For` is believed.",
    )
    collector_addresses: Written = Field(
        default="none",
        description="How much of a client's address records keep: `none`, `truncated` (to /24, /48), or `full`.",
    )
    collector_address_calls_per_s: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Calls a second with a key that one client address may make; past it 429. 0: as many as it likes.",
    )
    collector_key_events_per_s: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Events a second that one key may send, if it has no bound of its own; past it 429. 0: no bound.",
    )
    collector_rate_burst_s: int = Field(
        default=10, ge=1, le=600, description="Seconds' worth of calls and events that may come at once after a rest."
    )
    collector_addresses_tracked: int = Field(
        default=100_000,
        ge=100,
        le=10_000_000,
        description="Client addresses, and keys, whose rate is kept, in 250 bytes each; the one seen longest ago goes.",
    )
    collector_head_timeout_ms: int = Field(
        default=10_000, ge=100, le=120_000, description="Milliseconds to wait for a request's head; past it 408."
    )
    collector_access_log: bool = Field(
        default=False,
        description="Whether each call is logged: method, way, status, duration, bytes and key; nothing of a person.",
    )
    consent: OptionalFile = Field(
        default=None, description="A YAML file that says which purposes events need (ops/security.md)."
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
