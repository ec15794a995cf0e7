"""A small web server on a free loopback port, on threads of its own."""

from __future__ import annotations

import threading
from socketserver import ThreadingMixIn
from types import TracebackType
from typing import Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import WSGIApplication

_READ_TIMEOUT_S = 10


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128


class _QuietRequest(WSGIRequestHandler):
    timeout = _READ_TIMEOUT_S

    def log_message(self, format: str, *args: object) -> None:
        """A line for each request would hide everything else."""


class LoopbackServer:
    """Serves `app` while it is entered; `app` is called on its threads."""

    def __init__(self, app: WSGIApplication, name: str) -> None:
        self._name = name
        self._server = make_server("127.0.0.1", 0, app, _Server, _QuietRequest)
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name=self._name, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
