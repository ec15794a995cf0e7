"""A small receiver of webhooks on a loopback port, as a workflow tool would have one: it trusts no unsigned call."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from wsgiref.types import StartResponse, WSGIEnvironment

import msgspec

from schemas.transitions import Transition, decode_transition
from streams.demo.loopback import LoopbackServer

BODY_MAX_BYTES = 64 * 1024
_TOLERANCE_S = 300
"""How old a timestamp may be, in seconds: a call that was recorded cannot be played again later."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One call. `transition` is None where the signature does not hold, or the body is no transition."""

    transition: Transition | None
    at_ms: int
    reason: str = ""


class BadCallError(ValueError):
    """The call is not one of ours; the text says why."""


def new_secret(random_bytes: bytes) -> str:
    """A secret as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(random_bytes).decode()


def verify(secret: str, environ: WSGIEnvironment, body: bytes, now_s: float) -> Transition:
    """The transition in a call, by Standard Webhooks' rules. Raises `BadCallError`."""
    webhook_id = environ.get("HTTP_WEBHOOK_ID", "")
    timestamp = environ.get("HTTP_WEBHOOK_TIMESTAMP", "")
    if not timestamp.isdecimal() or abs(now_s - int(timestamp)) > _TOLERANCE_S:
        raise BadCallError("the timestamp is missing, or too far from now")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = hmac.new(key, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    if not any(hmac.compare_digest(wanted, given) for given in _signatures(environ)):
        raise BadCallError("no signature fits")
    try:
        envelope = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        transition = decode_transition(bytes(envelope["data"]))
    except (ValueError, KeyError) as error:
        raise BadCallError(f"the body is no transition: {error}") from error
    if transition.transition_id != webhook_id:
        raise BadCallError("webhook-id is not the transition's")
    return transition


def _signatures(environ: WSGIEnvironment) -> Iterable[bytes]:
    for part in environ.get("HTTP_WEBHOOK_SIGNATURE", "").split():
        version, _, encoded = part.partition(",")
        if version == "v1":
            try:
                yield base64.b64decode(encoded, validate=True)
            except binascii.Error:
                continue


class Receiver(LoopbackServer):
    """Serves on threads of its own while it is entered; `on_delivery` is called on them."""

    def __init__(self, secret: str, on_delivery: Callable[[Delivery], None]) -> None:
        self._secret = secret
        self._on_delivery = on_delivery
        super().__init__(self._answer, "receiver")
        self.url = f"{self.address}/segue"

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        now_ms = time.time_ns() // 1_000_000
        length = environ.get("CONTENT_LENGTH", "")
        if not length.isdecimal() or int(length) > BODY_MAX_BYTES:
            start_response("413 Content Too Large", [("Content-Length", "0")])
            return []
        body = environ["wsgi.input"].read(int(length))
        try:
            delivery = Delivery(verify(self._secret, environ, body, now_ms / 1000), now_ms)
            status = "204 No Content"
        except BadCallError as error:
            delivery = Delivery(None, now_ms, str(error))
            status = "401 Unauthorized"
        self._on_delivery(delivery)
        start_response(status, [("Content-Length", "0")])
        return []
