"""The receiver takes what the webhook consumer signs, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr

from consumers.settings import secret_key
from consumers.webhook.signature import webhook_body, webhook_headers
from schemas.transitions import encode_transition
from streams.demo.receiver import BODY_MAX_BYTES, Delivery, Receiver, new_secret
from tests.demo.records import transition

SECRET = new_secret(b"k" * 32)
Headers = dict[str, str]


def signed(at_s: float | None = None) -> tuple[Headers, bytes]:
    moved = transition("c1", "buyers", 1)
    body = webhook_body(moved, encode_transition(moved))
    moment = int(time.time() if at_s is None else at_s)
    return webhook_headers(moved.transition_id, moment, body, [secret_key(SecretStr(SECRET))]), body


def post(headers: Headers, body: bytes) -> tuple[int, Delivery]:
    deliveries: list[Delivery] = []
    with Receiver(SECRET, deliveries.append) as receiver, httpx.Client(trust_env=False) as client:
        status = client.post(receiver.url, headers=headers, content=body).status_code
    (delivery,) = deliveries
    return status, delivery


def test_a_signed_call_is_a_delivery_of_its_transition() -> None:
    status, delivery = post(*signed())
    assert status == 204
    assert delivery.transition == transition("c1", "buyers", 1)
    assert abs(delivery.at_ms - time.time() * 1000) < 60_000


def test_one_good_signature_among_several_is_enough() -> None:
    headers, body = signed()
    headers["webhook-signature"] = f"v1,AAAA v1a,other {headers['webhook-signature']} v1,!"
    assert post(headers, body)[0] == 204


def _other_body(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    return headers, body.replace(b"buyers", b"payers")


def _other_id(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    return headers | {"webhook-id": "another"}, body


def _no_signature(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    return {name: value for name, value in headers.items() if name != "webhook-signature"}, body


def _no_timestamp(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    return {name: value for name, value in headers.items() if name != "webhook-timestamp"}, body


def _old(_headers: Headers, _body: bytes) -> tuple[Headers, bytes]:
    return signed(time.time() - 3600)


@pytest.mark.parametrize("spoil", [_other_body, _other_id, _no_signature, _no_timestamp, _old])
def test_a_call_that_is_not_as_it_was_signed_is_refused(
    spoil: Callable[[Headers, bytes], tuple[Headers, bytes]],
) -> None:
    status, delivery = post(*spoil(*signed()))
    assert status == 401
    assert delivery.transition is None
    assert delivery.reason


def test_a_signed_call_that_is_no_transition_is_refused() -> None:
    body = b'{"type":"segment.entered","data":{}}'
    headers = webhook_headers("x", int(time.time()), body, [secret_key(SecretStr(SECRET))])
    status, delivery = post(headers, body)
    assert (status, delivery.transition) == (401, None)
    assert "no transition" in delivery.reason


def test_a_body_that_is_too_large_is_not_read() -> None:
    deliveries: list[Delivery] = []
    with Receiver(SECRET, deliveries.append) as receiver:
        connection = HTTPConnection("127.0.0.1", urlsplit(receiver.url).port, timeout=10)
        connection.putrequest("POST", "/segue")
        connection.putheader("Content-Length", str(BODY_MAX_BYTES + 1))
        connection.endheaders()  # and no body: an answer that waited for it would never come
        assert connection.getresponse().status == 413
        connection.close()
    assert deliveries == []
