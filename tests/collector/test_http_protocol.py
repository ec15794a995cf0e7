"""The collector's HTTP server: what it does with heads that are large, slow or several at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from streams.collector.http.http_protocol import HEAD_BYTES_MAX, HEADERS_MAX, WHOLE_BODY, OneWrite
from streams.collector.http.server import CollectorServer, listen
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
    more = scope["method"] == "POST"
    while more:
        more = (await receive()).get("more_body", False)
    body = scope["path"].encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def _connected(head_timeout_ms: int = 30_000, app: ASGIApp = _app) -> AsyncIterator[Connection]:
    with listen("127.0.0.1", 0) as bound:
        server = CollectorServer(app, connections=10, head_timeout_ms=head_timeout_ms)
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


@pytest.mark.parametrize("begun", [b"G", b"\r\n", _GET, _GET + b"X-Slow: ", b"POST / HTTP/1.1\r\n"])
def test_a_head_that_does_not_come_in_time_is_answered_408_and_closed(begun: bytes) -> None:
    async def story() -> None:
        async with _connected(head_timeout_ms=100) as (reader, writer):
            writer.write(begun)
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"within 0.1 s" in answer

    _run(story)


@pytest.mark.parametrize("said", [b"", _GET + b"\r\n\r\n"], ids=["nothing", "behind an answer"])
def test_who_connects_and_asks_nothing_is_let_go(said: bytes) -> None:
    async def story() -> None:
        async with _connected(head_timeout_ms=100) as (reader, writer):
            writer.write(said)
            answer = await reader.read()
        assert answer.count(b"HTTP/1.1") == said.count(b"GET")

    _run(story)


def test_a_head_that_drips_is_given_no_more_time_than_one_that_stalls() -> None:
    async def story() -> None:
        async with _connected(head_timeout_ms=200) as (reader, writer):
            writer.write(_GET)
            ended = asyncio.create_task(reader.read())
            while not ended.done():
                writer.write(b"X: 1\r\n")
                await asyncio.wait([ended], timeout=0.01)
            # What was on its way when the connection was closed may cost the answer.
            assert isinstance(ended.exception(), ConnectionResetError) or b" 408 " in ended.result()

    _run(story)


def test_a_body_may_take_longer_than_a_head() -> None:
    """How long it may take, its way in says; see `bodies.py`."""

    async def story() -> None:
        async with _connected(head_timeout_ms=50) as (reader, writer):
            writer.write(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nx")
            answer = asyncio.create_task(reader.readuntil(b"/slow"))
            await asyncio.wait([answer], timeout=0.2)
            assert not answer.done()
            writer.write(b"x")
            assert (await answer).startswith(b"HTTP/1.1 200 ")

    _run(story)


def test_more_headers_than_the_bound_are_answered_400() -> None:
    async def story() -> None:
        async with _connected() as (reader, writer):
            writer.write(_GET + b"X: 1\r\n" * HEADERS_MAX + b"\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")

    _run(story)


@pytest.mark.parametrize("request_", [_GET + b"\r\n", b"\x16\x03\x01 this is TLS\r\n\r\n"], ids=["served", "refused"])
def test_every_answer_says_that_it_is_nothing_but_what_it_says(request_: bytes) -> None:
    async def story() -> None:
        async with _connected() as (reader, writer):
            writer.write(request_)
            answer = await reader.readuntil(b"\r\n\r\n")
        for header in (b"x-content-type-options: nosniff", b"referrer-policy: no-referrer"):
            assert answer.count(header) == 1
        assert b"\r\nserver:" not in answer.lower()

    _run(story)


_CHUNKED = b"POST /chunks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "endless",
    [b"5\r\nhello\r\n0\r\nX-Trailer: " + b"x" * HEAD_BYTES_MAX, b"5;" + b"x" * HEAD_BYTES_MAX],
    ids=["a trailer", "an extension of a chunk"],
)
def test_what_frames_a_body_is_bounded_as_a_head_is(endless: bytes) -> None:
    async def story() -> None:
        async with _connected() as (reader, writer):
            writer.write(_CHUNKED + endless)
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")

    _run(story)


def test_trailers_count_among_the_headers() -> None:
    async def story() -> None:
        async with _connected() as (reader, writer):
            writer.write(_CHUNKED + b"5\r\nhello\r\n0\r\n" + b"X: 1\r\n" * HEADERS_MAX + b"\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")

    _run(story)


def test_a_large_body_in_chunks_is_no_large_head() -> None:
    async def story() -> None:
        async with _connected() as (reader, writer):
            writer.write(_CHUNKED + b"1000\r\n%s\r\n" % (b"x" * 0x1000) * 60 + b"0\r\n\r\n")
            assert (await reader.readuntil(b"/chunks")).startswith(b"HTTP/1.1 200 ")

    _run(story)


_POST = b"POST /first HTTP/1.1\r\nHost: x\r\n"
_BEHIND = b"GET /second HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "ambiguous",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        b"Content-Length: 0\r\nContent-Length: 4\r\n\r\n",
        b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
        b"Content-Length: 4, 4\r\n\r\nabcd",
        b"Content-Length: +4\r\n\r\nabcd",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length : 4\r\n\r\nabcd",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
        b"X: a\r\n Content-Length: 4\r\n\r\n",
        b"X: a\nContent-Length: 4\r\n\r\nabcd",
        b"X: a\rContent-Length: 4\r\n\r\nabcd",
        b"X: a\x00b\r\nContent-Length: 4\r\n\r\nabcd",
    ],
)
def test_a_request_that_a_proxy_might_cut_elsewhere_is_refused_and_nothing_behind_it_is_read(ambiguous: bytes) -> None:
    async def story() -> None:
        async with _connected() as (reader, writer):
            writer.write(_POST + ambiguous + _BEHIND)
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 "), answer
        assert b"/second" not in answer

    _run(story)


class _Wire:
    """The end of a connection, which keeps what came in one piece apart from what came in the next."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def _one_write(wire: _Wire) -> OneWrite:
    return OneWrite(cast("asyncio.Transport", wire), asyncio.get_running_loop())


