"""Serves pages to a browser on a free loopback port, and keeps what it is sent."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from streams.collector.http.server import listen
from tests.support.waiting import wait_until

_START_TIMEOUT_S = 10
_WAIT_TIMEOUT_S = 10.0


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """Serve an app in a thread of its own; yields its address."""
    with listen("127.0.0.1", 0) as bound:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, args=([bound],), name="page server", daemon=True)
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive(), _START_TIMEOUT_S, "the page server's start")
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@dataclass(frozen=True, slots=True)
class Page:
    """What one path answers."""

    body: bytes
    content_type: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Call:
    """A request with a body that the browser sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class PageServer:
    """Pages by path; any POST is kept in `calls` and answered 200, or with what `answers` has next."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[Call] = []
        self.answers: deque[tuple[int, Mapping[str, str]]] = deque()
        """Status and headers of the next answers to a POST."""
        self._pages: dict[str, Page] = {}
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST", "OPTIONS"])])

    def serve(
        self, path: str, body: str | bytes, content_type: str = "text/html; charset=utf-8", **headers: str
    ) -> str:
        """Serve a page; returns its address."""
        content = body.encode() if isinstance(body, str) else body
        self._pages[path] = Page(content, content_type, headers)
        return self.url + path

    def wait_for_call(self, wanted: Callable[[Call], bool] = lambda _: True, count: int = 1) -> list[Call]:
        """Wait until so many calls came that are wanted; returns those. `AssertionError` past ten seconds."""

        def found() -> list[Call]:
            calls = [call for call in self.calls if wanted(call)]
            return calls if len(calls) >= count else []

        return wait_until(found, _WAIT_TIMEOUT_S, f"{count} calls")

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        if request.method in {"POST", "OPTIONS"}:
            self.calls.append(Call(request.method, path, dict(request.headers), await request.body()))
            status, headers = self.answers.popleft() if self.answers else (200, {})
            return Response(b"{}", status, {"Access-Control-Allow-Origin": "*", **headers}, "application/json")
        page = self._pages.get(path)
        if page is None:
            return Response(status_code=404)
        return Response(page.body, headers=dict(page.headers), media_type=page.content_type)


@contextmanager
def open_page_server() -> Iterator[PageServer]:
    """A page server that serves nothing yet."""
    server = PageServer()
    with served(server.app) as server.url:
        yield server
