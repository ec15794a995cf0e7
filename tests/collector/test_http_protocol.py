"""The collector's HTTP server: what it does with heads that are large, slow or several at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop
from starlette.types import Receive, Scope, Send

from streams.collector.http_protocol import HEAD_BYTES_MAX
from streams.collector.server import CollectorServer, listen
from tests.support.waiting import wait_until_async

_GET = b"GET /o/token.gif HTTP/1.1\r\nHost: shop.example\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the path."""
    if scope["type"] == "lifespan":
        for answer in ("lifespan.startup.complete", "lifespan.shutdown.complete"):
            await receive()
            await send({"type": answer})
        return
    body = scope["path"].encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def _connected() -> AsyncIterator[Connection]:
    with listen("127.0.0.1", 0) as bound:
        server = CollectorServer(_app, connections=10)
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        await wait_until_async(lambda: server.started, 10, "the server to serve")
        reader, writer = await asyncio.open_connection(*bound.getsockname())
        yield reader, writer
        writer.close()
        server.stop()
        await serving


def _run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(story(), 30))


@pytest.mark.parametrize("name", [b"X-Large: ", b"X"], ids=["a value", "a name"])
def test_a_head_without_an_end_is_answered_400_and_closed(name: bytes) -> None:
    async def story() -> None:
        async with _connected() as (reader, writer):
            # One byte too many: with more on its way, the answer might be lost to the reset that follows.
            writer.write((_GET + name).ljust(HEAD_BYTES_MAX + 1, b"x"))
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert str(HEAD_BYTES_MAX).encode() in answer

    _run(story)


def test_a_head_may_come_byte_by_byte_and_another_behind_it() -> None:
    async def story() -> None:
        async with _connected() as (reader, writer):
            for byte in _GET + b"\r\n":
                writer.write(bytes([byte]))
                await writer.drain()
            assert (await reader.readuntil(b"token.gif")).startswith(b"HTTP/1.1 200 ")
            writer.write(_GET + b"\r\n")
            assert (await reader.readuntil(b"token.gif")).startswith(b"HTTP/1.1 200 ")

    _run(story)


def test_many_requests_on_one_connection_are_no_large_head() -> None:
    request = _GET + b"X-Some: " + b"x" * 1_000 + b"\r\n\r\n"

    async def story() -> None:
        async with _connected() as (reader, writer):
            for _ in range(2 * HEAD_BYTES_MAX // len(request)):
                writer.write(request)
                assert (await reader.readuntil(b"token.gif")).startswith(b"HTTP/1.1 200 ")

    _run(story)


def test_what_is_no_http_is_answered_400() -> None:
    async def story() -> None:
        async with _connected() as (reader, writer):
            writer.write(b"\x16\x03\x01 this is TLS\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")

    _run(story)