def test_what_is_written_in_one_turn_of_the_loop_leaves_in_one_piece_and_in_order() -> None:
    async def story() -> None:
        wire = _Wire()
        transport = _one_write(wire)
        transport.write(b"head")
        transport.write(b"body")
        assert wire.pieces == []
        await asyncio.sleep(0)
        transport.write(b"next")
        await asyncio.sleep(0)
        assert wire.pieces == [b"headbody", b"next"]

    _run(story)


def test_what_was_written_leaves_before_the_connection_is_closed_and_nothing_after() -> None:
    async def story() -> None:
        wire = _Wire()
        transport = _one_write(wire)
        transport.write(b"the last word")
        transport.close()
        transport.write(b"too late")
        await asyncio.sleep(0)
        assert (wire.pieces, wire.closed, transport.is_closing()) == ([b"the last word"], True, True)

    _run(story)


@pytest.mark.parametrize(
    ("framing", "last"), [(b"Content-Length: 2", b"x"), (b"Transfer-Encoding: chunked", b"0\r\n\r\n")]
)
def test_only_a_body_that_is_wholly_there_is_said_to_be(framing: bytes, last: bytes) -> None:
    whole: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            whole.append(WHOLE_BODY in scope)
        await _app(scope, receive, send)
        if scope["type"] == "http":
            whole.append(WHOLE_BODY in scope)

    first = b"POST /slow HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n%s" % (
        framing,
        b"1\r\nx\r\n" if b"chunked" in framing else b"x",
    )

    async def story() -> None:
        async with _connected(app=app) as (reader, writer):
            writer.write(first)
            await wait_until_async(lambda: whole != [], 10, "the call to begin")
            writer.write(last)
            await reader.readuntil(b"/slow")
            writer.write(first + last)
            await reader.readuntil(b"/slow")
        assert whole == [False, True, True, True]

    _run(story)
