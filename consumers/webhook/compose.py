"""Puts the webhook sink together from its settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from consumers.clock import Clock
from consumers.runner import Surroundings
from consumers.settings import WebhookSettings, secret_key
from consumers.sink import Sink
from consumers.webhook.addresses import Pin, RefusedAddressError, parse_endpoint, resolve_by_system
from consumers.webhook.breaker import Breaker
from consumers.webhook.dead_letters import DeadLetters
from consumers.webhook.endpoint_state import EndpointState
from consumers.webhook.policy import Pauses
from consumers.webhook.sender import Sender, transport_maker
from consumers.webhook.sink import WebhookSink
from schemas.errors import InputError
from schemas.settings import load_settings

log = logging.getLogger(__name__)


def load_webhook_settings(url: str | None, *, allow_private: bool) -> WebhookSettings:
    """The settings of the environment under what the command line says. Raises `InputError`."""
    settings = load_settings(WebhookSettings)
    changes = {"webhook_url": url, "webhook_allow_private": allow_private or None}
    return settings.model_copy(update={name: value for name, value in changes.items() if value is not None})


def webhook_url(settings: WebhookSettings) -> str:
    """Where to send. Raises `InputError` when nothing says so, or when nothing is there to sign with."""
    if settings.webhook_url is None:
        raise InputError("no URL to send to: give --url, or set SEGUE_WEBHOOK_URL")
    if not settings.webhook_secrets:
        raise InputError(
            "nothing to sign with: set SEGUE_WEBHOOK_SECRETS; `segue consumer webhook secret` makes a new secret"
        )
    return settings.webhook_url


@asynccontextmanager
async def open_sender(settings: WebhookSettings, clock: Clock) -> AsyncIterator[Sender]:
    """A sender to the URL of the settings. Raises `InputError` when its address is not allowed."""
    endpoint = parse_endpoint(webhook_url(settings))
    pin = Pin(
        endpoint,
        clock,
        settings.webhook_resolve_ttl_ms / 1000,
        allow_private=settings.webhook_allow_private,
        resolve=resolve_by_system,
    )
    try:
        await pin.addresses()
    except RefusedAddressError as error:
        raise InputError(f"--url: {error}") from None
    except OSError as error:
        log.warning("%s cannot be resolved now: %s", endpoint.origin, error)
    sender = Sender(
        endpoint,
        pin,
        transport_maker(settings.webhook_ca_file),
        [secret_key(secret) for secret in settings.webhook_secrets],
        clock,
        timeout_s=settings.webhook_timeout_ms / 1000,
        response_max_bytes=settings.webhook_response_max_bytes,
    )
    try:
        yield sender
    finally:
        await sender.aclose()


@asynccontextmanager
async def webhook_sink(
    settings: WebhookSettings, role: str, surroundings: Surroundings, *, enable: bool
) -> AsyncIterator[Sink]:
    """The sink of consumer `role`. Raises `InputError` when its endpoint is disabled and not to be enabled."""
    redis, meters, clock = surroundings
    state = EndpointState(redis, settings.names, role, webhook_url(settings))
    await _require_enabled(state, enable=enable)
    dead_letters = DeadLetters(redis, settings.names, role, settings.webhook_dead_letters_max)
    paused = meters.gauge("segue_webhook_paused")
    breaker = Breaker(_pauses(settings), clock, lambda is_paused: paused.set(int(is_paused)))
    async with open_sender(settings, clock) as sender:
        sink = WebhookSink(
            sender,
            breaker,
            dead_letters,
            state,
            meters,
            clock,
            concurrency=settings.webhook_concurrency,
            attempts_max=settings.webhook_attempts_max,
        )
        counting = asyncio.create_task(sink.count_dead_letters())
        try:
            yield sink
        finally:
            counting.cancel()
            with suppress(asyncio.CancelledError):
                await counting


async def _require_enabled(state: EndpointState, *, enable: bool) -> None:
    if enable:
        await state.enable()
        return
    moment = await state.disabled_at()
    if moment is not None:
        raise InputError(
            f"the endpoint answered 410 Gone at {moment} and is disabled: start with --enable to send to it again, "
            "or with another --url"
        )


def _pauses(settings: WebhookSettings) -> Pauses:
    return Pauses(
        steps_s=settings.webhook_pause_steps_s,
        max_s=settings.webhook_pause_max_s,
        jitter_ratio=settings.webhook_pause_jitter_ratio,
        retry_after_min_s=settings.webhook_retry_after_min_s,
        retry_after_max_s=settings.webhook_retry_after_max_s,
    )
