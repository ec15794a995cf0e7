"""`/metrics`, `/healthz` and `/readyz` of a consumer, answered by threads of their own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from socketserver import ThreadingMixIn
from types import TracebackType
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from schemas.errors import InputError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_ANSWER_TIMEOUT_S = 5.0


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: probes would fill the log."""


class Monitor:
    """Serves while it is entered. `problems` and `hangs` are called on the event loop that entered it."""

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        problems: Callable[[], list[str]],
        hangs: Callable[[], bool],
    ) -> None:
        self._metrics = make_wsgi_app(registry)
        self._problems = problems
        self._hangs = hangs
        self._loop = asyncio.get_running_loop()
        try:
            self._server = make_server(host, port, self._answer, _Server, _QuietHandler)
        except OSError as error:
            raise InputError(
                f"SEGUE_CONSUMER_HOST, SEGUE_CONSUMER_PORT: cannot listen on {host}:{port}: {error}"
            ) from None
        self.url = f"http://{host}:{self._server.server_port}"

    def __enter__(self) -> Monitor:
        threading.Thread(target=self._server.serve_forever, name="monitor", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start_response)
            return answer
        if path == "/healthz":
            problems = self._ask(lambda: ["the reading thread hangs"] if self._hangs() else [])
            return _json(start_response, problems, {"healthy": not problems})
        if path == "/readyz":
            problems = self._ask(self._problems)
            return _json(start_response, problems, {"ready": not problems})
        start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"try /metrics, /healthz or /readyz\n"]

    def _ask(self, question: Callable[[], list[str]]) -> list[str]:
        async def answer() -> list[str]:
            return question()

        try:
            return asyncio.run_coroutine_threadsafe(answer(), self._loop).result(_ANSWER_TIMEOUT_S)
        except TimeoutError:
            return ["the event loop hangs"]


def _json(start_response: StartResponse, problems: list[str], body: dict[str, object]) -> Iterable[bytes]:
    status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
    start_response(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
    return [json.dumps(body | {"problems": problems}).encode() + b"\n"]
