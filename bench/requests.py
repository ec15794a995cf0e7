"""What the load asks of the collector: requests of HTTP/1.1 as tracking SDKs and e-mails cause them, in bytes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from pydantic import SecretStr

from streams.links import Link, LinkSigner

Kind: TypeAlias = Literal["single", "batch", "pixel"]

BATCH = 100
"""Events of a batch."""
WRITE_KEY = "website-write-key"
LINK_KEY = "a-long-signing-secret"
COLLECTOR_ENVIRONMENT = {
    "SEGUE_WRITE_KEYS": f'{{"website": "{WRITE_KEY}"}}',
    "SEGUE_LINK_KEYS": f'{{"k1": "{LINK_KEY}"}}',
    "SEGUE_COLLECTOR_CHECK_INTERVAL_MS": "200",
}
_TOKENS = 1_000
_AUTHORIZATION = base64.b64encode(f"{WRITE_KEY}:".encode()).decode()
_CONTEXT = (
    '{"locale":"fr-FR","page":{"path":"/shoes/42","referrer":"https://search.example/","title":"Shoes"},'
    '"userAgent":"Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}'
)
_PROPERTIES = '{"product_id":"p42","price":59.9,"currency":"EUR","quantity":1}'


def shop_event(number: int) -> str:
    """A purchase's step of one contact in 10,000, in about 400 bytes."""
    return (
        f'{{"type":"track","messageId":"m{number}","userId":"visitor-{number % 10_000}","event":"Product Added",'
        f'"timestamp":"2026-06-01T10:00:00.000Z","properties":{_PROPERTIES},"context":{_CONTEXT}}}'
    )


def one_in_ten(number: int) -> tuple[int, str]:
    """Contact and event: each tenth event is the first of a new contact, and the nine after it are its others."""
    return (number, "page_view") if number % 10 == 0 else (number // 10 * 10, "product_view")


def transition_event(number: int) -> str:
    """One event in ten is the first of a new contact and lets it enter a segment; the others change nothing."""
    contact, event = one_in_ten(number)
    return (
        f'{{"type":"track","messageId":"m{number}","userId":"visitor-{contact}","event":"{event}",'
        f'"properties":{_PROPERTIES},"context":{_CONTEXT}}}'
    )


def post(path: str, body: str) -> bytes:
    """A call with the write key."""
    content = body.encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Basic {_AUTHORIZATION}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def requests_of(kind: Kind, event: Callable[[int], str] = shop_event) -> Callable[[int], bytes]:
    """What makes the request of a number; a batch of that number has the `BATCH` events that follow one another."""
    if kind == "single":
        return lambda number: post("/v1/track", event(number))
    if kind == "batch":
        return lambda number: post(
            "/v1/batch", f'{{"batch":[{",".join(event(number * BATCH + place) for place in range(BATCH))}]}}'
        )
    pixels = _pixels()
    return lambda number: pixels[number % len(pixels)]


def _pixels() -> Sequence[bytes]:
    signer = LinkSigner({"k1": SecretStr(LINK_KEY)})
    tokens = [signer.make("open", Link(f"visitor-{number}", "welcome")) for number in range(_TOKENS)]
    return [
        f"GET /o/{token}.gif HTTP/1.1\r\nHost: bench\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\r\n".encode()
        for token in tokens
    ]
