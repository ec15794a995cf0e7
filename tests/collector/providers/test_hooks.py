"""What hooks of all providers have in common."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from schemas.metrics import HOOK_EVENTS, HOOK_REFUSALS, PROVIDERS
from streams.collector.guarding.addresses import Written
from streams.collector.providers import provider as providers
from streams.collector.providers import settings
from streams.collector.providers.hooks import HOOK_BYTES_MAX
from tests.collector.doubles import Door, MemoryTopics, open_door
from tests.collector.providers import test_brevo, test_mailgun, test_postmark, test_sendgrid, test_ses
from tests.collector.providers.hooks import (
    CERTIFICATE_URL,
    Call,
    brevo,
    certificate,
    events_of,
    hooks_setting,
    mailgun,
    open_hooks,
    postmark,
    refused,
    sendgrid,
    ses,
    told,
)

STOPS = {"sendgrid": 200, "mailgun": 406, "postmark": 403, "ses": 400, "brevo": 400}
BUSY = {"sendgrid": 503, "mailgun": 503, "postmark": 503, "ses": 503, "brevo": 429}


def call_of(name: str, number: int = 1, **more: Any) -> Call:
    """An open, of any provider."""
    makers: dict[str, Callable[[], Call]] = {
        "sendgrid": lambda: sendgrid([test_sendgrid.event("open", number, **more)]),
        "mailgun": lambda: mailgun(test_mailgun.event("opened", number, **more), token=f"token-{number}"),
        "postmark": lambda: postmark(test_postmark.event("Open", "ReceivedAt", ServerID=number, **more)),
        "ses": lambda: ses(test_ses.event("Open") | more, MessageId=f"message-{number}"),
        "brevo": lambda: brevo(test_brevo.event("opened", id=number, **more)),
    }
    return makers[name]()


def test_the_lists_of_providers_and_events_are_one() -> None:
    assert PROVIDERS == settings.PROVIDERS == tuple(STOPS)
    assert (*providers.EVENTS, "passed_over") == HOOK_EVENTS


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_same_call_again_gives_the_same_record(door: Door, name: str) -> None:
    for _ in range(2):
        assert call_of(name).to(door).status_code == 200
    first, again = door.intake.records
    assert first == again
    assert first["event_id"].startswith(f"{name}:")
    assert len(first["event_id"]) <= 128


@pytest.mark.parametrize("name", PROVIDERS)
def test_while_nothing_can_be_written_the_provider_is_asked_to_come_again(door: Door, name: str) -> None:
    door.intake.away = True
    answer = call_of(name).to(door)
    assert (answer.status_code, answer.headers["retry-after"]) == (BUSY[name], "5")
    door.intake.away, door.intake.full = False, True
    assert call_of(name).to(door).status_code == BUSY[name]
    assert told(door, name, "email_open") == 0
    door.intake.full = False
    assert call_of(name).to(door).status_code == 200
    assert events_of(door) == [("c1", "email_open")]
    counted = {reason: refused(door, name, reason) for reason in HOOK_REFUSALS}
    assert {reason: count for reason, count in counted.items() if count} == {"kafka_away": 1, "queue_full": 1}
    assert told(door, name, "email_open") == 1


@pytest.mark.parametrize("name", PROVIDERS)
def test_before_the_definitions_the_provider_is_asked_to_come_again(name: str) -> None:
    topics = MemoryTopics()
    topics.first = {0: None, 1: None}
    with open_door(wait_for_ready=False, topics=topics, hooks=hooks_setting()) as door:
        door.fetcher.pages[CERTIFICATE_URL] = certificate()
        assert call_of(name).to(door).status_code == BUSY[name]
        assert door.intake.entries == []


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_body_beyond_the_bound_is_not_read_to_its_end_and_not_asked_for_again(door: Door, name: str) -> None:
    good = call_of(name)
    for body in (good.body + b" " * HOOK_BYTES_MAX, b"[" * (HOOK_BYTES_MAX + 1)):
        answer = good._replace(body=body).to(door)
        assert (answer.status_code, answer.json()["accepted"]) == (STOPS[name], 0)
    assert refused(door, name, "too_large") == 2
    assert door.intake.entries == []


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"null", b"17", b"[[[]]]", b'{"a": NaN}', b"[" * 9_999])
def test_a_body_that_makes_no_sense_is_refused_and_breaks_nothing(door: Door, name: str, body: bytes) -> None:
    assert call_of(name)._replace(body=body).to(door).status_code in (400, 401, 403, 406)
    assert door.intake.entries == []


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_hook_that_is_not_set_does_not_exist(door: Door, name: str) -> None:
    call = call_of(name)
    answer = call._replace(path=f"/hooks/{name}/another").to(door)
    assert (answer.status_code, answer.json()["error"]) == (404, "expected the name of a hook in SEGUE_HOOKS")
    others = [each for each in PROVIDERS if each != name]
    hook = call.path.rsplit("/", 1)[1]
    assert {call._replace(path=f"/hooks/{each}/{hook}").to(door).status_code for each in others} == {404}
    assert door.client.get(call.path).status_code == 405
    assert door.intake.entries == []


@pytest.mark.parametrize("name", PROVIDERS)
def test_calls_are_counted_by_provider_and_nobody_shows_in_a_metric(door: Door, name: str) -> None:
    call_of(name).to(door)
    assert door.metric("segue_collector_requests_total", route=f"hook_{name}", status="200") == 1
    page = door.client.get("/metrics").text.lower()
    for secret in ("ann@", "contact_id", '"c1"', "example.com"):
        assert secret not in page


@pytest.mark.parametrize("name", PROVIDERS)
def test_an_event_too_large_for_a_record_is_turned_away(door: Door, name: str) -> None:
    variables = {f"variable_{number}": "x" * 999 for number in range(40)}
    wheres: dict[str, dict[str, Any]] = {
        "sendgrid": variables,
        "mailgun": {"user-variables": {"contact_id": "c1", **variables}},
        "postmark": {"Metadata": {"contact_id": "c1", **variables}},
        "ses": {"mail": {"tags": {"contact_id": ["c1"], **{each: [value] for each, value in variables.items()}}}},
        "brevo": {"X-Mailin-custom": json.dumps({"contact_id": "c1", **variables})},
    }
    wheres["ses"]["mail"]["destination"] = ["ann@example.com"]
    answer = call_of(name, **wheres[name]).to(door)
    assert answer.status_code == STOPS[name]
    assert answer.json()["problems"] == ["[0] expected an event of at most 32768 bytes as a record"]
    assert door.intake.entries == []


def test_variables_that_are_no_plain_values_or_too_long_are_left_out(door: Door) -> None:
    variables = {
        "contact_id": "c1",
        "list": [1],
        "long": "x" * 1_001,
        "n" * 65: 1,
        "yes": True,
        "half": 0.5,
        "no": None,
    }
    mailgun(test_mailgun.event("opened", **{"user-variables": variables})).to(door)
    assert door.intake.records[0]["properties"]["variables"] == {"yes": True, "half": 0.5}
    many = {f"v{number}": number for number in range(60)} | {"contact_id": "c1"}
    mailgun(test_mailgun.event("opened", 2, **{"user-variables": many}), token="another").to(door)
    assert len(door.intake.records[1]["properties"]["variables"]) == 50


@pytest.mark.parametrize("contact", [True, 1.5, ["c1"], {"id": "c1"}, "x" * 257])
def test_a_contact_s_id_is_a_text_or_a_whole_number(contact: object) -> None:
    with open_hooks(receipts={"contact": "field_or_email"}) as door:
        answer = mailgun(test_mailgun.event("opened", **{"user-variables": {"contact_id": contact}})).to(door)
        assert answer.status_code == 406, "an id that is there and wrong is not replaced by the address"
        assert refused(door, "mailgun", "unidentified") == 1


def test_a_batch_is_bounded_in_its_events(door: Door) -> None:
    answer = sendgrid([{}] * 2_501).to(door)
    assert (answer.status_code, answer.json()["error"]) == (200, "expected at most 2500 events")
    assert refused(door, "sendgrid", "too_large") == 1


def test_events_that_come_out_of_order_keep_their_times(door: Door) -> None:
    later, earlier = (test_sendgrid.event("open", number, timestamp=1_795_255_000 - number) for number in (1, 2))
    sendgrid([later, earlier]).to(door)
    assert [record["occurred_at"] for record in door.intake.records] == [
        "2026-11-21T09:56:39.000Z",
        "2026-11-21T09:56:38.000Z",
    ]


@pytest.mark.parametrize(
    ("addresses", "ip", "kept"),
    [
        ("none", "192.0.2.7", {}),
        ("truncated", "192.0.2.7", {"ip": "192.0.2.0"}),
        ("full", "2001:db8::7", {"ip": "2001:db8::7"}),
        ("full", "somewhere", {}),
    ],
)
def test_a_record_keeps_as_much_of_a_reader_s_address_as_is_set(
    addresses: Written, ip: str, kept: dict[str, str]
) -> None:
    with open_hooks(addresses) as door:
        sendgrid([test_sendgrid.event("open", ip=ip)]).to(door)
        assert door.intake.records[0]["context"] == kept


def test_a_log_line_tells_the_hook_and_the_field_and_nobody_s_address(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    postmark(test_postmark.event("Open", "ReceivedAt", Metadata={}), {}).to(door)
    postmark(test_postmark.event("Open", "ReceivedAt", Metadata={})).to(door)
    assert "the hook postmark/alerts was refused: expected the hook's secret" in caplog.text
    assert "1 events of the hook postmark/alerts were turned away: [0] contact_id: expected" in caplog.text
    assert "example.com" not in caplog.text.lower()
