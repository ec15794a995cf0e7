"""Fetching a small document, from a server that runs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from schemas.errors import UnavailableError
from streams.adapters.http_fetcher import HttpFetcher

LET_GO = threading.Event()


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            LET_GO.wait(30)
        status = {"/moved": 302, "/broken": 500}.get(self.path, 200)
        body = b"x" * (65_537 if self.path == "/large" else 65_536)
        self.send_response(status)
        self.send_header("Location", "/page")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    """Where the pages are."""
    LET_GO.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        LET_GO.set()
        server.shutdown()
        thread.join()


def _fetch(url: str, timeout_ms: int = 10_000) -> bytes:
    return asyncio.run(HttpFetcher(timeout_ms).fetch(url))


def test_the_body_of_a_page_is_fetched_up_to_the_bound(address: str) -> None:
    assert len(_fetch(f"{address}/page")) == 65_536
    with pytest.raises(UnavailableError, match="at most 65536 bytes"):
        _fetch(f"{address}/large")


def test_a_redirect_is_not_followed_and_an_error_is_no_page(address: str) -> None:
    for path, status in (("moved", 302), ("broken", 500)):
        with pytest.raises(UnavailableError, match=f"expected a 200 there, not {status}"):
            _fetch(f"{address}/{path}")


def test_a_server_that_does_not_answer_or_is_not_there_does_not_hold_a_call_up(address: str) -> None:
    with pytest.raises(UnavailableError, match="within 100 ms"):
        _fetch(f"{address}/slow", timeout_ms=100)
    with pytest.raises(UnavailableError, match="no answer there: ConnectError"):
        _fetch("http://127.0.0.1:1/secret-token")
    with pytest.raises(UnavailableError, match="no answer there"):
        _fetch("https://[broken/secret-token")
