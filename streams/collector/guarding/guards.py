"""Puts together what stands at the front door, out of the settings."""

from __future__ import annotations

import time

from schemas.metrics import Meters
from streams.collector.front_door import Guards
from streams.collector.guarding.access import Access, Keyring
from streams.collector.guarding.consent_policy import read_consent_policy
from streams.collector.guarding.kept_keys import KeptKeys
from streams.collector.guarding.key_watch import KeyFeed, KeyWatch
from streams.collector.guarding.rates import Rates
from streams.collector.guarding.screening import Screening
from streams.collector.settings import CollectorSettings
from streams.ports import Clock


class _NoTopic:
    """A feed of keys where there is no topic."""

    begun_anew = answered = False
    position = 0

    def read(self, timeout_ms: int) -> None:  # noqa: ARG002 - the port's signature
        return None

    def close(self) -> None:
        return None


def make_guards(
    settings: CollectorSettings, clock: Clock, meters: Meters, feed: KeyFeed | None, kept: KeptKeys | None
) -> Guards:
    """What keeps callers out, and records. Raises `InputError` for a file that cannot serve."""
    keyring = Keyring(settings.write_keys)
    watch = KeyWatch(
        feed or _NoTopic(),
        keyring,
        clock,
        kept,
        interval_ms=settings.collector_check_interval_ms,
        needed=not settings.write_keys,
    )
    meters.gauge("segue_collector_keys_timestamp_seconds").set_function(lambda: watch.as_of_ms / 1000)
    rates = Rates(
        address_per_s=settings.collector_address_calls_per_s,
        key_events_per_s=settings.collector_key_events_per_s,
        burst_s=settings.collector_rate_burst_s,
        tracked_max=settings.collector_addresses_tracked,
        seconds=time.monotonic,
    )
    policy = None if settings.consent is None else read_consent_policy(settings.consent)
    screening = Screening(policy, settings.collector_addresses, settings.collector_proxies, meters)
    return Guards(Access(keyring, clock), watch, rates, screening)
