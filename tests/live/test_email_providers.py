"""What e-mail providers tell, from their calls to transitions: every provider's events move the same segments."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from schemas.kafka_connection import KafkaConnection
from schemas.metrics import Meters
from streams.adapters.kafka.intake import KafkaIntake
from streams.adapters.kafka.topics import KafkaTopics
from streams.collector.app import create_app
from streams.collector.settings import CollectorSettings
from tests.collector.doubles import MemoryFetcher, StillClock
from tests.collector.providers import test_brevo, test_mailgun, test_postmark, test_sendgrid, test_ses
from tests.collector.providers.hooks import (
    CERTIFICATE_URL,
    HOOKS,
    Call,
    brevo,
    certificate,
    hooks_setting,
    mailgun,
    postmark,
    sendgrid,
    ses,
)
from tests.live.workers import Place, published
from tests.support.waiting import wait_until, wait_until_async

DEFINITIONS = """
version: 1
segments:
  reached: {when: {performed: {event: email_delivered}}}
  readers: {when: {performed: {event: email_open, where: [{property: campaign_id, eq: welcome}]}}}
  fetched: {when: {performed: {event: email_open, include_machine: true}}}
  clickers: {when: {performed: {event: email_click, where: [{property: link_url, eq: "https://shop.example/sale"}]}}}
  hard: {when: {performed: {event: email_bounce, where: [{property: bounce_type, eq: hard}]}}}
  soft: {when: {performed: {event: email_bounce, where: [{property: bounce_type, eq: soft}]}}}
  complained: {when: {performed: {event: spam_complaint}}}
  gone: {when: {performed: {event: unsubscribe}}}
  opened_twice: {when: {performed: {event: email_open, include_machine: true, at_least: 2}}}
