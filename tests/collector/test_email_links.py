"""Open pixels and click links over HTTP."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from pydantic import SecretStr

from schemas.records import decode_record
from streams.collector.emails.email_links import GIF
from streams.links import Link, LinkSigner
from tests.collector.doubles import LINK_KEYS, NOW, NOW_MS, SIGNER, Door, open_door

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
    assert (answer.headers["pragma"], answer.headers["expires"]) == ("no-cache", "0")
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


@pytest.mark.parametrize(
    ("rules", "label"),
    [
        (None, "email_open"),
        ("[{events: [email_open], needs: [], without: drop}]", "email_open"),
        ("[{events: [email_click], needs: [opens]}]", "email_open"),
        ("[{sources: [email], events: [email_open], needs: [opens], without: count}]", "email_open"),
        ("[{events: [email_open], needs: [opens], unsaid: granted, without: drop}]", "dropped"),
    ],
)
def test_an_open_without_identity_is_counted_and_is_nobodys_event(
    tmp_path: Path, rules: str | None, label: str
) -> None:
    path = tmp_path / "consent.yaml"
    path.write_text(f"version: 1\nrules: {rules}\n")
    with open_door(consent=None if rules is None else path) as door:
        address = f"/o/{SIGNER.make('open', Link(None, 'welcome'))}.gif"
        assert door.client.head(address).status_code == 200
        answer = door.client.get(address)
        assert (answer.status_code, answer.content) == (200, GIF)
        assert door.intake.entries == []
        assert door.metric("segue_collector_withheld_total", event=label) == 1


def test_a_rule_may_take_a_link_that_stands_for_a_contact_as_made_with_its_consent(tmp_path: Path) -> None:
    path = tmp_path / "consent.yaml"
    rule = "{sources: [email], events: [email_open], needs: [opens], unsaid: granted, without: count}"
    path.write_text(f"version: 1\nrules: [{rule}]\n")
    with open_door(consent=path) as door:
        for contact in ("c1", None):
            door.client.get(f"/o/{SIGNER.make('open', Link(contact, 'welcome'))}.gif")
        assert [record["contact_id"] for record in door.intake.records] == ["c1"]
        assert door.metric("segue_collector_withheld_total", event="email_open") == 1


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
    key_id, sealed = token.split(".")
    other = LinkSigner({"k9": SecretStr("a-secret-of-somebody-else")}).make("click", Link("c1", "welcome", SHOP))
    return [
        prefix,
        prefix + "x",
        prefix + "é.é.é",
        f"{prefix}{key_id}.{sealed}.",
        f"{prefix}{key_id}.{sealed}.{sealed}",
        f"{prefix}{key_id}.{sealed[:-1]}",
        f"{prefix}{key_id}.AA{sealed[2:]}",
        f"{prefix}k1.{sealed}",
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
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "This link does not work" in answer.text
    assert door.intake.entries == []


@pytest.mark.parametrize(
    ("headers", "reasons"),
    [
        ({"User-Agent": "Mozilla/5.0"}, ["prefetch_proxy"]),
        ({"User-Agent": BROWSER, "Sec-Purpose": "prefetch;prerender"}, ["prefetch_header"]),
        ({"User-Agent": "Mozilla/5.0", "X-Purpose": "preview"}, ["prefetch_proxy", "prefetch_header"]),
        ({"User-Agent": BROWSER}, None),
        ({"User-Agent": BROWSER, "Purpose": "prefetch"}, ["prefetch_header"]),
        ({"User-Agent": BROWSER, "X-Moz": "prefetch"}, ["prefetch_header"]),
        ({"User-Agent": "curl/8.5"}, ["http_library"]),
    ],
)
def test_a_suspected_machine_is_kept_with_its_reasons(
    door: Door, headers: dict[str, str], reasons: list[str] | None
) -> None:
    door.client.get(_open_path(), headers=headers)
    door.client.get(_click_path(), headers=headers)
    expected = None if reasons is None else {"suspected": True, "reasons": reasons}
    assert [record.get("machine") for record in door.intake.records] == [expected, expected]


def test_an_image_proxy_opens_for_a_person_and_never_clicks(door: Door) -> None:
    door.client.get(_open_path(), headers={"User-Agent": GMAIL})
    door.client.get(_click_path(), headers={"User-Agent": GMAIL})
    opened, clicked = door.intake.records
    assert "machine" not in opened
    assert clicked["machine"]["reasons"] == ["image_proxy"]


def test_who_follows_a_trap_is_a_machine_and_is_led_on_all_the_same(door: Door) -> None:
    token = SIGNER.make("click", Link("c1", "welcome", SHOP, trap=True))
    answer = door.client.get(f"/c/{token}", headers={"User-Agent": BROWSER})
    assert (answer.status_code, answer.headers["location"]) == (302, SHOP)
    (record,) = door.intake.records
    assert (record["event"], record["contact_id"]) == ("email_click", "c1")
    assert record["machine"] == {"suspected": True, "reasons": ["honeypot"]}


def test_past_its_time_an_open_is_an_image_and_a_click_a_page_and_neither_is_an_event(door: Door) -> None:
    opened = SIGNER.make("open", Link("c1", "welcome", expires_at_ms=NOW_MS + 1))
    clicked = SIGNER.make("click", Link("c1", "welcome", SHOP, NOW_MS + 1))
    assert door.client.get(f"/o/{opened}.gif").status_code == 200
    assert door.client.get(f"/c/{clicked}").status_code == 302
    assert len(door.intake.entries) == 2
    door.clock.now = NOW_MS + 1
    pixel, page = door.client.get(f"/o/{opened}.gif"), door.client.get(f"/c/{clicked}")
    assert (pixel.status_code, pixel.content[:6]) == (200, b"GIF89a")
    assert (page.status_code, "location" in page.headers) == (410, False)
    assert "This link has expired" in page.text
    assert len(door.intake.entries) == 2
    assert door.metric("segue_collector_rejected_total", reason="expired") == 2


def test_the_page_of_a_refused_link_fetches_and_runs_nothing_and_repeats_nothing_of_the_link(door: Door) -> None:
    answer = door.client.get("/c/<script>alert(1)</script>")
    assert "alert" not in answer.text
    for tag in ("<script", "<img", "<link", "<a ", "src=", "href="):
        assert tag not in answer.text
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("written", "kept"), [("none", None), ("truncated", "209.222.80.0"), ("full", "209.222.80.77")]
)
def test_an_address_tells_a_scanner_and_is_written_only_as_far_as_it_was_asked_for(
    written: str, kept: str | None
) -> None:
    headers = {"User-Agent": BROWSER, "X-Forwarded-For": "198.51.100.7, 209.222.80.77"}
    with open_door(collector_proxies="127.0.0.0/8", collector_addresses=written) as door:
        door.client.get(_click_path(), headers=headers)
        (record,) = door.intake.records
    assert record["machine"]["reasons"] == ["security_scanner"]
    assert record["context"].get("ip") == kept
    assert "198.51.100.7" not in str(record)


def test_an_address_that_only_the_client_itself_claims_is_no_sign(door: Door) -> None:
    door.client.get(_click_path(), headers={"User-Agent": BROWSER, "X-Forwarded-For": "209.222.80.77"})
    assert "machine" not in door.intake.records[0]


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
