"""Keys at the door: found by what was kept of them, bound to what they may do, followed as they change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from schemas.errors import InputError
from schemas.write_keys import KEY_SECRET_PREFIX, KEY_SECRETS_MAX, KeyEntry, encode_key_entry
from streams.write_keys import Issued, disable, enable, issue, revoke, rotate, state_of
from tests.collector.doubles import NOW_MS, Door, MemoryKeys, open_door
from tests.support.waiting import wait_until


def _issued(door: Door, **bounds: Any) -> Issued:
    """A key that the collector knows."""
    issued = issue("app", NOW_MS, **{"scopes": ["write"], **bounds})
    door.keys.put(issued.entry)
    wait_until(lambda: _page_view(door, issued.secret).status_code != 401, 10, "the key to be known")
    door.intake.entries.clear()
    return issued


def _page_view(door: Door, secret: str, **headers: str) -> httpx.Response:
    return door.post("/v1/track", {"userId": "c1", "event": "page_view"}, secret, **headers)


def test_a_key_of_the_topic_lets_events_in_under_its_source(door: Door) -> None:
    issued = _issued(door)
    assert _page_view(door, issued.secret).status_code == 200
    assert [record["source"] for record in door.intake.records] == ["app"]
    assert door.track().status_code == 200, "keys of the environment hold beside it"


def test_nothing_of_a_secret_is_kept_but_a_digest_and_secrets_are_told_by_their_prefix() -> None:
    issued = issue("app", NOW_MS, scopes=["write"])
    kept = issued.entry.model_dump_json()
    assert issued.secret not in kept
    assert hashlib.sha256(issued.secret.encode()).hexdigest() in kept
    assert issued.secret.startswith(KEY_SECRET_PREFIX)
    assert len(issued.secret) - len(KEY_SECRET_PREFIX) == 32, "192 bits in base64"
    assert issue("app", NOW_MS, scopes=["write"]).secret != issued.secret


def test_a_revoked_key_is_taken_no_more(door: Door) -> None:
    issued = _issued(door)
    door.keys.put(revoke(issued.entry, NOW_MS))
    wait_until(lambda: _page_view(door, issued.secret).status_code == 401, 10, "the key to be unknown")


def test_a_disabled_key_is_answered_404_until_it_is_enabled_again(door: Door) -> None:
    issued, other = _issued(door), _issued(door)
    disabled = disable(issued.entry, NOW_MS)
    door.keys.put(disabled)
    wait_until(lambda: _page_view(door, issued.secret).status_code == 404, 10, "the key to be disabled")
    door.intake.entries.clear()
    answer = _page_view(door, issued.secret)
    assert answer.json()["code"] == "source_disabled"
    assert answer.json()["message"] == "the source app is disabled for this key"
    assert door.metric("segue_collector_rejected_total", reason="source_disabled") >= 2
    assert door.intake.entries == []
    assert _page_view(door, other.secret).status_code == 200, "another key of the source"
    door.keys.put(enable(disabled, NOW_MS + 1))
    wait_until(lambda: _page_view(door, issued.secret).status_code == 200, 10, "the key to be taken again")


def test_the_settings_of_a_disabled_source_are_not_there_either(door: Door) -> None:
    issued = _issued(door)
    assert door.client.get(f"/v1/projects/{issued.secret}/settings").status_code == 200
    door.keys.put(disable(issued.entry, NOW_MS))
    wait_until(lambda: _page_view(door, issued.secret).status_code == 404, 10, "the key to be disabled")
    answer = door.client.get(f"/v1/projects/{issued.secret}/settings")
    assert (answer.status_code, answer.json()["code"]) == (404, "source_disabled")


@pytest.mark.parametrize("change", [disable, enable])
def test_a_key_that_is_over_is_neither_disabled_nor_enabled(change: Callable[[KeyEntry, int], KeyEntry]) -> None:
    entry = issue("app", NOW_MS, scopes=["write"], expires_at="2026-11-21T10:00:01.000Z").entry
    with pytest.raises(InputError, match="is expired: create another one"):
        change(entry, NOW_MS + 1_000)
    with pytest.raises(InputError, match="is revoked: create another one"):
        change(revoke(entry, NOW_MS), NOW_MS)


def test_a_disabled_key_gets_no_new_secret_and_ends_as_any_other() -> None:
    entry = disable(issue("app", NOW_MS, scopes=["write"], expires_at="2026-11-21T10:00:01.000Z").entry, NOW_MS)
    assert disable(entry, NOW_MS + 1) == entry, "since when it is disabled stays"
    with pytest.raises(InputError, match="is disabled: enable it first"):
        rotate(entry, NOW_MS, NOW_MS + 2_000)
    ends = [(entry, NOW_MS), (entry, NOW_MS + 1_000), (revoke(entry, NOW_MS), NOW_MS)]
    assert [state_of(each, now_ms) for each, now_ms in ends] == ["disabled", "expired", "revoked"]


def test_an_expired_key_is_taken_until_its_instant_and_no_longer(door: Door) -> None:
    issued = _issued(door, expires_at="2026-11-21T10:00:01.000Z")
    door.clock.now = NOW_MS + 999
    assert _page_view(door, issued.secret).status_code == 200
    door.clock.now = NOW_MS + 1_000
    assert _page_view(door, issued.secret).status_code == 401


def test_of_a_rotated_key_the_old_secret_is_taken_until_its_time_and_the_new_one_goes_on(door: Door) -> None:
    old = _issued(door)
    new = rotate(old.entry, NOW_MS, NOW_MS + 5_000)
    door.keys.put(new.entry)
    wait_until(lambda: _page_view(door, new.secret).status_code == 200, 10, "the new secret to be known")
    assert _page_view(door, old.secret).status_code == 200
    door.clock.now = NOW_MS + 5_000
    assert _page_view(door, old.secret).status_code == 401
    assert _page_view(door, new.secret).status_code == 200


def test_a_key_has_a_few_secrets_at_a_time_and_those_that_are_over_make_room() -> None:
    issued = issue("app", NOW_MS, scopes=["write"])
    for _ in range(KEY_SECRETS_MAX - 1):
        issued = rotate(issued.entry, NOW_MS, NOW_MS + 1_000)
    with pytest.raises(InputError, match="has 4 secrets that are still taken"):
        rotate(issued.entry, NOW_MS, NOW_MS + 1_000)
    later = rotate(issued.entry, NOW_MS + 1_000, NOW_MS + 2_000)
    assert [secret.valid_until for secret in later.entry.secrets] == [NOW_MS + 2_000, None]


def test_a_secret_that_ends_sooner_is_not_given_more_time_by_another_rotation() -> None:
    first = issue("app", NOW_MS, scopes=["write"])
    second = rotate(first.entry, NOW_MS, NOW_MS + 1_000)
    third = rotate(second.entry, NOW_MS + 500, NOW_MS + 9_000)
    assert [secret.valid_until for secret in third.entry.secrets] == [NOW_MS + 1_000, NOW_MS + 9_000, None]


def test_a_key_that_is_over_gets_no_new_secret() -> None:
    entry = issue("app", NOW_MS, scopes=["write"], expires_at="2026-11-21T10:00:01.000Z").entry
    with pytest.raises(InputError, match="is expired: create another one"):
        rotate(entry, NOW_MS + 1_000, NOW_MS + 2_000)
    with pytest.raises(InputError, match="is revoked: create another one"):
        rotate(revoke(entry, NOW_MS), NOW_MS, NOW_MS + 2_000)


@pytest.mark.parametrize(("scopes", "status"), [(["write"], 403), (["read"], 403), (["admin"], 200)])
def test_only_a_key_that_may_decide_on_contacts_erases_one(door: Door, scopes: list[str], status: int) -> None:
    issued = _issued(door, scopes=scopes)
    assert door.post("/v1/erase", {"userId": "c1"}, issued.secret).status_code == status
    assert [record["type"] for record in door.intake.records] == ["erase"] * (status == 200)


def test_a_key_that_may_only_read_sends_no_events(door: Door) -> None:
    answer = _page_view(door, _issued(door, scopes=["read"]).secret)
    assert (answer.status_code, answer.json()["error"]) == (403, "expected a key that may write")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://shop.example"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "https://shop.example.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Referer": "https://shop.example/page?x=1"}, 200),
        ({"Origin": "https://evil.example", "Referer": "https://shop.example/"}, 403),
        ({"Referer": "https://[half"}, 403),
        ({}, 403),
    ],
)
def test_a_key_that_is_bound_to_origins_is_taken_from_their_pages_only(
    door: Door, headers: dict[str, str], status: int
) -> None:
    issued = _issued(door, origins=["https://shop.example"])
    answer = _page_view(door, issued.secret, **headers)
    assert answer.status_code == status
    assert len(door.intake.entries) == (status == 200)


def test_a_key_that_is_bound_to_events_refuses_the_others_one_by_one(door: Door) -> None:
    issued = _issued(door, events=["page_view", "cart_add"])
    batch = [
        {"type": "track", "userId": "c1", "event": "Product Added"},
        {"type": "track", "userId": "c1", "event": "Order Completed"},
        {"type": "identify", "userId": "c1", "traits": {}},
    ]
    answer = door.post("/v1/batch", {"batch": batch}, issued.secret)
    assert (answer.status_code, answer.json()["accepted"]) == (400, 2)
    (rejected,) = answer.json()["rejected"]
    assert rejected["index"] == 1
    expected = "expected one of cart_add, page_view, which is what this key may send"
    assert rejected["problems"] == [{"path": "event", "expected": expected}]
    assert [record.get("event") for record in door.intake.records] == ["cart_add", None]


def test_a_key_that_is_bound_to_a_type_refuses_the_others(door: Door) -> None:
    issued = _issued(door, types=["identify"])
    assert door.post("/v1/identify", {"userId": "c1", "traits": {}}, issued.secret).status_code == 200
    answer = _page_view(door, issued.secret)
    assert (answer.status_code, answer.json()["rejected"][0]["problems"][0]["path"]) == (400, "type")


def test_while_keys_are_not_known_an_unknown_one_is_answered_503_and_not_401() -> None:
    """A tracking SDK throws away what is answered 401."""
    keys = MemoryKeys()
    keys.away = True
    with open_door(wait_for_ready=False, keys=keys) as door:
        wait_until(lambda: "Kafka does not answer" in door.client.get("/readyz").text, 10, "the reason")
        issued = issue("app", NOW_MS, scopes=["write"])
        answer = _page_view(door, issued.secret)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        keys.put(issued.entry)
        keys.away = False
        wait_until(lambda: _page_view(door, issued.secret).status_code == 200, 10, "the key to be known")
        assert _page_view(door, "another-key").status_code == 401
        assert door.client.get("/readyz").status_code == 200


def test_known_keys_are_taken_while_kafka_is_away(door: Door) -> None:
    issued = _issued(door)
    door.keys.away = True
    assert _page_view(door, issued.secret).status_code == 200
    assert _page_view(door, "another-key").status_code == 401
    assert door.client.get("/readyz").status_code == 200


def test_without_keys_in_the_environment_the_topic_must_be_there() -> None:
    keys = MemoryKeys()
    keys.values = None
    with open_door(wait_for_ready=False, keys=keys, write_keys={}) as door:
        wait_until(lambda: "segue topics create" in door.client.get("/readyz").text, 10, "what to do")
        assert _page_view(door, "any-key").status_code == 503
        keys.values = {}
        wait_until(lambda: door.client.get("/readyz").status_code == 200, 10, "readiness")
        assert _page_view(door, "any-key").status_code == 401


def test_with_keys_in_the_environment_a_deployment_without_the_topic_serves() -> None:
    keys = MemoryKeys()
    keys.values = None
    with open_door(keys=keys) as door:
        assert door.track().status_code == 200
        assert _page_view(door, "any-key").status_code == 401


def test_a_topic_that_is_made_anew_is_believed_from_its_start(door: Door) -> None:
    issued = _issued(door)
    door.keys.make_anew()
    wait_until(lambda: _page_view(door, issued.secret).status_code == 401, 10, "the old key to be forgotten")


@pytest.mark.parametrize(
    "value",
    [b"", b"{", b"[]", b'{"id": "k_aaaaaaaa"}', b"\xff", None],
    ids=["empty", "cut", "list", "less", "no", "none"],
)
def test_an_entry_that_cannot_be_read_takes_its_key_away_and_no_other(door: Door, value: bytes | None) -> None:
    issued, other = _issued(door), _issued(door)
    door.keys.put_raw(issued.entry.id.encode(), value)
    wait_until(lambda: _page_view(door, issued.secret).status_code == 401, 10, "the key to be unknown")
    assert _page_view(door, other.secret).status_code == 200


def test_an_entry_that_was_written_before_keys_could_be_disabled_is_taken_as_it_was(door: Door) -> None:
    issued = issue("app", NOW_MS, scopes=["write"])
    old = json.loads(encode_key_entry(issued.entry))
    del old["disabled_at"]
    door.keys.put_raw(issued.entry.id.encode(), json.dumps(old).encode())
    wait_until(lambda: _page_view(door, issued.secret).status_code == 200, 10, "the key to be known")


def test_an_entry_under_another_keys_id_lets_nobody_in(door: Door) -> None:
    forged = issue("app", NOW_MS, scopes=["admin"])
    door.keys.put_raw(b"k_aaaaaaaa", encode_key_entry(forged.entry))
    _issued(door)  # which was read behind it
    assert _page_view(door, forged.secret).status_code == 401


@pytest.mark.parametrize("path", ["/v1/t", "/v1/b", "/v1/consent"])
def test_a_browser_sends_its_key_in_the_body(door: Door, path: str) -> None:
    issued = _issued(door)
    event = {"userId": "c1", "event": "page_view", "type": "track", "writeKey": issued.secret}
    body: dict[str, object] = {**event}
    if path == "/v1/b":
        body = {"batch": [event], "writeKey": issued.secret}
    if path == "/v1/consent":
        body = {"userId": "c1", "purpose": "p", "granted": True, "document": "d", "method": "m"}
        body["writeKey"] = issued.secret
    headers = {"Content-Type": "text/plain", "Origin": "https://shop.example"}
    assert door.client.post(path, json=body, headers=headers).status_code == 200
    body["writeKey"] = "another"
    assert door.client.post(path, json=body, headers=headers).status_code == 401
