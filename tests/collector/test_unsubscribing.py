"""Unsubscribing: by one click in a mail program, or by a button on a page, and never by a scanner."""

from __future__ import annotations

import httpx
import pytest

from schemas.records import decode_record
from streams.links import Link
from tests.collector.doubles import NOW, NOW_MS, SIGNER, Door, open_door

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def _path(purpose: str | None = None) -> str:
    return f"/u/{SIGNER.make('unsubscribe', Link('c1', 'welcome', purpose=purpose))}"


def test_one_click_is_an_event_and_answered_without_a_redirect(door: Door) -> None:
    answer = door.client.post(_path(), data=ONE_CLICK, headers={"User-Agent": "Mailer/1.0"})
    assert (answer.status_code, "location" in answer.headers) == (200, False)
    (record,) = door.intake.records
    assert decode_record(door.intake.entries[0].value)
    assert record.pop("event_id").startswith("unsubscribe-")
    assert record == {
        "type": "track",
        "contact_id": "c1",
        "event": "unsubscribe",
        "occurred_at": NOW,
        "received_at": NOW,
        "properties": {"campaign_id": "welcome", "method": "one_click"},
        "context": {"userAgent": "Mailer/1.0"},
        "source": "email",
    }


def test_one_click_may_come_as_multipart(door: Door) -> None:
    answer = door.client.post(_path(), files={"List-Unsubscribe": (None, "One-Click")})
    assert (answer.status_code, len(door.intake.entries)) == (200, 1)


def test_a_get_shows_a_page_with_a_button_and_unsubscribes_nobody(door: Door) -> None:
    path = _path()
    page = door.client.get(path)
    assert (page.status_code, door.client.head(path).status_code) == (200, 200)
    assert '<form method="post">' in page.text
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert door.intake.entries == []
    # What the button sends, as a browser does.
    assert page.text.count('<input type="hidden"') == 2
    fields = {"List-Unsubscribe": "One-Click", "from": "page"}
    for name, value in fields.items():
        assert f'name="{name}" value="{value}"' in page.text
    assert "You are unsubscribed" in door.client.post(path, data=fields).text
    assert door.intake.records[0]["properties"]["method"] == "unsubscribe_page"


def test_twice_is_the_same_event_and_another_token_is_another(door: Door) -> None:
    for path in (_path(), _path(), _path("marketing")):
        door.client.post(path, data=ONE_CLICK)
    first, second, other, consent = (record["event_id"] for record in door.intake.records)
    assert first == second
    assert len({first, other, consent}) == 3


def test_the_consent_that_the_link_names_is_withdrawn_and_withdrawn_anew_each_time(door: Door) -> None:
    path = _path("marketing")
    door.client.post(path, data=ONE_CLICK)
    door.client.post(path, data=ONE_CLICK)
    first, second = (record for record in door.intake.records if record["type"] == "consent")
    assert first.pop("event_id") != second.pop("event_id")
    assert first == second
    assert first == {
        "type": "consent",
        "contact_id": "c1",
        "purpose": "marketing",
        "granted": False,
        "document": "unsubscribe",
        "method": "one_click",
        "occurred_at": NOW,
        "received_at": NOW,
    }


def test_a_link_without_a_purpose_withdraws_what_the_collector_is_set_to() -> None:
    with open_door(unsubscribe_purpose="newsletter") as door:
        door.client.post(_path(), data=ONE_CLICK)
        door.client.post(_path("marketing"), data=ONE_CLICK)
        purposes = [record["purpose"] for record in door.intake.records if record["type"] == "consent"]
    assert purposes == ["newsletter", "marketing"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/x-www-form-urlencoded", 400),
        (b"List-Unsubscribe=Two-Click", "application/x-www-form-urlencoded", 400),
        (b"list-unsubscribe=One-Click", "application/x-www-form-urlencoded", 400),
        (b"List-Unsubscribe=One-Click", "text/plain", 415),
        (b"List-Unsubscribe=One-Click&" + b"x=1&" * 16, "application/x-www-form-urlencoded", 400),
        (b"x" * 5_000, "application/x-www-form-urlencoded", 413),
        (b"--b\r\n", "multipart/form-data", 400),
    ],
)
def test_any_other_post_unsubscribes_nobody(door: Door, body: bytes, content_type: str, status: int) -> None:
    answer = door.client.post(_path(), content=body, headers={"Content-Type": content_type})
    assert answer.status_code == status
    assert door.intake.entries == []


def test_a_token_of_another_kind_or_none_unsubscribes_nobody(door: Door) -> None:
    pixel = SIGNER.make("open", Link("c1", "welcome"))
    expired = SIGNER.make("unsubscribe", Link("c1", "welcome", expires_at_ms=NOW_MS))
    answers: list[httpx.Response] = [door.client.post(f"/u/{token}", data=ONE_CLICK) for token in (pixel, "", expired)]
    assert [answer.status_code for answer in answers] == [400, 400, 410]
    assert door.client.get(f"/u/{pixel}").status_code == 400
    assert door.intake.entries == []


def test_nobody_is_told_of_an_unsubscribe_that_was_not_written(door: Door) -> None:
    door.intake.away = True
    answer = door.client.post(_path(), data=ONE_CLICK)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "nothing has changed yet" in answer.text
    assert door.metric("segue_collector_rejected_total", reason="kafka_away") == 1
