"""Open pixels and click links over HTTP."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from schemas.records import decode_record
from streams.links import Link, LinkSigner
from tests.collector.doubles import LINK_KEYS, NOW, SIGNER, Door, open_door

SHOP = "https://shop.example/sale?a=b&c=%20d"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


def _open_path(contact: str = "c1") -> str:
    return f"/o/{SIGNER.make('open', Link(contact, 'welcome'))}.gif"


def _click_path(contact: str = "c1", url: str = SHOP) -> str:
    return f"/c/{SIGNER.make('click', Link(contact, 'welcome', url))}"


def test_an_open_is_an_event_of_its_contact_and_answered_with_a_pixel(door: Door) -> None:
    answer = door.client.get(_open_path(), headers={"User-Agent": BROWSER})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
    assert answer.headers["cache-control"] == "no-cache, no-store, must-revalidate"
    assert (len(answer.content), answer.content[:6]) == (43, b"GIF89a")
    (record,) = door.intake.records
    assert decode_record(door.intake.entries[0].value)
    assert record.pop("event_id")
    assert record == {
        "type": "track",
        "contact_id": "c1",
        "event": "email_open",
        "occurred_at": NOW,
        "received_at": NOW,
        "properties": {"campaign_id": "welcome"},
        "context": {"userAgent": BROWSER},
        "source": "email",
    }


def test_a_click_is_an_event_and_leads_exactly_where_it_was_signed_to(door: Door) -> None:
    answer = door.client.get(_click_path())
    assert (answer.status_code, answer.headers["location"]) == (302, SHOP)
    (record,) = door.intake.records
    assert (record["event"], record["contact_id"]) == ("email_click", "c1")
    assert record["properties"] == {"campaign_id": "welcome", "link_url": SHOP}


def test_each_fetch_is_an_event_of_its_own(door: Door) -> None:
    door.client.get(_open_path())
    door.client.get(_open_path())
    first, second = (record["event_id"] for record in door.intake.records)
    assert first != second


def test_a_head_request_is_answered_alike_and_counts_as_nothing(door: Door) -> None:
    pixel, link = door.client.head(_open_path()), door.client.head(_click_path())
    assert (pixel.status_code, pixel.headers["content-type"]) == (200, "image/gif")
    assert (link.status_code, link.headers["location"]) == (302, SHOP)
    assert door.intake.entries == []


def _spoiled(path: str) -> list[str]:
    prefix, token = path[:3], path[3:].removesuffix(".gif")
    key_id, payload, signature = token.split(".")
    other = LinkSigner({"k9": SecretStr("a-secret-of-somebody-else")}).make("click", Link("c1", "welcome", SHOP))
    return [
        prefix,
        prefix + "x",
        prefix + "é.é.é",
        f"{prefix}{key_id}.{payload}",
        f"{prefix}{key_id}.{payload}.{signature[:-1]}",
        f"{prefix}{key_id}.{payload[:-2]}AA.{signature}",
        f"{prefix}k1.{payload}.{signature}",
        f"{prefix}{other}",
        f"{prefix}{token}/more",
        prefix + "x" * 7_000,
    ]


def test_a_bad_open_token_still_gets_the_pixel_and_counts_as_nothing(door: Door) -> None:
    paths = [*_spoiled(_open_path()), _click_path().replace("/c/", "/o/")]
    for path in paths:
        answer = door.client.get(path)
        assert (answer.status_code, answer.content[:6]) == (200, b"GIF89a"), path
    assert door.intake.entries == []
    assert door.metric("segue_collector_rejected_total", reason="bad_signature") == len(paths)


def test_a_bad_click_token_is_never_redirected(door: Door) -> None:
    for path in [*_spoiled(_click_path()), _open_path().replace("/o/", "/c/").removesuffix(".gif")]:
        answer = door.client.get(path)
        assert answer.status_code == 400, path
        assert "location" not in answer.headers
    assert door.intake.entries == []


@pytest.mark.parametrize(
    ("headers", "reasons"),
    [
        ({"User-Agent": "Mozilla/5.0"}, ["prefetch_proxy"]),
        ({"User-Agent": BROWSER, "Sec-Purpose": "prefetch;prerender"}, ["prefetch_header"]),
        ({"User-Agent": "Mozilla/5.0", "X-Purpose": "preview"}, ["prefetch_proxy", "prefetch_header"]),
        ({"User-Agent": BROWSER}, None),
        ({"User-Agent": GMAIL}, None),
    ],
)
def test_a_suspected_machine_is_kept_with_its_reasons(
    door: Door, headers: dict[str, str], reasons: list[str] | None
) -> None:
    door.client.get(_open_path(), headers=headers)
    door.client.get(_click_path(), headers=headers)
    expected = None if reasons is None else {"suspected": True, "reasons": reasons}
    assert [record.get("machine") for record in door.intake.records] == [expected, expected]


def test_while_kafka_is_away_people_are_served_and_the_loss_is_counted(door: Door) -> None:
    door.intake.away = True
    assert door.client.get(_open_path()).status_code == 200
    assert door.client.get(_click_path()).headers["location"] == SHOP
    assert door.metric("segue_collector_lost_total", route="open") == 1
    assert door.metric("segue_collector_lost_total", route="click") == 1
    assert door.metric("segue_collector_rejected_total", reason="kafka_away") == 2


def test_tokens_of_a_retired_key_are_refused_and_those_of_an_older_one_are_not() -> None:
    older = LinkSigner({"k1": LINK_KEYS["k1"]}).make("click", Link("c1", "welcome", SHOP))
    with open_door() as door:
        assert door.client.get(f"/c/{older}").status_code == 302
    with open_door(link_keys={"k2": LINK_KEYS["k2"]}) as door:
        assert door.client.get(f"/c/{older}").status_code == 400
