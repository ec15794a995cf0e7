"""Runs the collector's app under uvicorn in the calling thread, until a signal or `stop`."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from schemas.errors import InputError
from streams.collector.http.http_protocol import bounded_by

STOP_TIMEOUT_S = 20
SECURITY_HEADERS = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "cross-origin"),
]
"""On every answer, also those of no way in: nothing is taken for what it does not say it is; the address, which may be
a token, reaches nobody else; and pages of other sites may show the images and run the script."""
_log = logging.getLogger(__name__)


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address; connections wait in it until the server serves. Raises `InputError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.create_server((host, port), family=family)
    except OSError as error:
        raise InputError(
            f"SEGUE_COLLECTOR_HOST, SEGUE_COLLECTOR_PORT: cannot listen on {host}:{port}: {error.strerror}"
        ) from error
    # Connections inherit it. asyncio would set it itself, but not where the socket does not name its protocol; and
    # without it, the second packet of an answer waits for the client to acknowledge the first: 40 ms on Linux.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


class CollectorServer(uvicorn.Server):
    """Ends cleanly on SIGINT and SIGTERM: calls under way are answered first, and the exit code is 0."""

    def __init__(
        self,
        app: ASGIApp,
        connections: int,
        on_stop: Callable[[], None] = lambda: None,
        *,
        head_timeout_ms: int = 10_000,
    ) -> None:
        """`on_stop` is called when it was asked to stop, before it has stopped.

        A head that takes longer than `head_timeout_ms` ends its connection.
        """
        self._on_stop = on_stop
        super().__init__(
            uvicorn.Config(
                app,
                http=bounded_by(head_timeout_ms),
                ws="none",
                lifespan="on",
                log_config=None,
                log_level="warning",
                access_log=False,  # paths carry contact ids
                server_header=False,
                headers=SECURITY_HEADERS,
                proxy_headers=False,  # by default uvicorn believes whoever calls from this machine; see addresses.py
                limit_concurrency=connections,
                timeout_graceful_shutdown=STOP_TIMEOUT_S,
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Stop at the first signal, at once at the second; it is not raised again afterwards."""
        self.force_exit = self.should_exit
        self.stop()

    def stop(self) -> None:
        """Stop as a signal does; may be called from any thread."""
        self.should_exit = True
        self._on_stop()