"""
MOVED = {
    "delivered": {"reached"},
    "open": {"readers", "fetched"},
    "machine": {"fetched"},
    "click": {"clickers"},
    "hard": {"hard"},
    "soft": {"soft"},
    "complaint": {"complained"},
    "unsubscribe": {"gone"},
}
SALE = "https://shop.example/sale"
ENVIRONMENT = {
    "SEGUE_WRITE_KEYS": '{"website": "website-write-key"}',
    "SEGUE_HOOKS": json.dumps(HOOKS),
    "SEGUE_COLLECTOR_CHECK_INTERVAL_MS": "100",
}


def _sendgrid(now_s: int) -> Call:
    """One batch, in which a bad event lies between good ones."""
    events: dict[str, tuple[str, dict[str, Any]]] = {
        "delivered": ("delivered", {}),
        "open": ("open", {}),
        "machine": ("open", {"sg_machine_open": True}),
        "click": ("click", {"url": SALE}),
        "hard": ("bounce", {"type": "bounce"}),
        "soft": ("bounce", {"type": "blocked"}),
        "complaint": ("spamreport", {}),
        "unsubscribe": ("unsubscribe", {}),
    }
    batch: list[Any] = [
        test_sendgrid.event(kind, number, contact_id=f"sendgrid-{name}", **more)
        for number, (name, (kind, more)) in enumerate(events.items())
    ]
    return sendgrid([*batch[:3], {"event": "open"}, *batch[3:]], signed_at_s=now_s)


def _mailgun(now_s: int) -> Iterable[Call]:
    machine = {"client-info": {"user-agent": "Mozilla/5.0"}}
    events: dict[str, tuple[str, dict[str, Any]]] = {
        "delivered": ("delivered", {}),
        "open": ("opened", {}),
        "machine": ("opened", machine),
        "click": ("clicked", {"url": SALE}),
        "hard": ("failed", {"severity": "permanent", "reason": "bounce"}),
        "soft": ("failed", {"severity": "permanent", "reason": "old"}),
        "complaint": ("complained", {}),
        "unsubscribe": ("unsubscribed", {}),
    }
    for number, (name, (kind, more)) in enumerate(events.items()):
        more["user-variables"] = {"contact_id": f"mailgun-{name}", "campaign_id": "welcome"}
        yield mailgun(test_mailgun.event(kind, number, **more), signed_at_s=now_s, token=f"token-{number}")


def _postmark() -> Iterable[Call]:
    events = {
        "delivered": test_postmark.event("Delivery", "DeliveredAt"),
        "open": test_postmark.event("Open", "ReceivedAt"),
        "machine": test_postmark.event("Open", "ReceivedAt", UserAgent="Mozilla/5.0"),
        "click": test_postmark.event("Click", "ReceivedAt", OriginalLink=SALE),
        "hard": test_postmark.bounce("HardBounce"),
        "soft": test_postmark.bounce("SoftBounce"),
        "complaint": test_postmark.event("SpamComplaint", "BouncedAt"),
        "unsubscribe": test_postmark.suppression("ManualSuppression", "Recipient"),
    }
    for name, event in events.items():
        yield postmark({**event, "Metadata": {"contact_id": f"postmark-{name}", "campaign_id": "welcome"}})


def _brevo() -> Iterable[Call]:
    kinds = {
        "delivered": "delivered",
        "open": "opened",
        "machine": "proxy_open",
        "click": "click",
        "hard": "hard_bounce",
        "soft": "soft_bounce",
        "complaint": "spam",
        "unsubscribe": "unsubscribed",
    }
    for name, kind in kinds.items():
        custom = json.dumps({"contact_id": f"brevo-{name}", "campaign_id": "welcome"})
        yield brevo(test_brevo.event(kind, link=SALE, **{"X-Mailin-custom": custom}))


def _ses() -> Iterable[Call]:
    events = {
        "delivered": test_ses.event("Delivery", recipients=["ann@example.com"]),
        "open": test_ses.event("Open", userAgent=test_ses.BROWSER),
        "machine": test_ses.event("Open", userAgent="Mozilla/5.0"),
        "click": test_ses.event("Click", link=SALE),
        "hard": test_ses.bounce("Permanent", "ann@example.com"),
        "soft": test_ses.bounce("Transient", "ann@example.com"),
        "complaint": test_ses.complaint(),
        "unsubscribe": test_ses.event("Subscription", newTopicPreferences={"unsubscribeAll": True}),
    }
    for number, (name, event) in enumerate(events.items()):
        event["mail"]["tags"] = {"contact_id": [f"ses-{name}"], "campaign_id": ["welcome"]}
        yield ses(event, MessageId=f"message-{number}")


async def _to_ses_hook(place: Place, calls: Iterable[Call]) -> None:
    """By a collector in this process: what it fetches from Amazon lies in memory, and its clock stands."""
    connection = KafkaConnection(place.servers)
    settings = CollectorSettings.model_validate(
        {"write_keys": '{"website": "website-write-key"}', "namespace": place.names.namespace}
    ).model_copy(update={"hooks": hooks_setting(), "collector_check_interval_ms": 100})
    intake = KafkaIntake(
        connection,
        place.names.tracking,
        queue_records=1_000,
        queue_bytes=2**24,
        delivery_timeout_ms=30_000,
        on_fatal=lambda error: pytest.fail(str(error)),
    )
    fetcher = MemoryFetcher()
    fetcher.pages[CERTIFICATE_URL] = certificate()
    reader = KafkaTopics(connection, 10_000)
    app = create_app(settings, intake, reader, StillClock(), Meters("collector"), lambda _: None, fetcher)
    intake.start()
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://collector") as client,
    ):
        await wait_until_async(lambda: app.state.readiness.problem is None, 30, "the collector to be ready")
        for call in calls:
            answer = await client.post(call.path, content=call.body, headers=call.headers, timeout=60)
            assert answer.json() == {"accepted": 1, "passed_over": 0}, answer.text
    await intake.close()


def test_events_of_every_provider_move_the_right_segments_once_though_each_call_comes_twice(place: Place) -> None:
    place.prepare("append", DEFINITIONS)
    place.worker()
    collector = place.commands.start("collector", "--port", "0", environment=ENVIRONMENT)
    url = collector.wait_for_output(r"listens on (http://127\.0\.0\.1:\d+)\n").group(1)
    with httpx.Client(base_url=url, timeout=60) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200, 30, "the collector to be ready")
        now_s = int(time.time())
        for _ in range(2):
            for call in [_sendgrid(now_s), *_mailgun(now_s), *_postmark(), *_brevo()]:
                answer = client.post(call.path, content=call.body, headers=call.headers)
                assert answer.status_code == 200, answer.text
        assert client.post("/hooks/postmark/alerts", content=b"{}").status_code == 401
    asyncio.run(_to_ses_hook(place, [*_ses(), *_ses()]))
    place.wait_until_folded()
    moves: dict[str, list[str]] = {}
    for transition in published(place.output()):
        assert transition["type"] == "segment.entered"
        moves.setdefault(transition["contact_id"], []).append(transition["segment"])
    assert {contact: set(segments) for contact, segments in moves.items()} == {
        f"{provider}-{name}": segments
        for provider in ("sendgrid", "mailgun", "postmark", "ses", "brevo")
        for name, segments in MOVED.items()
    }
    assert all(len(segments) == len(set(segments)) for segments in moves.values())
    assert place.dead_letters() == []
    written = collector.stdout + collector.stderr
    assert "example.com" not in written
    assert "turned away: [3] " in written
