"""What a worker shows of itself over HTTP: `/metrics` for Prometheus, `/healthz` for whoever restarts it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from schemas.errors import InputError


class Health(NamedTuple):
    """Whether the process is well, and how many partitions it serves and loads."""

    well: bool
    serving: int
    loading: int


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietRequest(WSGIRequestHandler):
    timeout = 10  # seconds in which a request must have been sent; the library's name

    def log_message(self, format: str, *args: object) -> None:
        """Scrapes are not worth a line each."""


class ProbeServer:
    """Serves in threads of its own, so that it answers while the event loop is busy."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Callable[[], Health]) -> None:
        """`port` 0 takes a free one. `health` is called on a server thread.

        Raises `InputError` when the address cannot be taken.
        """
        self._registry = registry
        self._health = health
        try:
            self._server = make_server(host, port, self._answer, _Server, _QuietRequest)
        except OSError as error:
            raise InputError(f"SEGUE_METRICS_HOST, SEGUE_METRICS_PORT: {host}:{port}: {error.strerror}") from error
        self.url = f"http://{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="segue-probes", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            status, kind, body = "200 OK", CONTENT_TYPE_LATEST, generate_latest(self._registry)
        elif path == "/healthz":
            health = self._health()
            status = "200 OK" if health.well else "503 Service Unavailable"
            kind, body = "application/json", json.dumps(health._asdict()).encode()
        else:
            status, kind, body = "404 Not Found", "text/plain", b"/metrics and /healthz are here\n"
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]
