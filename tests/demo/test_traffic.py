"""Traffic: what goes over the wire, and what counts as accepted."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from random import Random

import httpx
import pytest
from pydantic import SecretStr

from schemas.errors import UnavailableError
from schemas.instants import parse_instant
from streams.demo.traffic import ATTEMPTS_MAX, Traffic
from streams.links import LinkSigner
from tests.support.waiting import wait_until_async

WRITE_KEY = "a-write-key-of-the-demo"
SIGNER = LinkSigner({"demo": SecretStr("a-secret-long-enough-to-sign")})


def good_answer(request: httpx.Request) -> httpx.Response:
    if request.url.path.startswith("/c/"):
        return httpx.Response(302, headers={"Location": "https://shop.example/sale"})
    return httpx.Response(200, json={"accepted": 1, "rejected": []})


def visit_until(
    answer: Callable[[httpx.Request], httpx.Response], enough: Callable[[list[httpx.Request], Traffic], bool]
) -> tuple[list[httpx.Request], Traffic]:
    """Let visitors in until `enough`; returns their requests."""
    requests: list[httpx.Request] = []

    def note(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return answer(request)

    async def story() -> Traffic:
        async with httpx.AsyncClient(transport=httpx.MockTransport(note), base_url="http://collector") as client:
            traffic = Traffic(client, WRITE_KEY, SIGNER, Random(5), visitors=200)
            visiting = asyncio.create_task(traffic.run())
            await wait_until_async(lambda: visiting.done() or enough(requests, traffic), 20, "enough visits")
            traffic.stop()
            await visiting
            return traffic

    return requests, asyncio.run(story())


def test_every_way_in_is_used_with_the_write_key_and_every_accepted_event_is_counted() -> None:
    requests, traffic = visit_until(good_answer, lambda _, traffic: len(traffic.accepted) == 5)
    counted = {"identify": 0, "track": 0, "batch": 0, "open": 0, "click": 0}
    for request in requests:
        path = request.url.path
        if path.startswith("/o/"):
            counted["open"] += 1
            assert SIGNER.read("open", path.removeprefix("/o/").removesuffix(".gif"), 0).contact_id
        elif path.startswith("/c/"):
            counted["click"] += 1
            destination = SIGNER.read("click", path.removeprefix("/c/"), 0).destination
            assert (destination or "").startswith("https://shop.example/")
        else:
            kind = path.removeprefix("/v1/")
            body = json.loads(request.content)
            counted[kind] += len(body["batch"]) if kind == "batch" else 1
            credentials = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
            assert credentials == f"{WRITE_KEY}:"
    assert dict(traffic.accepted) == counted


def test_a_double_submitted_event_has_the_same_message_id_twice_and_others_have_one_of_their_own() -> None:
    def doubled(requests: list[httpx.Request], _: Traffic) -> bool:
        ids = [json.loads(one.content).get("messageId") for one in requests if one.method == "POST"]
        return any(ids.count(known) > 1 for known in ids if known)

    requests, _ = visit_until(good_answer, doubled)
    bodies = [json.loads(one.content) for one in requests if one.method == "POST"]
    single = [body for body in bodies if "batch" not in body]
    by_id = {body["messageId"]: body for body in single}
    assert 1 < len(by_id) < len(single)
    assert all(by_id[body["messageId"]] == body for body in single)  # the same id never stands for two events


def test_a_batch_carries_events_of_the_last_seconds_in_order() -> None:
    requests, _ = visit_until(good_answer, lambda _, traffic: traffic.accepted["batch"] > 0)
    (first, *_) = [json.loads(one.content) for one in requests if one.url.path == "/v1/batch"]
    moments = [parse_instant(event["timestamp"]) for event in first["batch"]]
    assert moments == sorted(moments)
    assert len(moments) >= 2
    assert moments[-1] - moments[0] <= 4_000


def test_some_opens_are_fetched_by_a_mail_proxy() -> None:
    def seen(requests: list[httpx.Request], _: Traffic) -> bool:
        agents = {one.headers["User-Agent"] for one in requests if one.url.path.startswith("/o/")}
        return len(agents) == 2

    requests, _ = visit_until(good_answer, seen)
    assert "Mozilla/5.0" in {one.headers["User-Agent"] for one in requests}


def test_a_call_that_is_put_off_is_made_again_with_the_same_body() -> None:
    def busy_at_first(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        if request.method == "POST" and bodies.count(request.content) == 1:
            return httpx.Response(503, headers={"Retry-After": "0"})
        return good_answer(request)

    bodies: list[bytes] = []
    requests, traffic = visit_until(busy_at_first, lambda _, traffic: traffic.accepted["track"] >= 3)
    posts = [one for one in requests if one.method == "POST"]
    assert traffic.retries > 0
    assert sum(traffic.accepted[way] for way in ("identify", "track")) <= len(posts) - traffic.retries


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda _: httpx.Response(401, text="no"), "the collector answered 401"),
        (lambda _: httpx.Response(503, headers={"Retry-After": "0"}, text="away"), "the collector answered 503"),
    ],
    ids=["refused", "never ready"],
)
def test_a_collector_that_takes_nothing_ends_the_traffic(
    answer: Callable[[httpx.Request], httpx.Response], words: str
) -> None:
    with pytest.raises(UnavailableError, match=words):
        visit_until(answer, lambda requests, _: len(requests) > 200 * ATTEMPTS_MAX)


def test_a_collector_that_is_gone_ends_the_traffic() -> None:
    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(UnavailableError, match="the collector does not answer: ConnectError"):
        visit_until(gone, lambda *_: False)
