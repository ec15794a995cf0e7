"""A receiver of webhooks: notes every request, answers as it is told, and checks signatures on its own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@dataclass(frozen=True)
class Request:
    """One attempt, as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.body)["data"]
        return data

    def is_signed_with(self, secret: str) -> bool:
        """Whether one of the signatures is right: done as the specification says, not as the sender does it."""
        key = base64.b64decode(secret.split("_", 1)[1])
        content = b".".join((self.id.encode(), self.headers["webhook-timestamp"].encode(), self.body))
        expected = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
        return f"v1,{expected}" in self.headers["webhook-signature"].split(" ")


@dataclass
class Reply:
    """What to answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    reset: bool = False
    """Reset the connection instead of answering."""


Answerer = Callable[[Request], Reply]


class Receiver:
    """Listens on a free loopback port while it is entered."""

    def __init__(self, answer: Answerer | None = None, context: ssl.SSLContext | None = None) -> None:
        self.answer: Answerer = answer or (lambda _request: Reply())
        self.requests: list[Request] = []
        self.answered: list[Request] = []
        self.connected: Callable[[int], None] = lambda _port: None
        self._connections: list[socket.socket] = []
        receiver = self

        class _Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                receiver.connected(self.client_address[1])
                receiver._connections.append(self.connection)

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                body = self.rfile.read(length)
                if len(body) < length:
                    return  # the sender died amid it
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.path, headers, body)
                receiver.requests.append(request)
                reply = receiver.answer(request)
                if reply.reset:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
                receiver.answered.append(request)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        class _Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Senders hang up on purpose."""

        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._handler = _Handler
        self._make_server = _Server
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        scheme = "http" if context is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self.port}/hooks?token=t0p"

    @property
    def ids(self) -> list[str]:
        """The webhook-id of every attempt, in order of arrival."""
        return [request.id for request in self.requests]

    def __enter__(self) -> Receiver:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def go_down(self) -> None:
        """Refuse connections, and end those that are open."""
        self.__exit__(None, None, None)
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._connections.clear()

    def come_back(self) -> None:
        """Listen again at the same address; without TLS."""
        self._server = self._make_server(("127.0.0.1", self.port), self._handler)
        self.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
