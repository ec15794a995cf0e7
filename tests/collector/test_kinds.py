"""What each kind of call becomes in the log."""

from __future__ import annotations

import pytest

from tests.collector.doubles import NOW, Door


@pytest.mark.parametrize(("call", "event"), [("page", "page_view"), ("screen", "screen_view")])
def test_a_page_and_a_screen_are_views_with_their_name_and_category(door: Door, call: str, event: str) -> None:
    answer = door.post(
        f"/v1/{call}",
        {"userId": "c1", "name": "Home", "category": "Shop", "properties": {"path": "/", "name": "old"}},
    )
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "rejected": []})
    (record,) = door.intake.records
    assert (record["type"], record["event"]) == ("track", event)
    assert record["properties"] == {"path": "/", "name": "Home", "category": "Shop"}


def test_a_view_needs_no_name_and_no_properties(door: Door) -> None:
    assert door.post("/v1/page", {"anonymousId": "a1"}).status_code == 200
    assert door.intake.records[0]["properties"] == {}


def test_a_group_is_two_traits_of_the_contact_set_as_a_whole(door: Door) -> None:
    door.post("/v1/group", {"userId": "c1", "messageId": "m1", "groupId": "g1", "traits": {"plan": "pro"}})
    door.post("/v1/group", {"userId": "c1", "groupId": "g2"})
    first, second = door.intake.records
    assert first == {
        "type": "identify",
        "event_id": "m1",
        "contact_id": "c1",
        "occurred_at": NOW,
        "received_at": NOW,
        "traits": {"group_id": "g1", "group": {"plan": "pro"}},
    }
    assert second["traits"] == {"group_id": "g2", "group": {}}


def test_traits_are_read_from_the_context_where_no_others_are_sent(door: Door) -> None:
    inside = {"traits": {"plan": "free"}}
    door.post("/v1/identify", {"userId": "c1", "context": inside})
    door.post("/v1/identify", {"userId": "c1", "context": inside, "traits": {"plan": "pro"}})
    assert [record["traits"] for record in door.intake.records] == [{"plan": "free"}, {"plan": "pro"}]
    answer = door.post("/v1/identify", {"userId": "c1", "context": {"traits": []}})
    assert answer.json()["rejected"][0]["problems"][0]["path"] == "context.traits"


def test_an_alias_links_the_anonymous_contact_to_the_known_one(door: Door) -> None:
    answer = door.post("/v1/alias", {"previousId": "a1", "userId": "c1", "messageId": "m1"})
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "rejected": []})
    assert door.intake.records == [
        {
            "type": "link",
            "event_id": "m1",
            "contact_id": "anon:a1",
            "to": "c1",
            "occurred_at": NOW,
            "received_at": NOW,
        }
    ]
    assert door.intake.entries[0].contact_id == "anon:a1"


def test_an_identify_with_both_ids_sets_traits_of_the_known_one_and_links_the_anonymous_one(door: Door) -> None:
    call = {"userId": "c1", "anonymousId": "a1", "traits": {"plan": "pro"}, "messageId": "m1"}
    for _ in range(2):
        assert door.post("/v1/identify", call).json() == {"accepted": 1, "rejected": []}
    traits, link, again, link_again = door.intake.records
    assert (traits["type"], traits["contact_id"]) == ("identify", "c1")
    assert (link["type"], link["contact_id"], link["to"]) == ("link", "anon:a1", "c1")
    assert (again, link_again) == (traits, link), "what is sent again is the same records again"
    door.post("/v1/track", {"userId": "c1", "anonymousId": "a1", "event": "x"})
    assert [record["type"] for record in door.intake.records[4:]] == ["track"], "an event links nobody"


@pytest.mark.parametrize(
    ("call", "body", "paths"),
    [
        ("page", {"userId": "c1", "name": 5, "category": []}, {"name", "category"}),
        ("group", {"userId": "c1"}, {"groupId"}),
        ("group", {"groupId": 7, "traits": 7}, {"groupId", "traits", "userId"}),
        ("alias", {}, {"previousId", "userId"}),
        ("alias", {"previousId": 5, "userId": ""}, {"previousId", "userId"}),
    ],
)
def test_what_a_call_needs_is_asked_for(door: Door, call: str, body: dict[str, object], paths: set[str]) -> None:
    answer = door.post(f"/v1/{call}", body)
    assert answer.status_code == 400
    assert {problem["path"] for problem in answer.json()["rejected"][0]["problems"]} == paths
    assert door.intake.entries == []


def test_a_name_that_had_to_be_altered_is_kept_in_the_context(door: Door) -> None:
    door.track(event="Größe Gewählt", context={"locale": "de"})
    door.track(event="Loyalty Card Scanned")
    altered, plain = door.intake.records
    assert altered["event"] == "grosse_gewahlt"
    assert altered["context"] == {"locale": "de", "event_name": "Größe Gewählt"}
    assert plain["context"] == {}


def test_the_user_agent_is_found_under_both_of_its_names(door: Door) -> None:
    door.track(context={"user_agent": "A"})
    door.track(context={"userAgent": "B"})
    door.track(context={"userAgent": "C", "user_agent": "D"})
    assert [record["context"] for record in door.intake.records] == [
        {"userAgent": "A"},
        {"userAgent": "B"},
        {"userAgent": "C"},
    ]


def test_a_time_under_the_name_that_some_sdks_give_it_is_read(door: Door) -> None:
    door.track(originalTimestamp="2026-11-21T09:58:00.000Z", sentAt="2026-11-21T10:00:00.000Z")
    door.track(originalTimestamp="2026-11-21T09:58:00.000Z", timestamp="2026-11-21T09:59:00.000Z")
    occurred = [record["occurred_at"] for record in door.intake.records]
    assert occurred == ["2026-11-21T09:58:00.000Z", "2026-11-21T09:59:00.000Z"]


def test_imported_events_are_marked_and_keep_their_times_whatever_the_senders_clock(door: Door) -> None:
    batch = [
        {"type": "track", "userId": "c1", "event": "Order Completed", "timestamp": "2024-05-01T08:00:00Z"},
        {"type": "identify", "userId": "c1", "traits": {"plan": "pro"}, "timestamp": "2024-05-01T08:00:01Z"},
    ]
    answer = door.post("/v1/import", {"batch": batch, "sentAt": "2026-11-21T09:00:00Z"})
    assert (answer.status_code, answer.json()["accepted"]) == (200, 2)
    assert [(record["occurred_at"], record["backfill"]) for record in door.intake.records] == [
        ("2024-05-01T08:00:00.000Z", True),
        ("2024-05-01T08:00:01.000Z", True),
    ]


def test_an_imported_event_without_a_time_is_refused(door: Door) -> None:
    answer = door.post("/v1/import", {"batch": [{"type": "page", "userId": "c1"}]})
    assert answer.status_code == 400
    assert answer.json()["rejected"][0]["problems"][0]["path"] == "timestamp"
    assert door.intake.entries == []
