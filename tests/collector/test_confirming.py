"""Double opt-in: what a form asks for is consent once the contact has followed the link of an e-mail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InputError
from schemas.records import decode_record
from streams.confirmations import Confirmation, ConfirmationSigner, Consented
from streams.links import Link
from streams.mailing import MailingLinks
from streams.sealing import Sealer
from tests.collector.doubles import LINK_KEYS, NOW, NOW_MS, SIGNER, WRITE_KEY, Door, open_door

FORMS = """
forms:
  news:
    contact: email
    fields: {email: {type: email, required: true}}
    consents:
      - {purpose: marketing, document: news-v3, field: agree}
      - {purpose: profiling, document: news-v3-p, field: profile}
    double_opt_in: {expires_after_h: 24}
"""
DAY_MS = 24 * 3_600_000
SENT = {"email": "ann@example.org", "agree": "on", "profile": "on"}
CONFIRM = {"confirm": "yes"}


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """A collector that takes this form."""
    path = tmp_path / "forms.yaml"
    path.write_text(FORMS)
    with open_door(forms=path) as opened:
        yield opened


def _submit(door: Door, **more: Any) -> dict[str, Any]:
    answer = door.client.post("/v1/form/news", data=SENT, headers={"Accept": "application/json"}, **more)
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def _path(door: Door) -> str:
    path: str = _submit(door, auth=(WRITE_KEY, ""))["confirm_path"]
    door.intake.entries.clear()
    return path


def test_until_it_is_confirmed_nothing_is_consent(door: Door) -> None:
    _submit(door)
    identify, submit = door.intake.records
    assert (identify["type"], submit["event"]) == ("identify", "form_submit")
    assert submit["properties"] == {
        "form": "news",
        "consents": [
            {"purpose": "marketing", "document": "news-v3"},
            {"purpose": "profiling", "document": "news-v3-p"},
        ],
        "confirm_until": "2026-11-22T10:00:00.000Z",
    }


def test_the_button_of_the_page_makes_it_consent(door: Door) -> None:
    path = _path(door)
    page = door.client.get(path)
    assert (page.status_code, door.intake.entries) == (200, [])
    assert '<input type="hidden" name="confirm" value="yes">' in page.text
    assert "ann@example.org" not in page.text
    door.clock.now = NOW_MS + 1_000
    assert "You have confirmed" in door.client.post(path, data=CONFIRM).text
    confirmed, marketing, profiling = door.intake.records
    for entry in door.intake.entries:
        assert decode_record(entry.value)
    assert (confirmed["event"], confirmed["contact_id"]) == ("form_confirm", "ann@example.org")
    assert marketing.pop("event_id") != profiling.pop("event_id")
    shared = {
        "type": "consent",
        "granted": True,
        "contact_id": "ann@example.org",
        "method": "double_opt_in",
        "occurred_at": NOW.replace("00.000", "01.000"),
        "received_at": NOW.replace("00.000", "01.000"),
    }
    assert marketing == {"purpose": "marketing", "document": "news-v3", **shared}
    assert profiling == {"purpose": "profiling", "document": "news-v3-p", **shared}


def test_confirming_twice_counts_once(door: Door) -> None:
    path = _path(door)
    for _ in range(2):
        door.client.post(path, data=CONFIRM)
    ids = [record["event_id"] for record in door.intake.records]
    assert ids[:3] == ids[3:]
    assert len(set(ids)) == 3


def test_a_browser_is_not_given_the_token_and_a_server_with_a_key_is(door: Door) -> None:
    assert set(_submit(door)) == {"accepted", "ignored"}
    assert set(_submit(door, auth=(WRITE_KEY, ""))) == {"accepted", "ignored", "confirm_token", "confirm_path"}


def test_the_record_and_the_keys_make_the_same_link_and_the_record_alone_does_not(door: Door) -> None:
    path = _submit(door, auth=(WRITE_KEY, ""))["confirm_path"]
    record = door.intake.records[1]
    keys = {key_id: secret.get_secret_value() for key_id, secret in LINK_KEYS.items()}
    assert MailingLinks("https://t.example", keys).confirmation(record) == f"https://t.example{path}"
    assert path.removeprefix("/f/") not in str(door.intake.records)
    others = MailingLinks("https://t.example", {"k2": "another-signing-secret"}).confirmation(record)
    assert door.client.get(others.removeprefix("https://t.example")).status_code == 400


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"event_id": "e", "contact_id": "c", "properties": {"form": "news"}},
        {"event_id": "e", "contact_id": "c", "properties": {"form": "news", "consents": [], "confirm_until": "soon"}},
    ],
)
def test_a_record_that_asks_for_no_confirmation_has_no_link(record: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="form_submit record: expected one of a form with double opt-in"):
        MailingLinks("https://t.example", {"k1": "a-long-signing-secret"}).confirmation(record)


def test_past_its_time_a_link_confirms_nothing(door: Door) -> None:
    path = _path(door)
    door.clock.now = NOW_MS + DAY_MS - 1
    assert door.client.get(path).status_code == 200
    door.clock.now += 1
    assert (door.client.get(path).status_code, door.client.post(path, data=CONFIRM).status_code) == (410, 410)
    assert door.intake.entries == []


def test_a_token_of_another_kind_confirms_nothing_and_this_kind_is_none_of_a_link(door: Door) -> None:
    token = _path(door).removeprefix("/f/")
    assert door.client.get(f"/c/{token}").status_code == 400
    others = [
        SIGNER.make("unsubscribe", Link("c1", "welcome")),
        Sealer(LINK_KEYS).seal(["o", "c1", "news", "s", NOW_MS + 1, []]),
        Sealer(LINK_KEYS).seal(["f", "c1", "news"]),
        "",
    ]
    for other in others:
        assert door.client.post(f"/f/{other}", data=CONFIRM).status_code == 400
    assert door.intake.entries == []


def test_any_other_post_confirms_nothing(door: Door) -> None:
    path = _path(door)
    assert door.client.post(path, data={"confirm": "no"}).status_code == 400
    assert door.client.post(path).status_code == 415
    assert door.intake.entries == []


def test_nobody_is_told_of_a_confirmation_that_was_not_written(door: Door) -> None:
    path = _path(door)
    door.intake.away = True
    assert door.client.post(path, data=CONFIRM).status_code == 503


def test_a_confirmation_is_what_it_was_made_of() -> None:
    signer = ConfirmationSigner(LINK_KEYS)
    made = Confirmation("c1", "news", "s1", NOW_MS, [Consented("marketing", "v1")])
    assert signer.read(signer.make(made), NOW_MS - 1) == made
