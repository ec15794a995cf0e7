"""The short way to an endpoint changes nothing that a caller or a metric sees."""

from __future__ import annotations

import pytest

from tests.collector.doubles import Door


def test_a_path_of_ours_with_another_method_is_405_and_any_other_path_404(door: Door) -> None:
    assert door.client.get("/v1/track").status_code == 405
    assert door.client.get("/nowhere").status_code == 404
    assert door.post("/v1/track/", {}, Host="evil.example").status_code == 404


def test_a_call_on_the_short_way_is_counted_under_its_name(door: Door) -> None:
    door.track()
    door.client.get("/o/none.gif")
    assert door.metric("segue_collector_requests_total", route="track", status="200") == 1
    assert door.metric("segue_collector_requests_total", route="open", status="200") == 1
    assert door.metric("segue_collector_records_total", type="track") == 1


def test_a_bug_behind_the_short_way_is_counted_as_500(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.collector.calls.sorting.accept", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        door.track()
    assert door.metric("segue_collector_requests_total", route="track", status="500") == 1


@pytest.mark.parametrize("path", ["/o/", "/o/a/b.gif", "/o/%2F.gif", "/o"])
def test_the_end_of_a_path_is_taken_as_the_router_takes_it(door: Door, path: str) -> None:
    short = door.client.get(path)
    routed = door.client.head(path)  # which is not declared, so the router takes it
    assert (short.status_code, dict(short.headers)) == (routed.status_code, dict(routed.headers))
