"""HTTP/1.1 by httptools, which parses in C, with the bounds on a request's head that its users have to bring."""

from __future__ import annotations

from asyncio import AbstractEventLoop, BaseTransport, TimerHandle, Transport
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX = 64 * 1024
"""All of a request but its body: request line, headers, trailers, what frames chunks. Past it: 400, and closed."""
HEADERS_MAX = 200
WHOLE_BODY = "segue.whole_body"
"""Is in a request's scope once its whole body has come: then nobody has to wait for it, nor to bound a wait."""

_ANSWER = (
    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n"
    "cache-control: no-store\r\nconnection: close\r\n{headers}\r\n{body}"
)


class TooManyHeadersError(Exception):
    """Raised within a callback of the parser, which then gives the request up."""


class OneWrite:
    """A transport that sends what is written to it in one turn of the loop as one.

    An answer is written as a head and a body, and a call of the system for each would cost more than all the rest that
    the server does for it.
    """

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send it at the end of this turn."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def close(self) -> None:
        """Send what is left to send, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        pieces, self._pieces = self._pieces, []
        if pieces and not self._transport.is_closing():
            self._transport.write(b"".join(pieces))


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection. A head comes in pieces of at most what one read gives, and never more than the bound and one."""

    head_timeout_s = 10.0

    _in_head = True
    _beside_body_bytes = 0
    _body_bytes = 0
    _timer: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Whoever connects has to say something."""
        super().connection_made(cast("Transport", OneWrite(cast("Transport", transport), self.loop)))
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of it."""
        self._cease_to_await()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request begins; called by the parser."""
        self._in_head = True
        self._beside_body_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """What follows is its body, which `bodies.py` bounds. The bytes of headers are bounded as they come."""
        self._check_headers()
        self._in_head = False
        self._cease_to_await()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is wholly there, trailers among its headers."""
        self._check_headers()
        cast("dict[str, Any]", self.scope)[WHOLE_BODY] = True
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request, or of several."""
        self._body_bytes = 0
        super().data_received(data)
        if self.transport.is_closing():
            return
        self._beside_body_bytes += len(data) - self._body_bytes
        if self._beside_body_bytes > HEAD_BYTES_MAX:
            self.send_400_response(f"expected a request line and headers of at most {HEAD_BYTES_MAX} bytes")
        elif self._timer is None and self._awaits_head():
            self._await_head()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, or none within bounds, and close; called by the parent too."""
        self._refuse("400 Bad Request", msg)

    def _check_headers(self) -> None:
        if len(self.headers) > HEADERS_MAX:
            raise TooManyHeadersError

    def _awaits_head(self) -> bool:
        """Something came, and the next request is not wholly there: its head, or what is left of a refused one."""
        return self._in_head or self.cycle is None or self.cycle.response_complete

    def _await_head(self) -> None:
        self._timer = self.loop.call_later(self.head_timeout_s, self._give_up)

    def _cease_to_await(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self._in_head and self._beside_body_bytes:
            self._refuse("408 Request Timeout", f"expected a whole request head within {self.head_timeout_s:g} s")
        else:
            self.transport.close()  # nobody asked for anything

    def _refuse(self, status: str, message: str) -> None:
        # In the middle of an answer there is no room for another.
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
            body = f'{{"error":"{message}"}}'
            headers = "".join(
                f"{name.decode()}: {value.decode()}\r\n" for name, value in self.server_state.default_headers
            )
            self.transport.write(
                _ANSWER.format(status=status, length=len(body), headers=headers, body=body).encode("latin-1")
            )
        self.transport.close()


def bounded_by(head_timeout_ms: int) -> type[BoundedHttpProtocol]:
    """The protocol with a bound on the time that a head takes, as uvicorn wants it: a class."""
    return type("BoundedHttpProtocol", (BoundedHttpProtocol,), {"head_timeout_s": head_timeout_ms / 1000})
