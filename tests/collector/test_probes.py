"""Metrics, and paths that are none."""

from __future__ import annotations

from tests.collector.doubles import Door


def test_every_series_that_is_known_beforehand_starts_at_zero(door: Door) -> None:
    assert door.metric("segue_collector_records_total", type="track") == 0
    assert door.metric("segue_collector_rejected_total", reason="queue_full") == 0
    assert door.metric("segue_collector_lost_total", route="open") == 0
    assert door.metric("segue_collector_queue_records") == 0
    assert door.metric("segue_collector_requests_total", route="click", status="302") == 0


def test_requests_are_counted_by_route_and_never_by_path(door: Door) -> None:
    door.track()
    door.client.get("/o/a-token-with-a-contact.gif")
    door.client.get("/wp-admin/contact-7")
    assert door.metric("segue_collector_requests_total", route="track", status="200") == 1
    assert door.metric("segue_collector_requests_total", route="open", status="200") == 1
    assert door.metric("segue_collector_requests_total", route="other", status="404") == 1
    assert door.metric("segue_collector_records_total", type="track") == 1
    assert door.metric("segue_collector_request_seconds_count", route="track") == 1
    assert "contact" not in door.client.get("/metrics").text.replace("Contact", "").replace("contacts", "")


def test_an_api_path_takes_post_only(door: Door) -> None:
    assert door.client.get("/v1/track").status_code == 405
    assert door.client.post("/o/x.gif").status_code == 405
